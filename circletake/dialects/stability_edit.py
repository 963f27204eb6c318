"""Stability image services that work on a plate: outpaint, erase object, inpaint.

Native bodies as in the Amazon Bedrock user guide, "Stability AI Image Services". A mask is white where the model
works, which is also what our mattes mean, so it is sent as it is.
"""

import base64
from typing import Any

from circletake.dialects.answers import read_failure, read_stability
from circletake.dialects.checks import check_request
from circletake.dialects.contract import RequestShape, shape_of
from circletake.dialects.fitted import require_fitted
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


class StabilityEdit:
    """Work on a plate. What one service takes (mask, words, extents) is on its card."""

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
        native = sent(self.controls(shape, card))
        native.update(native.pop("extend", {}))
        if request.prompt is not None:
            native["prompt"] = request.prompt
        if request.negative_prompt is not None:
            native["negative_prompt"] = request.negative_prompt
        native["image"] = base64.b64encode(request.inputs[InputSlot.PLATE].data).decode("ascii")
        matte = request.inputs.get(InputSlot.MATTE)
        if matte is not None:
            native["mask"] = base64.b64encode(matte.data).decode("ascii")
        return native

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        return read_stability(answer)

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        return read_failure(message)
