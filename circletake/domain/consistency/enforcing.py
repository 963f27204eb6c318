"""What an enforcement does next: which rung of the ladder, or that it stops. Decisions only; nothing runs here.

A rung is a way to make the take again. Only rungs that a model really serves are climbed. Nothing is started that
could lift the cost above the cap, counting what is in flight and what may still be billed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from circletake.domain.consistency.calibration import logit
from circletake.domain.consistency.ladders import Rung, Step
from circletake.domain.consistency.words import MISMATCH, Aspect, Reason, Verdict

NOTHING = Decimal(0)
_BETTER = 1.0  # log-odds by which a failing aspect must rise to count as improvement
_CLAMP = 1e-6


class OnExhausted(StrEnum):
    KEEP_BEST_FOR_REVIEW = "keep_best_for_review"
    FAIL = "fail"


class OnNeedsHuman(StrEnum):
    REVIEW = "review"
    RETRY = "retry"


class Outcome(StrEnum):
    """What became of an attempt."""

    IN_FLIGHT = "in_flight"  # made or judged just now; nobody knows yet
    JUDGED = "judged"
    FAILED = "failed"  # no take came of it
    FILTERED = "filtered"  # a safety filter refused it
    CANCELED = "canceled"


class StopReason(StrEnum):
    PASSED = "passed"
    NEEDS_HUMAN = "needs_human"
    ATTEMPTS_USED_UP = "attempts_used_up"
    COST_CAP = "cost_cap"
    DEADLINE = "deadline"
    NO_RUNG_CAN_HELP = "no_rung_can_help"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One take of an enforcement. `at_most` is what it may cost: the charge once that is certain, the quote while it
    is in flight or nobody knows whether it was billed. `step` is None for the take as it was first asked for."""

    take: str
    step: Step | None
    outcome: Outcome
    at_most: Decimal
    verdict: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    scores: Mapping[Aspect, float] = field(default_factory=dict)  # counted aspects only
    broken: tuple[Aspect, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    max_attempts: int
    max_cost: Decimal | None = None
    deadline: datetime | None = None
    on_needs_human: OnNeedsHuman = OnNeedsHuman.REVIEW
    parallel: int = 1  # takes in flight at once

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or self.parallel < 1:
            raise ValueError("an enforcement makes at least one attempt")
        if self.max_cost is not None and self.max_cost < 0:
            raise ValueError("a cap is 0 or more")


@dataclass(frozen=True, slots=True)
class Move:
    """Make the take again by this step. `region`: the aspects whose region is to be repainted (inpaint only)."""

    step: Step
    region: tuple[Aspect, ...] = ()
    because: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Something in flight may pass; nothing is started before it is known."""

    in_flight: int


@dataclass(frozen=True, slots=True)
class Stop:
    why: StopReason
    best: str | None  # the take to show, None when no take came of any attempt
    detail: str = ""  # for people

    @property
    def passed(self) -> bool:
        return self.why is StopReason.PASSED

    def as_json(self) -> dict[str, Any]:
        return {"why": self.why.value, "best": self.best, "detail": self.detail}


# Which rung can cure what, the most promising first. A rung that isn't named can't.
_I2I, _KEY, _INPAINT, _SEED, _OTHER = (
    Rung.IMAGE_TO_IMAGE,
    Rung.KEYFRAME,
    Rung.INPAINT_REGION,
    Rung.NEW_SEED,
    Rung.OTHER_MODEL,
)
CURES: Mapping[Reason, tuple[Rung, ...]] = {
    Reason.IDENTITY_BELOW_THRESHOLD: (_I2I, _KEY, _INPAINT, _SEED, _OTHER),
    Reason.HAIR_MISMATCH: (_INPAINT, _I2I, _KEY, _SEED, _OTHER),
    Reason.WARDROBE_MISMATCH: (_INPAINT, _I2I, _KEY, _SEED, _OTHER),
    Reason.PALETTE_MISMATCH: (_I2I, _KEY, _SEED, _OTHER),
    Reason.STYLE_MISMATCH: (_I2I, _KEY, _SEED, _OTHER),
    Reason.LIKENESS_BELOW_THRESHOLD: (_I2I, _KEY, _INPAINT, _SEED, _OTHER),
    Reason.SWAPPED_CHARACTERS: (_SEED, _I2I, _KEY, _OTHER),
    Reason.WRONG_CHARACTER_COUNT: (_SEED, _I2I, _KEY, _OTHER),
    Reason.COPY_PASTE_SUSPECTED: (_SEED, _OTHER),
    Reason.NEAR_THRESHOLD: (_SEED, _I2I, _KEY, _INPAINT, _OTHER),
    Reason.SLOW_DRIFT: (_KEY, _I2I, _SEED, _OTHER),
    # a picture made anew may show what this one hid
    Reason.BLURRED: (_SEED, _I2I, _OTHER),
    Reason.NO_DETECTION: (_SEED, _I2I, _KEY, _OTHER),
    Reason.OCCLUDED: (_SEED, _I2I),
    Reason.TURNED_AWAY: (_SEED, _I2I),
    # the framing is the shot's; no new picture of it has larger faces
    Reason.FACE_TOO_SMALL: (),
}
_WITHOUT_A_TAKE: Mapping[Outcome, tuple[Rung, ...]] = {
    Outcome.FAILED: (_SEED, _OTHER),
    Outcome.FILTERED: (_OTHER, _SEED),
    Outcome.CANCELED: (_SEED, _OTHER),
}
# How often a step may bring no improvement before it is given up.
_PATIENCE: Mapping[Rung, int] = {Rung.NEW_SEED: 2}


def spent(attempts: Sequence[Attempt]) -> Decimal:
    """Return the most that these attempts may cost: what is charged, in flight, or billed by nobody knows."""
    return sum((attempt.at_most for attempt in attempts), NOTHING)


def next_move(
    attempts: Sequence[Attempt],
    steps: Sequence[Step],
    limits: Limits,
    now: datetime,
    *,
    in_order: bool = False,
) -> Move | Wait | Stop:
    """Return what to do next. `attempts` in the order they were started; `steps` are those really served.

    `in_order`: climb the steps as they stand (a strategy somebody wrote) rather than by what promises most for the
    reasons found. A take in flight is waited for, also past the deadline: it is paid for.
    """
    best = best_of(attempts)
    name = best.take if best else None
    if best is not None and best.verdict is Verdict.PASS:
        return Stop(StopReason.PASSED, name)
    flying = sum(attempt.outcome is Outcome.IN_FLIGHT for attempt in attempts)
    if flying and flying >= limits.parallel:
        return Wait(flying)
    stopped = _limit_reached(attempts, limits, now)
    if stopped is not None:
        return Wait(flying) if flying else Stop(stopped, name)
    chosen = _choose(attempts, steps, in_order=in_order)
    if not chosen:
        return Wait(flying) if flying else Stop(StopReason.NO_RUNG_CAN_HELP, name, _why_none(attempts))
    for move in chosen:
        if limits.max_cost is None or spent(attempts) + move.step.cost <= limits.max_cost:
            return move
    return Wait(flying) if flying else Stop(StopReason.COST_CAP, name)


def best_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the take to show: a pass, else what a person may still accept, else what couldn't be judged, else the
    failed one that is nearest; of equals the cheaper, then the earlier. None when no take came of any attempt."""
    order = (Verdict.PASS, Verdict.NEEDS_HUMAN, Verdict.NOT_ASSESSABLE, Verdict.FAIL)
    judged = [
        (order.index(attempt.verdict), -_worst(attempt), attempt.at_most, place)
        for place, attempt in enumerate(attempts)
        if attempt.outcome is Outcome.JUDGED and attempt.verdict is not None
    ]
    return attempts[min(judged)[3]] if judged else None


def _limit_reached(attempts: Sequence[Attempt], limits: Limits, now: datetime) -> StopReason | None:
    review = limits.on_needs_human is OnNeedsHuman.REVIEW
    if review and any(attempt.verdict is Verdict.NEEDS_HUMAN for attempt in attempts):
        return StopReason.NEEDS_HUMAN
    if len(attempts) >= limits.max_attempts:
        return StopReason.ATTEMPTS_USED_UP
    if limits.deadline is not None and now >= limits.deadline:
        return StopReason.DEADLINE
    return None


def _choose(attempts: Sequence[Attempt], steps: Sequence[Step], *, in_order: bool) -> list[Move]:
    """Return the moves that may still help, the best first."""
    known = [attempt for attempt in attempts if attempt.outcome is not Outcome.IN_FLIGHT]
    if not known:
        first = [step for step in steps if step.rung is Rung.NEW_SEED]
        return [Move(step) for step in first]
    last = best_of(known) or known[-1]
    rungs = _helpful(last)
    open_steps = [step for step in steps if step.rung in rungs and not _given_up(step, attempts)]
    if not in_order:
        open_steps.sort(key=lambda step: rungs.index(step.rung))
    region = last.broken
    return [
        Move(step, region if step.rung is Rung.INPAINT_REGION else (), last.reasons)
        for step in open_steps
        if step.rung is not Rung.INPAINT_REGION or region
    ]


def _helpful(attempt: Attempt) -> tuple[Rung, ...]:
    """Return the rungs that can cure everything that is wrong; when none cures all, those that cure the first."""
    if attempt.outcome is not Outcome.JUDGED:
        return _WITHOUT_A_TAKE.get(attempt.outcome, ())
    wrong = [reason for reason in attempt.reasons if reason in MISMATCH.values()] or list(attempt.reasons)
    lists = [CURES.get(reason, ()) for reason in wrong]
    if not lists:
        return CURES[Reason.NEAR_THRESHOLD]
    for_all = tuple(rung for rung in lists[0] if all(rung in other for other in lists[1:]))
    return for_all or lists[0]


def _given_up(step: Step, attempts: Sequence[Attempt]) -> bool:
    """Say whether this step was tried often enough without bringing anything better than what was there before."""
    idle = 0
    for place, attempt in enumerate(attempts):
        if attempt.step is None or attempt.step.key != step.key:
            continue
        idle = 0 if _improved(attempt, attempts[:place]) else idle + 1
    others = any(
        each.step is not None and each.step.key != step.key and not _improved(each, attempts[:place])
        for place, each in enumerate(attempts)
    )
    # where a rung made for the cause brought nothing, one draw more says as much as two
    return idle >= (1 if others else _PATIENCE.get(step.rung, 1))


def _improved(attempt: Attempt, before: Sequence[Attempt]) -> bool:
    best = best_of(before)
    if attempt.outcome is not Outcome.JUDGED or attempt.verdict is None:
        return False
    if best is None:
        return True
    if len(attempt.broken) < len(best.broken) and attempt.verdict is not Verdict.NOT_ASSESSABLE:
        return True
    if not attempt.scores or not best.scores:
        return bool(attempt.scores)
    return _worst(attempt) >= _worst(best) + _BETTER


def _worst(attempt: Attempt) -> float:
    ps = [min(max(p, _CLAMP), 1 - _CLAMP) for p in attempt.scores.values()]
    return logit(min(ps)) if ps else logit(_CLAMP)


def _why_none(attempts: Sequence[Attempt]) -> str:
    if any(Reason.FACE_TOO_SMALL in attempt.reasons for attempt in attempts):
        return "The framing leaves the face too small; another picture of it won't show more."
    best = best_of(attempts)
    if best is not None and best.broken:
        return f"Every served rung left the {best.broken[0].value} as it was."
    return "No served rung changes what was found."
