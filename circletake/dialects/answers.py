"""How answers are read: Stability's JSON, and what guardrails and filters put in its place."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, Literal

from circletake.domain.pictures import Filtered, Pictures, Unusable

Stage = Literal["prompt", "input_image", "output_image", "guardrail", "unknown"]

_LONGEST_REASON = 300

# Stability's parameter pages list these, null and "Inference error"; a filtered answer is HTTP 200
_STAGES: dict[str, Stage] = {
    "filter reason: prompt": "prompt",
    "filter reason: input image": "input_image",
    "filter reason: output image": "output_image",
}
_FILTER_PREFIX = "filter reason"

# What providers and guardrails write when they refuse content. Lower case.
_FILTER_WORDS = (
    "content filter",
    "filters automatically flagged",
    "responsible ai policy",
    "rai_violation",
    "content moderation",
    "moderation",
    "guardrail",
)
# A schema error names its JSON pointer; it can quote any word of a schema and is never a filter.
_SCHEMA_PREFIXES = ("malformed input request", "1 validation error", "invalid json")


def filtered_by(message: str) -> Filtered | None:
    """Return the refusal that a message of a provider states, or None if it states something else."""
    text = message.casefold()
    if text.startswith(_SCHEMA_PREFIXES) or not any(words in text for words in _FILTER_WORDS):
        return None
    return Filtered(_stage_of(text), _short(message))


def _stage_of(text: str) -> Stage:
    if "guardrail" in text:
        return "guardrail"
    if "input_image" in text or "input image" in text:
        return "input_image"
    if "generated" in text or "output" in text:
        return "output_image"
    if "prompt" in text or "input_text" in text:
        return "prompt"
    return "unknown"


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
    if native.get("amazon-bedrock-guardrailAction") == "INTERVENED":
        return Filtered("guardrail", "amazon-bedrock-guardrailAction: INTERVENED")
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
            return Filtered(_STAGES.get(reason.casefold().strip(), "unknown"), _short(reason))
    for text in (*reasons, native.get("error"), native.get("message")):
        if isinstance(text, str) and text:
            return filtered_by(text) or Unusable(_short(text))
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
    return filtered_by(message) or Unusable(_short(message))


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


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"
