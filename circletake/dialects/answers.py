"""How answers are read: Stability's JSON, and what guardrails and filters put in its place."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from circletake.dialects.refusals import categories_in, filtered_by, guardrail_refusal, shortened, stage_of
from circletake.domain.pictures import Filtered, Pictures, Unusable

# Stability's parameter pages: "Filter reason: prompt", "Filter reason: input image", "Filter reason: output image",
# "Inference error" and null; a filtered answer is HTTP 200
_FILTER_PREFIX = "filter reason"


def read_stability(answer: bytes) -> Pictures | Filtered | Unusable:
    """Read an answer of the Stability models and services.

    `{"seeds":[…],"finish_reasons":[null],"images":["base64"]}`; of a filtered call only `finish_reasons` may be
    there. A guardrail replaces the answer by `"amazon-bedrock-guardrailAction":"INTERVENED"`.
    """
    try:
        native = json.loads(answer)
    except (ValueError, RecursionError):
        return Unusable("the answer is not JSON")
    if not isinstance(native, dict):
        return Unusable("the answer is not a JSON object")
    refused = guardrail_refusal(native)
    if refused is not None:
        return refused
    reasons = _list(native.get("finish_reasons"))
    images = _list(native.get("images"))
    usable = [index for index in range(len(images)) if _reason(reasons, index) is None]
    if usable:
        return _pictures(native, images, usable)
    return _without_pictures(native, reasons)


def _pictures(native: dict[str, Any], images: Sequence[Any], usable: Sequence[int]) -> Pictures | Unusable:
    decoded: list[bytes] = []
    for index in usable:
        picture = _decode(images[index])
        if picture is None:
            return Unusable("the answer has an image that is not base64")
        decoded.append(picture)
    types = {sniff(picture) for picture in decoded}
    media_type = types.pop() if len(types) == 1 else None
    if media_type is None or media_type == "video/mp4":
        return Unusable("the answer has an image that is not PNG, JPEG or WebP")
    seeds = _list(native.get("seeds"))
    return Pictures(tuple(decoded), tuple(_seed(seeds, index) for index in usable), media_type)


def _without_pictures(native: dict[str, Any], reasons: Sequence[Any]) -> Filtered | Unusable:
    for reason in reasons:
        if isinstance(reason, str) and reason.casefold().startswith(_FILTER_PREFIX):
            return Filtered(stage_of(reason.casefold()), shortened(reason), "model", categories_in(reason))
    for text in (*reasons, native.get("error"), native.get("message")):
        if isinstance(text, str) and text:
            return filtered_by(text) or Unusable(shortened(text))
    return Unusable("the answer has no image and gives no reason")


def read_clip(answer: bytes) -> Pictures | Unusable:
    """Read the file an asynchronous video model left in the bucket."""
    if sniff(answer) != "video/mp4":
        return Unusable("the result is not an MP4 file")
    return Pictures((answer,), (None,), "video/mp4")


def read_failure(message: str | None) -> Filtered | Unusable:
    """Read an asynchronous invocation's failure message: a filter's refusal, or something else."""
    if not message:
        return Unusable("the invocation failed and gives no reason")
    return filtered_by(message) or Unusable(shortened(message))


def sniff(data: bytes) -> str | None:
    """Return the media type that the first bytes show, of those that models answer."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return None


def encoded_picture(text: str) -> bytes | None:
    """Return the picture that a text is as base64; None for any other text."""
    data = _decode(text)
    return data if data is not None and sniff(data) is not None else None


def _decode(image: Any) -> bytes | None:
    if not isinstance(image, str):
        return None
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        return None


def _reason(reasons: Sequence[Any], index: int) -> Any:
    return reasons[index] if index < len(reasons) else None


def _seed(seeds: Sequence[Any], index: int) -> int | None:
    """Return a seed; the pages call it a string in one place and show a number in another."""
    seed = seeds[index] if index < len(seeds) else None
    if isinstance(seed, str) and seed.isascii() and seed.isdigit():
        return int(seed)
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
