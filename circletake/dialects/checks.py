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
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import InputShape, ModelCard, Violation

# how a refusal ends that another model of the catalogue may answer: who has the catalogue can name them instead
ANOTHER_MODEL = "Leave it out, or choose a model that takes it: GET /v1/models."


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


def prompt_rule(kind: Kind, card: ModelCard) -> str:
    """Return what holds for the prompt: the kind's own rule, and where that leaves it open the model's."""
    rule = RULES[kind].prompt
    return str(card.limits.get("prompt", rule)) if rule == "optional" else rule


def required_slots(kind: Kind, card: ModelCard) -> frozenset[InputSlot]:
    """Return the inputs that a request of this kind to this model can't do without."""
    rule = RULES[kind]
    own = {slot for slot in rule.slots - rule.not_sent if (input_limits(card, slot) or {}).get("required")}
    return rule.required | own


def taken_slots(kind: Kind, card: ModelCard) -> frozenset[InputSlot]:
    """Return the inputs that a request of this kind to this model may have, those the model never gets included."""
    rule = RULES[kind]
    return rule.not_sent | {slot for slot in rule.slots if input_limits(card, slot) is not None}


def _check_texts(request: RequestShape, card: ModelCard) -> list[Violation]:
    texts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
    rule = prompt_rule(request.kind, card)
    if rule == "refused":
        by_kind = RULES[request.kind].prompt == "refused"
        message = (
            f"A {request.kind.value} takes no text. Leave it out."
            if by_kind
            else f"This model takes no text. {ANOTHER_MODEL}"
        )
        refused = [
            Violation(pointer(name), "not_taken", message) for name, text in texts.items() if text is not None
        ]
        return refused + _check_search(request, card)
    found: list[Violation] = []
    if rule == "required" and request.prompt is None:
        by_kind = RULES[request.kind].prompt == "required"
        who = f"A {request.kind.value}" if by_kind else "This model"
        found.append(Violation("/prompt", "required", f"{who} needs a prompt."))
    for name, text in texts.items():
        found += _check_text(name, text, card.limits.get(f"{name}_max_chars"))
    return found + _check_search(request, card)


def _check_search(request: RequestShape, card: ModelCard) -> list[Violation]:
    if RULES[request.kind].search == "refused":
        if request.search_prompt is None:
            return []
        message = f"A {request.kind.value} looks for nothing. Leave it out."
        return [Violation("/search_prompt", "not_taken", message)]
    if request.search_prompt is None:
        message = f"A {request.kind.value} needs a search_prompt: say what to find in the plate."
        return [Violation("/search_prompt", "required", message)]
    longest = card.limits.get("search_prompt_max_chars", card.limits.get("prompt_max_chars"))
    return _check_text("search_prompt", request.search_prompt, longest)


def _check_text(name: str, text: str | None, longest: int | None) -> list[Violation]:
    if text is None:
        return []
    if not text.strip():
        return [Violation(pointer(name), "empty", "Say something, or leave it out.")]
    if longest is not None and len(text) > longest:
        message = f"It has {len(text)} characters; this model takes {longest}. Shorten it."
        return [Violation(pointer(name), "too_long", message)]
    return []


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
    found = []
    for slot in sorted(required_slots(request.kind, card) - request.inputs.keys()):
        who = f"A {request.kind.value}" if slot in rule.required else "This model"
        found.append(Violation(pointer("inputs", slot), "required", f"{who} needs a {_words(slot)}."))
    for slot, shape in request.inputs.items():
        found += _check_input(slot, shape, request.kind, card)
    return found + _check_matte(request)


def _check_input(slot: InputSlot, shape: InputShape, kind: Kind, card: ModelCard) -> list[Violation]:
    rule, place, limits = RULES[kind], pointer("inputs", slot), input_limits(card, slot)
    if slot not in rule.slots:
        message = f"A {kind.value} takes no {_words(slot)}. Leave it out."
        return [Violation(place, "not_taken", message)]
    if slot in rule.not_sent:
        return _check_still(place, shape)  # no model sees it
    if limits is None:
        taken = ", ".join(_words(each) for each in sorted(taken_slots(kind, card))) or "no pictures"
        message = (
            f"This model takes no {_words(slot)} for a {kind.value}; it takes: {taken}. " + ANOTHER_MODEL
        )
        return [Violation(place, "not_taken", message)]
    return _check_still(place, shape) or _check_fit(place, shape, limits)


def _words(slot: InputSlot) -> str:
    return slot.value.replace("_", " ")


def _check_still(place: str, shape: InputShape) -> list[Violation]:
    if shape.media_type.startswith("image/"):
        return []
    return [Violation(place, "media_type", "A still picture is needed here, not a clip.")]


def _check_fit(place: str, shape: InputShape, limits: Mapping[str, Any]) -> list[Violation]:
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
