"""What a batch's check says of each of its lines, and of all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from circletake.domain.errors import Invalid, Refused
from circletake.domain.permission.holds import NewHold
from circletake.domain.pictures import Violation
from circletake.usecases.batches.lines import BatchLine
from circletake.usecases.money.reservations import NOTHING
from circletake.usecases.plan_generation import Plan

Outcome = Literal["accepted", "held", "refused"]


class RowsRefused(Refused):
    """A refused row refuses the whole batch: nothing was written."""

    status = 422
    code = "rows_refused"
    title = "Some rows are refused"


@dataclass(frozen=True, slots=True)
class LineRefusal:
    """Why a line is refused: what is wrong with it, and what the refusal of a single request would carry beside."""

    violations: Sequence[Violation]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineReport:
    """What becomes of one line."""

    line: BatchLine
    plan: Plan | None = None
    refusal: LineRefusal | None = None
    holds: Sequence[NewHold] = ()
    warnings: Sequence[Violation] = ()
    generation_id: UUID | None = None

    @property
    def outcome(self) -> Outcome:
        if self.refusal is not None:
            return "refused"
        return "held" if self.holds else "accepted"

    @property
    def takes(self) -> int:
        return self.line.request.takes if self.line.request is not None else 0

    @property
    def quote(self) -> Decimal | None:
        return None if self.plan is None or self.refusal is not None else self.plan.quote.total


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What becomes of every line, in the file's order."""

    lines: Sequence[LineReport]

    def count(self, outcome: Outcome) -> int:
        return sum(each.outcome == outcome for each in self.lines)

    @property
    def kept(self) -> list[LineReport]:
        return [each for each in self.lines if each.refusal is None]

    @property
    def takes(self) -> int:
        return sum(each.takes for each in self.kept)

    @property
    def quote(self) -> Decimal:
        return sum((each.quote or NOTHING for each in self.kept), NOTHING)

    def by_model(self) -> Mapping[str, tuple[int, Decimal]]:
        """Takes and their price, by model."""
        found: dict[str, tuple[int, Decimal]] = {}
        for each in self.kept:
            if each.plan is not None:
                takes, usd = found.get(each.plan.card.id, (0, NOTHING))
                found[each.plan.card.id] = (takes + each.takes, usd + each.plan.quote.total)
        return found


def refusal_of(refused: Refused) -> LineRefusal:
    """A single request's refusal as a line's."""
    if isinstance(refused, Invalid) and refused.violations:
        return LineRefusal(refused.violations)
    return LineRefusal([Violation("", refused.code, refused.detail)], refused.extra)


def doubles(lines: Sequence[BatchLine]) -> dict[int, Violation]:
    """Warn of lines that ask for the same as an earlier one: the same shot, kind and prompt."""
    first: dict[tuple[object, ...], int] = {}
    found: dict[int, Violation] = {}
    for place, each in enumerate(lines):
        asked = each.request
        if asked is None:
            continue
        same = (
            asked.shot_id,
            asked.kind,
            asked.prompt,
            asked.search_prompt,
            tuple(sorted(asked.inputs.items())),
        )
        earlier = first.setdefault(same, each.line)
        if earlier != each.line:
            message = f"Line {earlier} asks for the same: the same shot, kind, prompt and inputs."
            found[place] = Violation("", "doubled_row", message)
    return found
