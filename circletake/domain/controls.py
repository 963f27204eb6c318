"""The controls the API knows: names, types, ranges and help. What one model takes of them is on its card."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from circletake.domain.pictures import ControlReport, ControlState, Violation

SEED_MIN = 1  # 0 asks several models for a random seed, so it can't name a take
SEED_MAX = 4_294_967_294  # the largest seed Stability's pages allow

_LONGEST = 65_536  # plate pixels: longer than any plate, and far from where arithmetic breaks

EXTEND_SIDES = ("left", "right", "up", "down")

ControlType = Literal["choice", "number", "integer", "boolean", "extents"]


@dataclass(frozen=True, slots=True)
class Control:
    """One control. `minimum` and `maximum` are inclusive; a card may be narrower."""

    name: str
    type: ControlType
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None


_ALL = (
    Control(
        "aspect_ratio",
        "choice",
        "Width to height of the result. A model that lacks the ratio gets the nearest one it has, reported as "
        "approximated.",
        choices=("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21"),
    ),
    Control(
        "strength",
        "number",
        "How far the result may leave the reference: 0 keeps it, 1 ignores it.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "style_preset",
        "choice",
        "A look the model was tuned for.",
        choices=(
            "3d-model",
            "analog-film",
            "anime",
            "cinematic",
            "comic-book",
            "digital-art",
            "enhance",
            "fantasy-art",
            "isometric",
            "line-art",
            "low-poly",
            "modeling-compound",
            "neon-punk",
            "origami",
            "photographic",
            "pixel-art",
            "tile-texture",
        ),
    ),
    Control(
        "output_format",
        "choice",
        "Encoding of the model's own picture. png loses nothing; the delivered take follows the plate.",
        choices=("png", "jpeg", "webp"),
    ),
    Control(
        "extend",
        "extents",
        "How far to extend the plate to the left, right, up and down, in plate pixels; at least one above 0.",
        minimum=0,
        maximum=_LONGEST,
        unit="plate pixels",
    ),
    Control(
        "creativity",
        "number",
        "How freely the model invents, a new area or the detail of an upscale: low continues what is there, high "
        "departs from it.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "control_strength",
        "number",
        "How closely the result keeps to the sketch or the structure: 1 follows it to the line.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "fidelity",
        "number",
        "How closely the result keeps to the style picture: 1 is nearest to it.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "composition_fidelity",
        "number",
        "How far the source's composition is kept while its style changes: 1 keeps it.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "style_strength",
        "number",
        "How much of the style picture's style is taken: 0 none, 1 all of it.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "change_strength",
        "number",
        "How far the source may change: low keeps it, 1 lets it go.",
        minimum=0,
        maximum=1,
    ),
    Control(
        "grow_mask",
        "integer",
        "How far the matte, or what the model found by search_prompt, is grown before it is changed, in plate "
        "pixels. The take itself never changes outside what is laid back.",
        minimum=0,
        maximum=_LONGEST,
        unit="plate pixels",
    ),
    Control(
        "duration_seconds",
        "integer",
        "Length of the clip; it decides the price.",
        minimum=1,
        maximum=3600,
        unit="seconds",
    ),
    Control(
        "resolution",
        "choice",
        "Lines of the clip. It decides the price per second.",
        choices=("540p", "720p"),
    ),
    Control("loop", "boolean", "Make the end of the clip meet its beginning."),
)

CONTROLS: Mapping[str, Control] = MappingProxyType({control.name: control for control in _ALL})


def take_seed(base: int, number: int) -> int:
    """Return the seed of take `number` (1…) of a request with seed `base`: base + number − 1, wrapping to 1."""
    if not SEED_MIN <= base <= SEED_MAX:
        raise ValueError(f"a seed is between {SEED_MIN} and {SEED_MAX}")
    if number < 1:
        raise ValueError("takes are counted from 1")
    return (base - SEED_MIN + number - 1) % (SEED_MAX - SEED_MIN + 1) + SEED_MIN


def pointer(*steps: str) -> str:
    """Return the RFC 6901 pointer to a place in a request body."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def check_controls(controls: Mapping[str, Any]) -> list[Violation]:
    """Return what is wrong with the controls whichever model runs them: unknown names, types and ranges."""
    found: list[Violation] = []
    for name, value in controls.items():
        control = CONTROLS.get(name)
        if control is None:
            known = ", ".join(CONTROLS)
            found.append(
                Violation(
                    pointer("controls", name),
                    "unknown_control",
                    f"There is no such control; there are: {known}.",
                )
            )
            continue
        found += check_value(control, value)
    return found


