"""What becomes of each control. `build` sends what these reports say, so that the two can't disagree."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from circletake.dialects.checks import plate_scale
from circletake.dialects.contract import RequestShape
from circletake.dialects.members import takes_negative
from circletake.domain.controls import EXTEND_SIDES
from circletake.domain.fitting import scale_pixels
from circletake.domain.pictures import ControlReport, ControlState, ModelCard

DEFAULT_NOTE = "not asked for; the catalogue's default"


def report_controls(
    request: RequestShape, card: ModelCard, *, not_here: Mapping[str, str] | None = None
) -> list[ControlReport]:
    """Return a report per requested control, then per default that is sent.

    `not_here`: controls the model has, but not in this mode of use, with the reason.
    """
    excluded = not_here or {}
    reports = [*_texts_and_seed(request, card)]
    for name, value in request.controls.items():
        if name in card.controls and name not in excluded:
            reports.append(_report(name, value, request, card))
        else:
            note = excluded.get(name, "the model has no such control") if name in card.controls else ""
            reports.append(
                ControlReport(name, ControlState.UNSUPPORTED, note=note or "the model has no such control")
            )
    limits = card.limits.get("controls", {})
    for name in card.controls:
        if name in request.controls or name in excluded or "default" not in limits.get(name, {}):
            continue
        reports.append(ControlReport(name, ControlState.APPLIED, limits[name]["default"], DEFAULT_NOTE))
    return reports


def sent(reports: Iterable[ControlReport]) -> dict[str, Any]:
    """Return the values really sent, by control."""
    return {each.control: each.sent for each in reports if each.state is not ControlState.UNSUPPORTED}


def _texts_and_seed(request: RequestShape, card: ModelCard) -> Iterable[ControlReport]:
    if request.negative_prompt is not None:
        if takes_negative(card):
            # the text itself is content: it is never repeated
            yield ControlReport("negative_prompt", ControlState.APPLIED, sent=True)
        else:
            note = "the model takes no negative prompt"
            yield ControlReport("negative_prompt", ControlState.UNSUPPORTED, note=note)
    if request.seed is not None:
        if card.seed == "honoured":
            yield ControlReport("seed", ControlState.APPLIED, request.seed)
        else:
            note = "the model takes no seed: takes can't be repeated"
            yield ControlReport("seed", ControlState.UNSUPPORTED, note=note)


def _report(name: str, value: Any, request: RequestShape, card: ModelCard) -> ControlReport:
    scale = plate_scale(request, card)
    if name == "extend":
        extents = {side: scale_pixels(value.get(side, 0), scale) for side in EXTEND_SIDES}
        exact = scale == 1 or all(extents[side] == value.get(side, 0) for side in EXTEND_SIDES)
        return _scaled(name, extents, scale, exact=exact)
    if name == "grow_mask":
        grown = scale_pixels(value, scale)
        return _scaled(name, grown, scale, exact=grown == value)
    limit = card.limits.get("controls", {}).get(name, {})
    if "values" in limit and value not in limit["values"] and limit.get("nearest"):
        offered = nearest_ratio(value, limit["values"])
        return ControlReport(
            name, ControlState.APPROXIMATED, offered, "the nearest ratio that the model offers"
        )
    return ControlReport(name, ControlState.APPLIED, value)


def _scaled(name: str, value: Any, scale: float, *, exact: bool) -> ControlReport:
    if exact:
        return ControlReport(name, ControlState.APPLIED, value)
    note = f"in pixels of the plate's copy, which has {scale:.4f} of its size; the take has the plate's size"
    return ControlReport(name, ControlState.APPROXIMATED, value, note)


def nearest_ratio(wanted: str, offered: Iterable[str]) -> str:
    """Return the offered ratio at the smallest factor from the wanted one; of two at the same factor the wider."""

    def ratio(text: str) -> Fraction:
        width, height = text.split(":")
        return Fraction(int(width), int(height))

    target = ratio(wanted)

    def distance(text: str) -> tuple[Fraction, Fraction]:
        own = ratio(text)
        return max(own / target, target / own), -own

    return min(offered, key=distance)
