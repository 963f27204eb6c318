"""Shots with one planted change each: is the break caught, in the right aspect, and are harmless changes let through?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circletake.domain.consistency.words import Aspect, CharacterKind, EvaluatorId, Verdict
from evaluation.folder import BreakShot, Folder, Picture, Truth
from evaluation.judge import Judge
from evaluation.leftout import Seen, left_out
from evaluation.metrics import Scored, figures, of, share
from evaluation.pictures import thumbnail_of
from evaluation.questions import Answer, AspectAnswer, Cast, Member, Question, Row
from evaluation.who import Who, rest

REFERENCES = 3
_ALIKE = 0.8  # correlation of two thumbnails from which one is taken to be a version of the other
_ASPECTS = (Aspect.FACE, Aspect.HAIR, Aspect.WARDROBE)


@dataclass(frozen=True, slots=True)
class Judged:
    shot: BreakShot
    answer: Answer
    references: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What it counts as: break:face, break:hair …, clean, harmless, not_assessable."""
        if self.shot.truth is Truth.BREAK:
            return f"break:{self.shot.aspect}"
        if self.shot.truth is Truth.NOT_ASSESSABLE:
            return "not_assessable"
        return "clean" if self.shot.change.lower() in {"clean", "none", "unnamed"} else "harmless"


async def breaks(folder: Folder, who: Who, judge: Judge) -> tuple[list[Judged], list[Row]]:
    """Judge every shot against the character's other pictures, in the cast of all characters of the list."""
    shots = folder.breaks or []
    known = {**who.humans, **who.faces, **who.others}
    names = [name for name in dict.fromkeys(shot.character for shot in shots) if name in known]
    asked, kept = [], []
    for shot in shots:
        if shot.character not in known:
            continue
        base = base_of(shot, known[shot.character])
        cast = _cast(names, known, who.kinds, shot.character, base)
        own = cast[[member.key for member in cast].index(shot.character)]
        if own.references:
            asked.append(Question(shot.path, cast, shot.character))
            kept.append((shot, tuple(f"{path.parent.name}/{path.name}" for path in own.references)))
    answers = await judge.ask(asked)
    found = [
        Judged(shot, answer, references) for (shot, references), answer in zip(kept, answers, strict=True)
    ]
    return found, [row for each in found for row in _rows(each)]


def base_of(shot: BreakShot, pictures: Sequence[Picture]) -> Picture | None:
    """Return the picture a shot was made from: by what the list says, by the name's number, else by its look."""
    if shot.base:
        return next((each for each in pictures if each.name == shot.base), None)
    stem = shot.path.stem.removeprefix(shot.character)
    number = re.match(r"[_-]?(\d+)(?:[_-]|$)", stem)
    if number:
        named = [each for each in pictures if each.path.stem == number.group(1)]
        if named:
            return named[0]
    return similar(shot.path, pictures)


def similar(path: Path, pictures: Sequence[Picture]) -> Picture | None:
    """Return the picture this one looks like a version of, also mirrored; None when there is none."""
    mine = thumbnail_of(path)
    if mine is None:
        return None
    best, alike = None, _ALIKE
    for picture in pictures:
        other = thumbnail_of(picture.path)
        if other is not None:
            found = max(float((version * other).sum()) for version in (mine, mine[:, ::-1]))
            if found >= alike:
                best, alike = picture, found
    return best


def _cast(
    names: Sequence[str],
    known: Mapping[str, Sequence[Picture]],
    kinds: Mapping[str, CharacterKind],
    asked: str,
    base: Picture | None,
) -> Cast:
    return tuple(
        Member(
            name,
            kinds[name],
            tuple(each.path for each in rest(known[name], base if name == asked else None, REFERENCES)),
        )
        for name in names
    )


def _rows(found: Judged) -> list[Row]:
    made = []
    for aspect, own in found.answer.aspects.items():
        broken = found.shot.truth is Truth.BREAK
        made.append(
            Row(
                part="breaks",
                group=found.kind,
                aspect=aspect.value,
                subject=found.shot.character,
                references=found.references,
                query=found.shot.name,
                same=(None if found.shot.aspect != aspect.value else False) if broken else True,
                score=own.probability,
                values=own.values,
                verdict=found.answer.verdict.value,
                aspect_verdict=own.verdict.value,
                grade=found.shot.change,
                reasons=[reason.value for reason in found.answer.reasons],
            )
        )
    return made


