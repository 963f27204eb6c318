"""What every dialect checks: the kind's own rules, then a card's limits on texts, seed, controls and inputs."""

from collections.abc import Mapping
from typing import Any

from circletake.dialects.contract import RequestShape
from circletake.domain.controls import (
    CONTROLS,
    EXTEND_SIDES,
    SEED_MAX,
    SEED_MIN,
    check_controls,
    check_number,
    pointer,
)
from circletake.domain.fitting import fit_problem, fit_within, scale_pixels
from circletake.domain.kinds import RULES, InputSlot
from circletake.domain.pictures import InputShape, ModelCard, Violation


def check_request(request: RequestShape, card: ModelCard) -> list[Violation]:
    """Return all that is wrong with a request for this model, in the order of our request body."""
    if request.kind not in card.kinds:
        kinds = ", ".join(sorted(card.kinds)) or "no generations"
        return [Violation("/kind", "kind_not_served", f"This model serves {kinds}. Choose another model.")]
    return [
        *_check_texts(request, card),
        *_check_seed(request.seed),
        *_check_controls(request, card),
        *_check_inputs(request, card),
    ]


def _check_texts(request: RequestShape, card: ModelCard) -> list[Violation]:
    rule = RULES[request.kind].prompt
    texts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
    if rule == "refused":
        return [
            Violation(pointer(name), "not_taken", f"A {request.kind.value} takes no text. Leave it out.")
            for name, text in texts.items()
            if text is not None
        ]
    found: list[Violation] = []
    if rule == "required" and request.prompt is None:
        found.append(Violation("/prompt", "required", f"A {request.kind.value} needs a prompt."))
    for name, text in texts.items():
        if text is None:
            continue
        if not text.strip():
            found.append(Violation(pointer(name), "empty", "Say something, or leave it out."))
        longest = card.limits.get(f"{name}_max_chars")
        if longest is not None and len(text) > longest:
            message = f"It has {len(text)} characters; this model takes {longest}. Shorten it."
            found.append(Violation(pointer(name), "too_long", message))
    return found


def _check_seed(seed: int | None) -> list[Violation]:
    return [] if seed is None else check_number("/seed", seed, SEED_MIN, SEED_MAX, whole=True)


def _check_controls(request: RequestShape, card: ModelCard) -> list[Violation]:
    found = check_controls(request.controls)
    if found:
        return found
    limits = card.limits.get("controls", {})
    for name, value in request.controls.items():
        if name not in card.controls:
            continue  # reported as unsupported, refused when the request is strict
        limit = limits.get(name, {})
        if name == "extend":
            found += _check_extend(value, limit, plate_scale(request, card))
        elif name == "grow_mask":
            found += _check_scaled(pointer("controls", name), value, limit, plate_scale(request, card))
        elif "values" in limit and not limit.get("nearest") and value not in limit["values"]:
            offered = ", ".join(str(each) for each in limit["values"])
            found.append(Violation(pointer("controls", name), "not_offered", f"This model offers {offered}."))
        elif CONTROLS[name].type in {"number", "integer"}:
            whole = CONTROLS[name].type == "integer"
            found += check_number(
                pointer("controls", name), value, limit.get("min"), limit.get("max"), whole=whole
            )
    return found


def _check_extend(value: Mapping[str, int], limit: Mapping[str, Any], scale: float) -> list[Violation]:
    found: list[Violation] = []
    for side in EXTEND_SIDES:
        found += _check_scaled(pointer("controls", "extend", side), value.get(side, 0), limit, scale)
    return found


def _check_scaled(place: str, pixels: int, limit: Mapping[str, Any], scale: float) -> list[Violation]:
    """Check a length in plate pixels against a limit that holds in the model's pixels."""
    most = limit.get("max")
    if most is None or scale_pixels(pixels, scale) <= most:
        return []
    reach = int(most / scale)
    while scale_pixels(reach, scale) > most:
        reach -= 1
    return [Violation(place, "out_of_range", f"Use at most {reach} pixels with a plate of this size.")]


def plate_scale(request: RequestShape, card: ModelCard) -> float:
    """Return the model's pixels per plate pixel; 1 without a plate."""
    if request.plate_scale is not None:
        return request.plate_scale
    plate = request.inputs.get(InputSlot.PLATE)
    limits = input_limits(card, InputSlot.PLATE)
    if plate is None or limits is None or fit_problem(plate.width, plate.height, limits) is not None:
        return 1.0
    return fit_within(plate.width, plate.height, limits).scale


def input_limits(card: ModelCard, slot: InputSlot) -> Mapping[str, Any] | None:
    """Return what a picture in this slot is fitted into; None when the model takes no picture there."""
    limits: Mapping[str, Any] | None = card.limits.get("inputs", {}).get(slot.value)
    return limits


def _check_inputs(request: RequestShape, card: ModelCard) -> list[Violation]:
    rule = RULES[request.kind]
    found = [
        Violation(pointer("inputs", slot), "required", f"A {request.kind.value} needs a {slot.value}.")
        for slot in sorted(rule.required - request.inputs.keys())
    ]
    for slot, shape in request.inputs.items():
        place = pointer("inputs", slot)
        limits = input_limits(card, slot)
        if slot not in rule.required | rule.optional:
            kind = request.kind.value
            found.append(Violation(place, "not_taken", f"A {kind} takes no {slot.value}. Leave it out."))
        elif limits is None:
            found.append(
                Violation(place, "not_taken", f"This model takes no {slot.value}. Choose another model.")
            )
        else:
            found += _check_picture(place, shape, limits)
    return found + _check_matte(request)


def _check_picture(place: str, shape: InputShape, limits: Mapping[str, Any]) -> list[Violation]:
    if not shape.media_type.startswith("image/"):
        return [Violation(place, "media_type", "A still picture is needed here, not a clip.")]
    problem = fit_problem(shape.width, shape.height, limits)
    if problem is None:
        return []
    return [Violation(place, "cannot_fit", problem[0].upper() + problem[1:] + ".")]


def _check_matte(request: RequestShape) -> list[Violation]:
    plate = request.inputs.get(InputSlot.PLATE)
    matte = request.inputs.get(InputSlot.MATTE)
    if plate is None or matte is None or (plate.width, plate.height) == (matte.width, matte.height):
        return []
    message = (
        f"The matte is {matte.width}×{matte.height}, the plate {plate.width}×{plate.height}. "
        "Render the matte at the plate's size."
    )
    return [Violation(pointer("inputs", InputSlot.MATTE), "size_mismatch", message)]
