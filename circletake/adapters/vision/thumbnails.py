"""Small pictures for looking at. Runs in a child process only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import Decoded, decode, media_type_of, to_eight_bits, to_rgb
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.video import middle_frame
from circletake.domain.frames import Size, fit_inside

_POSTER_SIDE = 640
_POSTER_QUALITY = 85
_BEHIND_ALPHA = 42  # a dark grey, so that light and dark elements both show


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as 8-bit RGB, small enough to be drawn; `seconds` is a video's length, else None."""

    pixels: Any
    seconds: float | None


def look_at(path: Path, box: Size, bounds: Bounds) -> Look:
    """Read a picture, or a video's middle frame, scaled down to fit a box. Raises PictureRefused."""
    rgb: Any
    seconds = None
    if media_type_of(path).startswith("video/"):
        rgb, seconds = middle_frame(path)
    else:
        rgb = shown(decode(path, bounds))
    size = fit_inside(Size(rgb.shape[1], rgb.shape[0]), box)
    if (size.height, size.width) != rgb.shape[:2]:
        rgb = cv2.resize(rgb, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return Look(np.ascontiguousarray(rgb), seconds)


def shown(decoded: Decoded) -> Any:
    """A decoded picture as 8-bit RGB, over a dark grey where it is transparent."""
    rgb = to_rgb(to_eight_bits(np.ascontiguousarray(decoded.colour())))
    if not decoded.has_alpha:
        return rgb
    alpha = to_eight_bits(np.ascontiguousarray(decoded.alpha())).astype(np.float32)[..., None] / 255
    return np.rint(rgb * alpha + _BEHIND_ALPHA * (1 - alpha)).astype(np.uint8)


def write_poster(path: Path, media_type: str, target: Path, bounds: Bounds) -> None:
    """Write a JPEG of at most 640 pixels on the longest side. `media_type` only tells pictures from videos apart."""
    del media_type  # the file itself says what it is
    look = look_at(path, Size(_POSTER_SIDE, _POSTER_SIDE), bounds)
    target.write_bytes(encode_jpeg(look.pixels, _POSTER_QUALITY))
