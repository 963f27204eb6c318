"""What a model's own language calls things: read from its card's `native`, so that a newer model needs no code."""

import base64
from collections.abc import Mapping
from typing import Any

from circletake.domain.kinds import RULES, InputSlot
from circletake.domain.pictures import ModelCard, ModelRequest, Picture


def sent_pictures(request: ModelRequest) -> Mapping[InputSlot, Picture]:
    """Return the pictures that a model gets: not those that only the laying back needs."""
    kept = RULES[request.kind].not_sent
    return {slot: picture for slot, picture in request.inputs.items() if slot not in kept}


def member_of(card: ModelCard, slot: InputSlot) -> str:
    """Return the member that a picture in this slot is sent as; the catalogue has one for every slot of the card."""
    return str(card.native["inputs"][slot.value])


def encoded_members(request: ModelRequest, card: ModelCard) -> dict[str, str]:
    """Return every picture that is sent as base64, under its member."""
    return {member_of(card, slot): base64_of(picture) for slot, picture in sent_pictures(request).items()}


def texts(request: ModelRequest, card: ModelCard) -> dict[str, str]:
    """Return the texts under their members; what the model doesn't take has been refused or reported."""
    found = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt if takes_negative(card) else None,
    }
    if request.search_prompt is not None:
        found[card.native["search_prompt"]] = request.search_prompt
    return {name: text for name, text in found.items() if text is not None}


def takes_negative(card: ModelCard) -> bool:
    return "negative_prompt_max_chars" in card.limits


def named(values: Mapping[str, Any], card: ModelCard) -> dict[str, Any]:
    """Return control values under the members that hold them: our own names, unless the card says otherwise."""
    members: Mapping[str, str] = card.native.get("controls", {})
    return {members.get(name, name): value for name, value in values.items()}


def base64_of(picture: Picture) -> str:
    return base64.b64encode(picture.data).decode("ascii")
