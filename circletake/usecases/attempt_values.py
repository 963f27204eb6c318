"""An enforcement's attempts as values to decide on: what was said of a take, what it may cost, which region failed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from circletake.domain.consistency.enforcing import Attempt, Outcome
from circletake.domain.consistency.ladders import Step
from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.profiles import COUNTS
from circletake.domain.consistency.regions import feather_of, has_region, region_of
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.words import Aspect, Box, CharacterKind, Reason, Verdict
from circletake.domain.takes import TERMINAL, TakeState
from circletake.records.consistency import EnforcementAttempt
from circletake.records.generations import Take
from circletake.records.media import MediaFile

FIRST = "first"  # the rung of a take as it was asked for
NOT_JUDGED = "not_judged"  # the reason of an attempt that nobody could judge
_GRAVITY = (Verdict.PASS, Verdict.NOT_ASSESSABLE, Verdict.NEEDS_HUMAN, Verdict.FAIL)
_REASONS = frozenset(Reason)


class LookJudged(Protocol):
    """Whose judgement it is."""

    @property
    def character_id(self) -> UUID: ...
    @property
    def look_id(self) -> UUID: ...
    @property
    def kind(self) -> CharacterKind: ...


class SubjectJudged(Protocol):
    """One subject judged in a take (`circletake.usecases.judge_material.Judged`)."""

    @property
    def look(self) -> LookJudged: ...
    @property
    def judgement(self) -> MaterialJudgement: ...
    @property
    def frames(self) -> Sequence[FrameJudgement]: ...


@dataclass(frozen=True, slots=True)
class Said:
    """What all subjects' judgements say of a take together: the gravest verdict, the lowest score of each aspect."""

    verdict: Verdict
    scores: Mapping[str, Any]
    reasons: Sequence[str]


def said_of(judged: Sequence[SubjectJudged]) -> Said:
    """Return what is kept on the attempt, of one subject or more."""
    aspects: dict[str, float] = {}
    broken: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for each in judged:
        for aspect in COUNTS[each.look.kind]:
            if aspect in each.judgement.scores:
                p = round(each.judgement.scores[aspect], 7)
                aspects[aspect.value] = min(p, aspects.get(aspect.value, 1.0))
        broken |= dict.fromkeys(aspect.value for aspect in each.judgement.broken)
        reasons |= dict.fromkeys(reason.value for reason in each.judgement.reasons)
    return Said(
        max((each.judgement.verdict for each in judged), key=_GRAVITY.index),
        {"aspects": aspects, "broken": list(broken), "subjects": [_subject(each) for each in judged]},
        list(reasons),
    )


def _subject(judged: SubjectJudged) -> dict[str, Any]:
    judgement = judged.judgement
    worst = next((each for each in judged.frames if each.frame == judgement.worst_frame), None)
    box = worst.box if worst is not None else None
    return {
        "character_id": str(judged.look.character_id),
        "look_id": str(judged.look.look_id),
        "verdict": judgement.verdict.value,
        "score": None if judgement.score is None else round(judgement.score, 7),
        "scores": {aspect.value: round(p, 7) for aspect, p in judgement.scores.items()},
        "reasons": [reason.value for reason in judgement.reasons],
        "broken": [aspect.value for aspect in judgement.broken],
        "box": None if box is None else [box.left, box.top, box.width, box.height],
    }


def as_attempt(record: EnforcementAttempt, take: Take, steps: Mapping[tuple[str, str], Step]) -> Attempt:
    """Return the attempt as the domain decides on it. `steps`: of the ladder, by rung and model."""
    return Attempt(
        take=str(take.id),
        step=steps.get((record.rung, record.changed.get("model", ""))),
        outcome=outcome_of(record, take),
        at_most=at_most(take),
        verdict=Verdict(record.verdict) if record.verdict else None,
        reasons=tuple(Reason(each) for each in record.reasons if each in _REASONS),
        scores={Aspect(name): p for name, p in record.scores.get("aspects", {}).items()},
        broken=tuple(Aspect(name) for name in record.scores.get("broken", [])),
    )


def outcome_of(record: EnforcementAttempt, take: Take) -> Outcome:
    match take.state:
        case TakeState.SUCCEEDED:
            return Outcome.IN_FLIGHT if record.judged_at is None else Outcome.JUDGED
        case TakeState.FAILED | TakeState.EXPIRED:
            return Outcome.FAILED
        case TakeState.FILTERED:
            return Outcome.FILTERED
        case TakeState.CANCELED:
            return Outcome.CANCELED
        case _:
            return Outcome.IN_FLIGHT


def at_most(take: Take) -> Decimal:
    """Return what the take may cost at most: an open one its quote, and each call that it repeats beside; a bill that
    nobody knows counts whole."""
    if take.state not in TERMINAL:
        return max(take.estimate_usd, take.reserved_usd)
    return (take.cost_usd or Decimal(0)) + take.unknown_usd


def charged(takes: Iterable[Take]) -> Decimal:
    """Return what is owed for certain."""
    return sum((take.cost_usd or Decimal(0) for take in takes), Decimal(0))


def region_to_repaint(record: EnforcementAttempt, file: MediaFile | None) -> dict[str, Any] | None:
    """Return what failed in this attempt's picture as boxes, or None where it has no place or nobody saw where."""
    if file is None or not file.media_type.startswith("image/") or not file.width or not file.height:
        return None
    boxes: list[Box] = []
    aspects: dict[str, None] = {}
    for subject in record.scores.get("subjects", []):
        broken = [Aspect(name) for name in subject["broken"] if has_region(Aspect(name))]
        if subject["box"] is None or not broken:
            continue
        found = region_of(broken, Box(*subject["box"]), file.width, file.height)
        boxes += found
        aspects |= dict.fromkeys(aspect.value for aspect in broken if found)
    if not boxes:
        return None
    return {
        "width": file.width,
        "height": file.height,
        "aspects": list(aspects),
        "boxes": [[box.left, box.top, box.width, box.height] for box in boxes],
        "feather": feather_of(boxes),
    }
