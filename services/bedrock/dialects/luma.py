"""Luma Ray2 on Bedrock: native request in, clip order out. Asynchronous only; it has no seed.

Limits: the Luma AI parameter page of the Amazon Bedrock User Guide. The frame sizes other than 960x540 and
1280x720 are not published; here the short side keeps 540 or 720 lines.
"""

from typing import Any

from services.bedrock.dialects.schema import Checker
from services.bedrock.orders import ClipOrder
from services.bedrock.pictures import Header

MAX_PROMPT = 5_000
MIN_KEYFRAME_SIDE = 512
MAX_KEYFRAME_SIDE = 4_096
FPS = 24

_RATIOS = {
    "1:1": (1, 1),
    "16:9": (16, 9),
    "9:16": (9, 16),
    "4:3": (4, 3),
    "3:4": (3, 4),
    "21:9": (21, 9),
    "9:21": (9, 21),
}
_LINES = {"540p": 540, "720p": 720}
_SECONDS = {"5s": 5, "9s": 9}
_MEDIA_TYPES = {"image/jpeg": "jpeg", "image/png": "png"}


def parse_ray2(document: Any, seed: int) -> ClipOrder:
    """luma.ray-v2:0. `document` is the `modelInput`; the seed is the server's own, kept with the invocation."""
    fields = Checker(document)
    prompt = fields.text("prompt", minimum=1, maximum=MAX_PROMPT, required=True)
    ratio = fields.choice("aspect_ratio", _RATIOS, "16:9")
    duration = fields.choice("duration", _SECONDS, "5s")
    resolution = fields.choice("resolution", _LINES, "720p")
    loop = fields.boolean("loop", default=False)
    first = last = None
    keyframes = fields.child("keyframes")
    if keyframes is not None:
        first = _keyframe(keyframes.child("frame0"))
        last = _keyframe(keyframes.child("frame1"))
        keyframes.close()
    fields.finish()
    width, height = frame_size(ratio, resolution)
    return ClipOrder(prompt, width, height, _SECONDS[duration], FPS, first, last, loop, seed, resolution)


def frame_size(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """(width, height) in pixels, both even."""
    across, down = _RATIOS[aspect_ratio]
    lines = _LINES[resolution]
    unit = lines / min(across, down)
    return round(across * unit / 2) * 2, round(down * unit / 2) * 2


def _keyframe(frame: Checker | None) -> bytes | None:
    if frame is None:
        return None
    frame.choice("type", ("image",), "image", required=True)
    source = frame.child("source", required=True)
    frame.close()
    if source is None:
        return None
    source.choice("type", ("base64",), "base64", required=True)
    media_type = source.choice("media_type", _MEDIA_TYPES, "", required=True)
    picture = source.picture("data", tuple(_MEDIA_TYPES.values()), _keyframe_limits, required=True)
    source.close()
    if picture is None:
        return None
    data, header = picture
    if media_type and _MEDIA_TYPES[media_type] != header.format:
        source.refuse("media_type", f"{media_type} does not match the image data")
    return data


def _keyframe_limits(header: Header) -> str | None:
    sides = (header.width, header.height)
    if min(sides) < MIN_KEYFRAME_SIDE or max(sides) > MAX_KEYFRAME_SIDE:
        return (
            f"image must be between {MIN_KEYFRAME_SIDE}x{MIN_KEYFRAME_SIDE} and "
            f"{MAX_KEYFRAME_SIDE}x{MAX_KEYFRAME_SIDE} pixels, actual: {header.width}x{header.height}"
        )
    return None