def summary(found: Sequence[Judged]) -> dict[str, Any] | None:
    """Caught per aspect, right aspect named of those caught, clean and harmless shots called a break."""
    if not found:
        return None
    kinds = sorted({each.kind for each in found})
    by_kind = {kind: [each for each in found if each.kind == kind] for kind in kinds}
    caught: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    for kind, shots in by_kind.items():
        if kind.startswith("break:"):
            said = _share(shots, Verdict.FAIL)
            caught[kind.removeprefix("break:")] = of(said)
            intervals[kind.removeprefix("break:")] = (said or {}).get("ci")
    right = [
        each.shot.aspect in {aspect.value for aspect in each.answer.broken}
        for each in found
        if each.shot.truth is Truth.BREAK and each.answer.verdict is Verdict.FAIL
    ]
    harmless, clean = by_kind.get("harmless", []), by_kind.get("clean", [])
    changes = sorted({each.shot.change for each in harmless})
    return {
        "caught": caught,
        "caught_ci": intervals,
        "right_aspect": of(share(right, ["all"] * len(right))),
        "harmless_called_break": of(_share(harmless, Verdict.FAIL)),
        "harmless_ci": (_share(harmless, Verdict.FAIL) or {}).get("ci"),
        "harmless_needs_human": of(_share(harmless, Verdict.NEEDS_HUMAN)),
        "harmless_not_assessable": of(_share(harmless, Verdict.NOT_ASSESSABLE)),
        "clean_called_break": of(_share(clean, Verdict.FAIL)),
        "clean_needs_human": of(_share(clean, Verdict.NEEDS_HUMAN)),
        "harmless": {
            change: of(_share([each for each in harmless if each.shot.change == change], Verdict.FAIL))
            for change in changes
        },
        "verdicts": {kind: _counts(shots) for kind, shots in by_kind.items()},
    }


def aspects(found: Sequence[Judged]) -> dict[Aspect, dict[str, object] | None]:
    """Ranking and calibration per aspect: shots where it broke against shots where nothing did."""
    return {aspect: figures(_scored(found, aspect)) for aspect in _ASPECTS}


def without_own(found: Sequence[Judged], evaluator: EvaluatorId, aspect: Aspect) -> dict[str, object] | None:
    """The same with every character left out of a fit on the others; None with too few characters or shots."""
    seen = [
        Seen(own.values, each.shot.truth is Truth.OK, each.shot.character, each.shot.character)
        for each in found
        if (own := _about(each, aspect)) is not None and own.values
    ]
    return left_out(evaluator, aspect, seen)


def _about(each: Judged, aspect: Aspect) -> AspectAnswer | None:
    """Return what was said of an aspect, if it could be judged and the shot says whether it broke."""
    own = each.answer.aspects.get(aspect)
    same = each.shot.truth is Truth.OK
    if not same and not (each.shot.truth is Truth.BREAK and each.shot.aspect == aspect.value):
        return None
    return own if own and own.verdict is not Verdict.NOT_ASSESSABLE else None


def _scored(found: Sequence[Judged], aspect: Aspect) -> list[Scored]:
    made = []
    for each in found:
        own = _about(each, aspect)
        if own is not None and own.probability is not None:
            same = each.shot.truth is Truth.OK
            made.append(Scored(same, own.probability, each.shot.character, each.shot.character))
    return made


def _share(shots: Sequence[Judged], verdict: Verdict) -> dict[str, object] | None:
    return share([each.answer.verdict is verdict for each in shots], [each.shot.character for each in shots])


def _counts(shots: Sequence[Judged]) -> dict[str, int]:
    counts = dict.fromkeys((verdict.value for verdict in Verdict), 0)
    for each in shots:
        counts[each.answer.verdict.value] += 1
    return counts
