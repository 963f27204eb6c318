"""The rungs of an enforcement, and which of them the allowed models really serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard


class Rung(StrEnum):
    NEW_SEED = "new_seed"
    IMAGE_TO_IMAGE = "image_to_image"  # from an approved take
    KEYFRAME = "keyframe"  # an approved frame as a video's first
    INPAINT_REGION = "inpaint_region"  # repaint only what failed
    OTHER_MODEL = "other_model"


DEFAULT_STRATEGY = tuple(Rung)


@dataclass(frozen=True, slots=True)
class Step:
    """A rung on one model, for the kind it is asked as; `cost` is the most one take of it may cost."""

    rung: Rung
    model: str
    kind: Kind
    cost: Decimal

    @property
    def key(self) -> tuple[Rung, str]:
        return self.rung, self.model

    def as_json(self) -> dict[str, Any]:
        return {
            "rung": self.rung.value,
            "model": self.model,
            "kind": self.kind.value,
            "cost": str(self.cost),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Step":
        return cls(Rung(stored["rung"]), stored["model"], Kind(stored["kind"]), Decimal(stored["cost"]))


@dataclass(frozen=True, slots=True)
class Unserved:
    """A rung that was asked for and that nobody serves here; `why` is for people."""

    rung: Rung
    why: str

    def as_json(self) -> dict[str, Any]:
        return {"rung": self.rung.value, "state": "unsupported", "why": self.why}


@dataclass(frozen=True, slots=True)
class Ladder:
    steps: tuple[Step, ...]
    unsupported: tuple[Unserved, ...]


def ladder(
    kind: Kind,
    model: ModelCard,
    allowed: Sequence[ModelCard],
    costs: Mapping[tuple[str, Kind], Decimal],
    *,
    has_approved: bool,
    strategy: Sequence[Rung] = DEFAULT_STRATEGY,
) -> Ladder:
    """Return the served steps in the strategy's order and the rungs nobody serves, with the reason.

    `model` made the take, `allowed` are those that may be asked instead or besides (lifecycle and production locks
    already applied). `costs` is the quote per take and (model, kind); a model without one is never asked.
    `has_approved`: there is an approved take or reference to start from.
    """
    steps: list[Step] = []
    unsupported: list[Unserved] = []
    for rung in dict.fromkeys(strategy):
        found, why = _serving(rung, kind, model, allowed, has_approved=has_approved)
        priced = [
            Step(rung, card.id, as_kind, cost)
            for card, as_kind in found
            if (cost := costs.get((card.id, as_kind))) is not None
        ]
        if priced:
            steps += sorted(priced, key=lambda step: (step.model != model.id, step.cost))
        else:
            unsupported.append(Unserved(rung, why or "No model that serves it has a price here."))
    return Ladder(tuple(steps), tuple(unsupported))


def _serving(
    rung: Rung, kind: Kind, model: ModelCard, allowed: Sequence[ModelCard], *, has_approved: bool
) -> tuple[list[tuple[ModelCard, Kind]], str]:
    """Return (model, kind) pairs that serve the rung, or why there are none."""
    everyone = [model, *(card for card in allowed if card.id != model.id)]
    match rung:
        case Rung.NEW_SEED:
            return [(model, kind)], ""
        case Rung.OTHER_MODEL:
            others = [(card, kind) for card in everyone[1:] if kind in card.kinds]
            return others, "No other allowed model serves this kind."
        case Rung.INPAINT_REGION:
            return _painters(kind, everyone)
        case Rung.IMAGE_TO_IMAGE:
            found, why = _starting_from(InputSlot.REFERENCE, kind, model)
        case Rung.KEYFRAME:
            found, why = _starting_from(InputSlot.FIRST_FRAME, kind, model)
    if found and not has_approved:
        return [], "There is no approved take or reference to start from."
    return found, why


def _painters(kind: Kind, everyone: Sequence[ModelCard]) -> tuple[list[tuple[ModelCard, Kind]], str]:
    if RULES[kind].video:
        return [], "A region of a moving picture can't be repainted."
    found = [card for card in everyone if Kind.ELEMENT in card.kinds and takes(card, InputSlot.MATTE)]
    return [(card, Kind.ELEMENT) for card in found], "No allowed model repaints a region."


def _starting_from(slot: InputSlot, kind: Kind, model: ModelCard) -> tuple[list[tuple[ModelCard, Kind]], str]:
    if slot in RULES[kind].optional | RULES[kind].required and takes(model, slot):
        return [(model, kind)], ""
    return [], f"{model.name} takes no {slot.value.replace('_', ' ')} for {kind.value}."


def takes(card: ModelCard, slot: InputSlot) -> bool:
    """Say whether the model takes a picture in this slot."""
    return slot.value in card.limits.get("inputs", {})
