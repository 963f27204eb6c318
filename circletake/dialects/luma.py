"""Luma Ray2: clips from words and up to two keyframes, by StartAsyncInvoke only.

Native body as in the Amazon Bedrock user guide, "Luma AI models". There is no seed and no negative prompt.
"""

import base64
from typing import Any

from circletake.dialects.answers import read_clip, read_failure
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
    Picture,
    Pictures,
    Unusable,
    Violation,
)

_KEYFRAMES = {InputSlot.FIRST_FRAME: "frame0", InputSlot.LAST_FRAME: "frame1"}


class LumaRay:
    """A previs shot."""

    def check(self, request: RequestShape, card: ModelCard) -> list[Violation]:
        return check_request(request, card)

    def controls(self, request: RequestShape, card: ModelCard) -> list[ControlReport]:
        return report_controls(request, card)

    def build(self, request: ModelRequest, card: ModelCard) -> dict[str, Any]:
        shape = shape_of(request)
        require_fitted(request, self.check(shape, card), card)
        values = sent(self.controls(shape, card))
        native: dict[str, Any] = {
            "prompt": request.prompt,
            "aspect_ratio": values["aspect_ratio"],
            "duration": f"{values['duration_seconds']}s",
            "loop": values["loop"],
            "resolution": values["resolution"],
        }
        keyframes = {
            name: _keyframe(request.inputs[slot])
            for slot, name in _KEYFRAMES.items()
            if slot in request.inputs
        }
        if keyframes:
            native["keyframes"] = keyframes
        return native

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        return read_clip(answer)

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        return read_failure(message)


def _keyframe(picture: Picture) -> dict[str, Any]:
    data = base64.b64encode(picture.data).decode("ascii")
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": picture.media_type, "data": data},
    }
