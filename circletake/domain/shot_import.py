"""What a list of shots would change in a production: decided row by row, before anything is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from circletake.domain.pictures import Violation
from circletake.domain.shot_files import ShotRow
from circletake.domain.shots import ShotValues, frame_violations

Outcome = Literal["created", "updated", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What becomes of one row; `values` are the shot's values afterwards."""

    line: int
    code: str
    outcome: Outcome
    values: ShotValues = field(default_factory=ShotValues)
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """`new_sequences`: the code of each to be made, and its episode's code; `new_episodes`: codes."""

    rows: Sequence[RowPlan]
    new_sequences: Mapping[str, str | None]
    new_episodes: Sequence[str]

    def count(self, outcome: Outcome) -> int:
        return sum(row.outcome == outcome for row in self.rows)


def plan_import(
    rows: Iterable[ShotRow],
    shots: Mapping[str, ShotValues],
    sequences: Mapping[str, str | None],
    episodes: Iterable[str],
    *,
    only_new: bool = False,
) -> ImportPlan:
    """Plan an import against what the production has: shots by code, sequences with their episodes, episodes.

    The first row with a code wins, later ones are refused. A sequence that isn't there is made, and its episode;
    one that is there is never moved to another episode. `only_new`: no shot that is there is changed.
    """
    first_line: dict[str, int] = {}
    made: dict[str, str | None] = {}
    plans = []
    for row in rows:
        found = list(row.violations)
        earlier = first_line.setdefault(row.code, row.line) if row.code else row.line
        if earlier != row.line:
            found.append(
                Violation("/code", "doubled_code", f"Line {earlier} has this code already: keep one of them.")
            )
        before = shots.get(row.code)
        after = _after(before or ShotValues(), row)
        if only_new and before is not None and before != after:
            found.append(
                Violation(
                    "/code", "code_taken", "There is a shot with this code, and it says something else."
                )
            )
        if not {"/frame_in", "/frame_out"} & {violation.pointer for violation in found}:
            found += frame_violations(after.frame_in, after.frame_out)
        if not found:
            found += _place(row, sequences, made)
        if found:
            plans.append(RowPlan(row.line, row.code, "refused", violations=tuple(found)))
        else:
            plans.append(RowPlan(row.line, row.code, _outcome(before, after), after))
    known = set(episodes)
    new_episodes = sorted({episode for episode in made.values() if episode is not None} - known)
    return ImportPlan(plans, made, new_episodes)


def _after(before: ShotValues, row: ShotRow) -> ShotValues:
    given = {name: value for name, value in row.given.items() if name != "episode"}
    return replace(before, **given)  # type: ignore[arg-type]  # the reader has checked each value's type


def _outcome(before: ShotValues | None, after: ShotValues) -> Outcome:
    if before is None:
        return "created"
    return "unchanged" if before == after else "updated"


def _place(
    row: ShotRow, sequences: Mapping[str, str | None], made: dict[str, str | None]
) -> Iterable[Violation]:
    """Find the row's sequence, or note that it has to be made."""
    sequence, episode = row.given.get("sequence"), row.given.get("episode")
    if not isinstance(sequence, str):
        return []
    wanted = episode if isinstance(episode, str) else None
    if sequence in sequences:
        if wanted is not None and sequences[sequence] != wanted:
            return [_elsewhere(sequences[sequence])]
    elif made.setdefault(sequence, wanted) is None:
        made[sequence] = wanted
    elif wanted is not None and made[sequence] != wanted:
        return [_elsewhere(made[sequence])]
    return []


def _elsewhere(episode: str | None) -> Violation:
    where = f"is in episode {episode}" if episode else "is in no episode"
    return Violation(
        "/episode",
        "sequence_elsewhere",
        f"This sequence {where}: correct the row, or move the sequence with PATCH /v1/sequences/{{id}}.",
    )
