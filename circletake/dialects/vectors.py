"""What the embedding dialects share: the last look at a picture and at a vector."""

import json
import math
from collections.abc import Sequence
from typing import Any

from circletake.dialects.contract import UnfitRequest, UnusableAnswer
from circletake.dialects.refusals import filtered_by, guardrail_refusal, shortened
from circletake.domain.fitting import inside
from circletake.domain.pictures import ModelCard, Picture, Unusable, Violation


def picture_problems(place: str, picture: Picture, card: ModelCard) -> list[Violation]:
    """Return what a picture breaks of the card's limits for pictures that are embedded or judged."""
    limits = card.limits["picture"]
    found: list[Violation] = []
    if not inside(picture.width, picture.height, limits):
        found.append(Violation(place, "not_fitted", "The picture's copy is outside the model's limits."))
    if picture.media_type not in limits["media_types"]:
        types = ", ".join(limits["media_types"])
        found.append(Violation(place, "media_type", f"The picture's copy must be one of {types}."))
    if len(picture.data) > limits["max_bytes"]:
        found.append(Violation(place, "too_large", f"The picture's copy passes {limits['max_bytes']} bytes."))
    return found


def chosen_dimensions(card: ModelCard, dimensions: int | None) -> int:
    """Return the dimensions to ask for. Raises UnfitRequest for some that the model doesn't offer."""
    offered: Sequence[int] = card.limits["dimensions"]
    if dimensions is None:
        return offered[0]
    if dimensions not in offered:
        told = ", ".join(str(each) for each in offered)
        raise UnfitRequest([Violation("/dimensions", "not_offered", f"This model offers {told}.")])
    return dimensions


def read_object(answer: bytes) -> dict[str, Any]:
    """Return the answer's JSON object. Raises UnusableAnswer, also for a guardrail's."""
    try:
        native = json.loads(answer)
    except (ValueError, RecursionError):
        raise UnusableAnswer(Unusable("the answer is not JSON")) from None
    if not isinstance(native, dict):
        raise UnusableAnswer(Unusable("the answer is not a JSON object"))
    intervened = guardrail_refusal(native)
    if intervened is not None:
        raise UnusableAnswer(intervened)
    return native


def refused(message: object) -> UnusableAnswer:
    """Return the fault of an answer that gives a text instead of a vector."""
    if not isinstance(message, str) or not message:
        return UnusableAnswer(Unusable("the answer has no vector and gives no reason"))
    return UnusableAnswer(filtered_by(message) or Unusable(shortened(message)))


def unit_vector(values: object, dimensions: int) -> tuple[float, ...]:
    """Return the values at unit length. Raises UnusableAnswer for anything but so many finite numbers."""
    if not isinstance(values, list) or len(values) != dimensions:
        raise UnusableAnswer(Unusable(f"the answer has no vector of {dimensions} numbers"))
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise UnusableAnswer(Unusable("the vector has something that is no number"))
    try:
        length = math.hypot(*values)
    except OverflowError:
        length = math.inf
    if not math.isfinite(length) or length == 0:
        raise UnusableAnswer(Unusable("the vector is not finite, or has no direction"))
    return tuple(value / length for value in values)
