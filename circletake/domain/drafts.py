"""A draft: the cheapest model that makes a kind, at its smallest useful size. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from circletake.domain.pictures import ControlReport, ControlState, ModelCard


@dataclass(frozen=True, slots=True)
class Draft:
    """How a kind is drafted. `model` None: whichever model the request runs with."""

    model: str | None = None
    controls: Mapping[str, Any] = field(
        default_factory=dict
    )  # sent whatever is asked for: they decide the cost
    input_max_pixels: int | None = None  # of the copies that are sent


NO_DRAFT = Draft()

_NOTE = "this is a draft: what was asked for is for the finish"


def drafted(card: ModelCard, draft: Draft) -> ModelCard:
    """Return the card with its pictures kept to a draft's size: fitting, checks and scaled lengths follow it.

    A limit is only ever lowered, and never below what the model needs.
    """
    most = draft.input_max_pixels
    inputs: Mapping[str, Mapping[str, Any]] = card.limits.get("inputs", {})
    if most is None or not inputs:
        return card
    smaller = {slot: {**limits, "max_pixels": _lower(limits, most)} for slot, limits in inputs.items()}
    return replace(card, limits={**card.limits, "inputs": smaller})


def _lower(limits: Mapping[str, Any], most: int) -> int:
    least = max(limits.get("min_pixels") or 1, (limits.get("min_side") or 1) ** 2)
    return max(least, min(limits.get("max_pixels") or most, most))


def draft_controls(card: ModelCard, draft: Draft, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controls a draft is sent: what was asked for, with the draft's own over it where the model has them."""
    return {**asked, **{name: value for name, value in draft.controls.items() if name in card.controls}}


def drafted_report(
    reports: Sequence[ControlReport], draft: Draft, asked: Mapping[str, Any]
) -> list[ControlReport]:
    """Return the reports, saying where the draft is sent something else than what was asked for."""
    return [
        replace(each, state=ControlState.APPROXIMATED, note=_NOTE)
        if each.control in draft.controls and asked.get(each.control, each.sent) != each.sent
        else each
        for each in reports
    ]
