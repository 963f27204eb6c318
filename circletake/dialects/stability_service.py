"""Stability image services: a picture, or two, that are worked on or kept to.

Native bodies as in the Amazon Bedrock user guide, "Stability AI Image Services". They differ in what they call their
pictures and texts, which controls they have and how large a picture may be: all of that is on the card of each. A
mask is white where the model works, which is also what our mattes mean.
"""

from typing import Any

from circletake.dialects.answers import read_failure, read_stability
from circletake.dialects.checks import check_request
from circletake.dialects.contract import RequestShape, shape_of
from circletake.dialects.fitted import require_fitted
from circletake.dialects.members import encoded_members, named, texts
from circletake.dialects.reports import report_controls, sent
from circletake.domain.pictures import (
    ControlReport,
    Filtered,
    ModelCard,
    ModelRequest,
    Pictures,
    Unusable,
    Violation,
)


class StabilityService:
    """Upscale, edit, control. What one service takes is on its card."""

    def check(self, request: RequestShape, card: ModelCard) -> list[Violation]:
        found = check_request(request, card)
        if request.kind in card.kinds and "extend" in card.controls and "extend" not in request.controls:
            message = "Say how far to extend the plate: left, right, up or down, in plate pixels."
            found.append(Violation("/controls/extend", "required", message))
        return found

    def controls(self, request: RequestShape, card: ModelCard) -> list[ControlReport]:
        return report_controls(request, card)

    def build(self, request: ModelRequest, card: ModelCard) -> dict[str, Any]:
        shape = shape_of(request)
        require_fitted(request, self.check(shape, card), card)
        values = sent(self.controls(shape, card))
        extend = values.pop("extend", {})
        return {**named({**values, **extend}, card), **texts(request, card), **encoded_members(request, card)}

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        return read_stability(answer)

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        return read_failure(message)