def check_value(control: Control, value: Any) -> list[Violation]:
    """Return what is wrong with one value, in the API's own ranges."""
    place = pointer("controls", control.name)
    match control.type:
        case "choice":
            if value not in control.choices or not isinstance(value, str):
                return [Violation(place, "not_a_choice", f"Use one of: {', '.join(control.choices)}.")]
        case "boolean":
            if not isinstance(value, bool):
                return [Violation(place, "wrong_type", "Use true or false.")]
        case "number" | "integer":
            return check_number(
                place, value, control.minimum, control.maximum, whole=control.type == "integer"
            )
        case "extents":
            return _check_extents(place, value)
    return []


def check_number(
    place: str, value: Any, minimum: float | None, maximum: float | None, *, whole: bool
) -> list[Violation]:
    """Return what is wrong with a number: its type, or that it lies outside the inclusive range."""
    right_type = isinstance(value, int) if whole else isinstance(value, int | float)
    endless = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not right_type or endless:
        return [Violation(place, "wrong_type", f"Use a {'whole ' if whole else ''}number.")]
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        return [Violation(place, "out_of_range", _range_message(minimum, maximum))]
    return []


def _range_message(minimum: float | None, maximum: float | None) -> str:
    if minimum is None or maximum is None:
        return f"Use at least {minimum:g}." if minimum is not None else f"Use at most {maximum:g}."
    return f"Use a value from {minimum:g} to {maximum:g}."


def _check_extents(place: str, value: Any) -> list[Violation]:
    if not isinstance(value, Mapping):
        return [Violation(place, "wrong_type", f"Use an object with any of: {', '.join(EXTEND_SIDES)}.")]
    found: list[Violation] = []
    for side, pixels in value.items():
        here = place + pointer(str(side))
        if side not in EXTEND_SIDES:
            found.append(Violation(here, "unknown_side", f"The sides are: {', '.join(EXTEND_SIDES)}."))
        else:
            found += check_number(here, pixels, 0, _LONGEST, whole=True)
    if not found and not any(value.values()):
        found.append(Violation(place, "out_of_range", "At least one side must be above 0."))
    return found


def strict_violations(reports: Iterable[ControlReport]) -> list[Violation]:
    """Return why a `strict` request is refused: every control that would not be applied exactly as asked."""
    found: list[Violation] = []
    for report in reports:
        if report.state is ControlState.APPLIED:
            continue
        on_top = report.control in {"seed", "negative_prompt"}
        place = pointer(report.control) if on_top else pointer("controls", report.control)
        if report.state is ControlState.UNSUPPORTED:
            message = "This model doesn't take it. Leave it out, choose another model or drop strict."
        else:
            message = (
                f"This model would be sent {report.sent}. Ask for that, choose another model or drop strict."
            )
        found.append(Violation(place, f"control_{report.state.value}", message))
    return found


def json_schema(control: Control) -> dict[str, Any]:
    """Return the JSON Schema of one control, for the API's description and the console."""
    schema: dict[str, Any] = {"title": control.name, "description": control.help}
    if control.type == "choice":
        return {**schema, "type": "string", "enum": list(control.choices)}
    if control.type == "extents":
        side = {"type": "integer", "minimum": 0, "maximum": _LONGEST}
        sides = dict.fromkeys(EXTEND_SIDES, side)
        return {**schema, "type": "object", "properties": sides, "additionalProperties": False}
    schema["type"] = control.type
    if control.minimum is not None:
        schema["minimum"] = control.minimum
    if control.maximum is not None:
        schema["maximum"] = control.maximum
    return schema
