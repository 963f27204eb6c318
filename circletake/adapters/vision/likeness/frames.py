"""Pictures and video frames as 8-bit RGB, as a viewer shows them. Runs in a child process only."""

# ruff: noqa: PLR2004 - transfer functions and small geometry

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import Decoded, decode, media_type_of, to_rgb
from circletake.adapters.vision.video import open_video
from circletake.ports import PictureRefused

_WORKING_SIDE = 3840  # what a face can gain above that isn't worth its memory
_MAX_PIXELS = 64 * 1024 * 1024
_MAX_DECODED = 256 * 1024 * 1024
_BEHIND_ALPHA = 42  # as in the contact sheet
_GRAB_AHEAD = 150  # frames; further away a seek is cheaper than decoding what lies between
_DARK = 0.09  # a 16-bit picture whose median is below holds linear light, or is a night scene that gains by it too
_FLAT = 0.45  # a 16-bit picture that spans less is log encoded


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `rgb` is scaled down where the frame is larger than what is worked with: `scale` times the frame."""

    index: int
    width: int
    height: int
    rgb: Any
    scale: float


def read_frames(path: Path, frames: Sequence[int], bounds: Bounds) -> Iterator[Frame]:
    """Frame 0 of a picture, or these of a video in rising order; frames behind its end are left out.

    Raises PictureRefused, also when no frame at all can be read.
    """
    if not media_type_of(path).startswith("video/"):
        yield _picture(path, bounds)
        return
    seen = 0
    for frame in _video(path, sorted(set(frames)), bounds):
        seen += 1
        yield frame
    if not seen:
        raise PictureRefused("truncated", "none of the video's frames can be decoded: export it again")


def _picture(path: Path, bounds: Bounds) -> Frame:
    tight = replace(
        bounds,
        max_pixels=min(bounds.max_pixels, _MAX_PIXELS),
        max_decoded_bytes=min(bounds.max_decoded_bytes, _MAX_DECODED),
    )
    try:
        decoded = decode(path, tight)
        return _frame(0, shown(decoded))
    except MemoryError:
        raise PictureRefused("too_large", "the picture needs too much memory: scale it down") from None
    except cv2.error as fault:
        raise PictureRefused("truncated", "the picture can't be decoded: export it again") from fault


def shown(decoded: Decoded) -> Any:
    """8-bit RGB, toned from 16 bits where needed, laid over dark grey where it is transparent."""
    rgb = to_rgb(_eight_bits(np.ascontiguousarray(decoded.colour())))
    if not decoded.has_alpha:
        return rgb
    alpha = decoded.alpha()
    alpha = alpha.astype(np.float32) / np.iinfo(alpha.dtype).max
    if float(alpha.min()) == 1.0:
        return rgb
    weight = alpha[..., None]
    return np.rint(rgb * weight + _BEHIND_ALPHA * (1 - weight)).astype(np.uint8)


def _eight_bits(pixels: Any) -> Any:
    """16-bit codes as a viewer would show them.

    Deep plates are often linear light or log: the first would be too dark, the second too flat for a network that
    was trained on finished pictures. What is neither is only rounded.
    """
    if pixels.dtype == np.uint8:
        return pixels
    sample = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)]
    low, middle, high = (float(value) / 65535 for value in np.percentile(sample, [0.5, 50, 99.5]))
    codes = np.arange(65536, dtype=np.float32) / 65535
    if middle < _DARK and high > 0:
        codes = np.minimum(codes / max(high, 0.05), 1)
        # the sRGB transfer function (IEC 61966-2-1)
        codes = np.where(codes <= 0.0031308, codes * 12.92, 1.055 * codes ** (1 / 2.4) - 0.055)
    elif 0.02 < high - low < _FLAT:
        codes = np.clip((codes - low) / (high - low), 0, 1)
    return np.rint(codes * 255).astype(np.uint8)[pixels]


def _video(path: Path, wanted: Sequence[int], bounds: Bounds) -> Iterator[Frame]:
    capture = open_video(path, bounds)
    try:
        position = 0
        for index in wanted:
            if not 0 <= index - position <= _GRAB_AHEAD:
                capture.set(cv2.CAP_PROP_POS_FRAMES, index)
                position = index
            while position < index and capture.grab():
                position += 1
            taken, bgr = capture.read() if position == index else (False, None)
            if not taken or bgr is None or not bgr.size:
                return
            position += 1
            yield _frame(index, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()


def _frame(index: int, rgb: Any) -> Frame:
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return Frame(index, width, height, np.ascontiguousarray(rgb), scale)
