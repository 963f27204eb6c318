"""The life of a take and of a generation. Terminal is final: a retry makes a new take."""

from collections.abc import Iterable
from enum import StrEnum


class TakeState(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FILTERED = "filtered"
    CANCELED = "canceled"
    EXPIRED = "expired"


TERMINAL = frozenset(
    {TakeState.SUCCEEDED, TakeState.FAILED, TakeState.FILTERED, TakeState.CANCELED, TakeState.EXPIRED}
)

# What a person may ask to be made again, as a new take.
RETRIABLE = frozenset({TakeState.FAILED, TakeState.FILTERED, TakeState.CANCELED, TakeState.EXPIRED})

_NEXT: dict[TakeState, frozenset[TakeState]] = {
    TakeState.HELD: frozenset({TakeState.QUEUED, TakeState.CANCELED, TakeState.EXPIRED}),
    TakeState.QUEUED: frozenset(
        {TakeState.RUNNING, TakeState.HELD, TakeState.CANCELED, TakeState.EXPIRED, TakeState.FAILED}
    ),
    # back to queued: the step was handed back before anything was paid
    TakeState.RUNNING: frozenset(
        {
            TakeState.QUEUED,
            TakeState.HELD,
            TakeState.SUCCEEDED,
            TakeState.FAILED,
            TakeState.FILTERED,
            TakeState.CANCELED,
        }
    ),
}


def may_become(state: TakeState, target: TakeState) -> bool:
    return target in _NEXT.get(state, frozenset())


class GenerationState(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # at least one take succeeded and none is still open
    FAILED = "failed"
    FILTERED = "filtered"
    CANCELED = "canceled"
    EXPIRED = "expired"


def generation_state(takes: Iterable[TakeState]) -> GenerationState:
    """Derive a generation's state from its takes.

    Open takes win (running over queued over held). When all are terminal, one success makes the generation
    succeeded; otherwise the most telling of what happened: failed, filtered, expired, canceled.
    """
    states = set(takes)
    if TakeState.RUNNING in states or (TakeState.QUEUED in states and states & TERMINAL):
        return GenerationState.RUNNING
    for candidate in (
        TakeState.QUEUED,
        TakeState.HELD,
        TakeState.SUCCEEDED,
        TakeState.FAILED,
        TakeState.FILTERED,
        TakeState.EXPIRED,
    ):
        if candidate in states:
            return GenerationState(candidate.value)
    return GenerationState.CANCELED
