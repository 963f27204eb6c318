"""A production's choice of a model for one kind: who else may be asked for, and who may stand in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Any
from uuid import UUID

from circletake.domain.kinds import Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import FaultKind, ModelFault, Violation

# what a production chooses a model for
Purpose = Kind | LanguageTask
PURPOSES: Mapping[str, Purpose] = {each.value: each for each in (*Kind, *LanguageTask)}


class Because(StrEnum):
    """Why another model is asked instead."""

    THROTTLE = "throttle"  # it answered again and again that it has too much to do
    OUTAGE = "outage"  # it failed again and again, or isn't there (any more)
    FILTER = "filter"  # its safety filter refused


# a filter's refusal says something of the request: another model is asked only where the production says so
DEFAULT_FALLBACK_ON = (Because.THROTTLE, Because.OUTAGE)


@dataclass(frozen=True, slots=True)
class Fallback:
    """The models that may stand in, in their order, and for what."""

    order: tuple[str, ...] = ()
    on: frozenset[Because] = frozenset(DEFAULT_FALLBACK_ON)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a production chose for one kind. `cards`: of every model that it names, as they were then."""

    id: UUID
    purpose: Purpose
    model: str
    locked: bool
    allowed: tuple[str, ...] = ()
    fallback: Fallback = field(default_factory=Fallback)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def may_be_named(self) -> tuple[str, ...]:
        """The models that a request may ask for while the choice is locked."""
        return (self.model, *self.allowed)

    @property
    def named(self) -> tuple[str, ...]:
        """Every model that the production named for this kind, each once."""
        return tuple(dict.fromkeys((*self.may_be_named, *self.fallback.order)))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a model may answer that it is busy before another one is asked: so many answers in a row, or so long
    since the first of them."""

    answers: int = 3
    seconds: float = 60.0


PATIENCE = Patience()


def out_of_patience(
    calls: Sequence[tuple[str | None, datetime | None]], patience: Patience, now: datetime
) -> bool:
    """Say whether the newest of a take's calls found its model busy once too often. `calls`: outcome and beginning, the
    newest first; its own outcome isn't looked at."""
    if not calls:
        return False
    busy = [calls[0], *takewhile(lambda call: call[0] == "throttled", calls[1:])]
    since = busy[-1][1]
    waited = since is not None and now - since >= timedelta(seconds=patience.seconds)
    return len(busy) >= patience.answers or waited


def stand_ins(choice: Choice | None, because: Because, tried: Collection[str]) -> Sequence[str]:
    """Return the models that may be asked instead, the first one first: of the production's list alone, and none that
    was asked for this take before. Whether one of them can take the request is the caller's to find out."""
    if choice is None or because not in choice.fallback.on:
        return ()
    return tuple(model for model in dict.fromkeys(choice.fallback.order) if model not in tried)


_CAUSES: Mapping[FaultKind, Because] = {
    "throttled": Because.THROTTLE,
    "quota": Because.THROTTLE,
    "unavailable": Because.OUTAGE,
    "not_ready": Because.OUTAGE,
    "connection": Because.OUTAGE,
    "timeout": Because.OUTAGE,
    "model_error": Because.OUTAGE,
    "access_denied": Because.OUTAGE,
    "not_found": Because.OUTAGE,
    "ended": Because.OUTAGE,
    "filtered": Because.FILTER,
}


def cause_of(fault: ModelFault) -> Because | None:
    """Return what a fault that ended a take means for a fallback; None: it says something of the request, not of the
    model."""
    return _CAUSES.get(fault.kind)


def locked_violation(choice: Choice) -> Violation:
    """A request named a model that the production didn't choose."""
    others = f" (or one of {', '.join(choice.allowed)})" if choice.allowed else ""
    return Violation(
        "/model",
        "model_locked",
        f"The production locked {choice.purpose.value} to {choice.model}{others}: leave `model` out, or have a"
        " production_manager or approver change the choice.",
    )
