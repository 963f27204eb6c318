"""The last look before a paid call: pictures that were not fitted are our own mistake, not the tenant's."""

from collections.abc import Sequence

from circletake.dialects.checks import input_limits
from circletake.dialects.contract import UnfitRequest
from circletake.dialects.members import sent_pictures
from circletake.domain.controls import pointer
from circletake.domain.fitting import inside
from circletake.domain.kinds import InputSlot
from circletake.domain.pictures import ModelCard, ModelRequest, Picture, Violation


def require_fitted(request: ModelRequest, found: Sequence[Violation], card: ModelCard) -> None:
    """Raise UnfitRequest when `found` is not empty or a picture, as it is, breaks the card's limits."""
    problems = list(found)
    for slot, picture in sent_pictures(request).items():
        problems += _problems(slot, picture, card)
    if problems:
        raise UnfitRequest(problems)


def _problems(slot: InputSlot, picture: Picture, card: ModelCard) -> list[Violation]:
    limits = input_limits(card, slot)
    if limits is None:
        return []  # `check` has said so
    place = pointer("inputs", slot)
    found: list[Violation] = []
    if not inside(picture.width, picture.height, limits):
        found.append(Violation(place, "not_fitted", "The picture's copy is outside the model's limits."))
    if picture.media_type not in limits["media_types"]:
        types = ", ".join(limits["media_types"])
        found.append(Violation(place, "media_type", f"The picture's copy must be one of {types}."))
    if len(picture.data) > limits["max_bytes"]:
        found.append(Violation(place, "too_large", f"The picture's copy passes {limits['max_bytes']} bytes."))
    return found
