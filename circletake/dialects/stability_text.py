"""Stability text-to-image models, some with image-to-image from a reference.

Native bodies as in the Amazon Bedrock user guide, "Stability.ai Stable Diffusion 3.5 Large", "Stable Image Ultra"
and "Stable Image Core": `aspect_ratio` is valid for text-to-image only; image-to-image requires prompt, image and
strength. Only Stable Diffusion 3.5 names a `mode` (`native.mode` of its card); Ultra takes an image without saying
so, Core takes none.
"""

from typing import Any

from circletake.dialects.answers import read_failure, read_stability
from circletake.dialects.checks import check_request
from circletake.dialects.contract import RequestShape, shape_of
from circletake.dialects.fitted import require_fitted
from circletake.dialects.members import encoded_members, named, texts
from circletake.dialects.reports import report_controls, sent
from circletake.domain.kinds import InputSlot
from circletake.domain.pictures import (
    ControlReport,
    Filtered,
    ModelCard,
    ModelRequest,
    Pictures,
    Unusable,
    Violation,
)


class StabilityText:
    """A picture from words, or from words and one reference."""

    def check(self, request: RequestShape, card: ModelCard) -> list[Violation]:
        return check_request(request, card)

    def controls(self, request: RequestShape, card: ModelCard) -> list[ControlReport]:
        if InputSlot.REFERENCE in request.inputs:
            not_here = {"aspect_ratio": "with a reference the result keeps the reference's ratio"}
        else:
            not_here = {"strength": "strength needs a reference to depart from"}
        return report_controls(request, card, not_here=not_here)

    def build(self, request: ModelRequest, card: ModelCard) -> dict[str, Any]:
        shape = shape_of(request)
        require_fitted(request, self.check(shape, card), card)
        native = {**named(sent(self.controls(shape, card)), card), **texts(request, card)}
        pictures = encoded_members(request, card)
        mode = card.native.get("mode")
        if mode:
            native["mode"] = mode["picture"] if pictures else mode["words"]
        return {**native, **pictures}

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        return read_stability(answer)

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        return read_failure(message)
