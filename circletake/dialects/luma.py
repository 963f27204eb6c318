"""Luma Ray2: clips from words and up to two keyframes, by StartAsyncInvoke only.

Native body as in the Amazon Bedrock user guide, "Luma AI models". There is no seed and no negative prompt. What a
keyframe is called is on the card (`native.inputs`).
"""

from typing import Any

from circletake.dialects.answers import read_clip, read_failure
from circletake.dialects.checks import check_request
from circletake.dialects.contract import RequestShape, shape_of
from circletake.dialects.fitted import require_fitted
from circletake.dialects.members import base64_of, member_of, named, sent_pictures, texts
from circletake.dialects.reports import report_controls, sent
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
        seconds = values.pop("duration_seconds", None)
        native = {**texts(request, card), **named(values, card)}
        if seconds is not None:
            native["duration"] = f"{seconds}s"
        keyframes = {
            member_of(card, slot): _keyframe(picture) for slot, picture in sent_pictures(request).items()
        }
        if keyframes:
            native["keyframes"] = keyframes
        return native

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        return read_clip(answer)

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        return read_failure(message)


def _keyframe(picture: Picture) -> dict[str, Any]:
    source = {"type": "base64", "media_type": picture.media_type, "data": base64_of(picture)}
    return {"type": "image", "source": source}
