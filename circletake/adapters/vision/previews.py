"""Previews: a take made smaller, with a mark that says what it is and for whom. Runs in a child process only.

The mark is burnt in twice: lightly all over, so that no crop that is worth having is without it, and legibly in a band
along the foot.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import media_type_of
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.lettering import Lettering
from circletake.adapters.vision.thumbnails import look_at
from circletake.adapters.vision.video import open_video
from circletake.domain.frames import Size, fit_inside
from circletake.ports import PictureRefused, PreviewMade, PreviewMark

_PICTURE_SIDE = 1280
_QUALITY = 85
# MPEG-4 Part 2, of the encoders that are free to ship the only one fast enough: a twentieth of a second of work for each
# of film, where VP9 took four (OpenCV gives its encoders no options). Players and trackers read it, browsers don't.
_VIDEO_SIDE = 960
_VIDEO_FRAMES = 720  # half a minute of film
_CODEC = "mp4v"
_SMALLEST = 200  # a narrower picture can't carry a legible mark

_TILT = 24.0  # degrees
_LIGHT, _DARK = 0.30, 0.42  # how strongly it lightens, and shadows for bright pictures
_BAND = 0.34  # what is left of the picture's light in the band


@dataclass(frozen=True, slots=True)
class _Overlay:
    """A mark for one size of frame, as what is kept of the picture and what is added to it."""

    keep: Any  # uint8 h×w×3, 255 keeps all
    add: Any  # uint8 h×w×3

    def on(self, rgb: Any) -> Any:
        return cv2.add(cv2.multiply(rgb, self.keep, scale=1 / 255), self.add)


def write_preview(path: Path, mark: PreviewMark, target: Path, bounds: Bounds) -> PreviewMade:
    """Write a picture as JPEG, a video as MP4, marked. Raises PictureRefused."""
    if media_type_of(path).startswith("video/"):
        return _write_video(path, mark, target, bounds)
    rgb = _large_enough(look_at(path, Size(_PICTURE_SIDE, _PICTURE_SIDE), bounds).pixels)
    height, width = rgb.shape[:2]
    target.write_bytes(encode_jpeg(_overlay(width, height, mark).on(rgb), _QUALITY))
    return PreviewMade("image/jpeg", width, height)


def _large_enough(rgb: Any) -> Any:
    """Enlarge a picture that is too small to carry a legible mark."""
    height, width = rgb.shape[:2]
    scale = _SMALLEST / min(width, height)
    if scale <= 1:
        return rgb
    return cv2.resize(
        rgb, (math.ceil(width * scale), math.ceil(height * scale)), interpolation=cv2.INTER_CUBIC
    )


def _write_video(path: Path, mark: PreviewMark, target: Path, bounds: Bounds) -> PreviewMade:
    capture = open_video(path, bounds)
    try:
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        source = Size(int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        size = _even(fit_inside(source, Size(_VIDEO_SIDE, _VIDEO_SIDE)))
        writer = cv2.VideoWriter(
            str(target),
            cv2.CAP_FFMPEG,
            cv2.VideoWriter.fourcc(*_CODEC),
            rate,
            (size.width, size.height),
        )
        if not writer.isOpened():
            raise PictureRefused("unsupported", "this machine has no encoder for the preview of a video")
        try:
            written, more = _copy_frames(capture, writer, size, _overlay(size.width, size.height, mark))
        finally:
            writer.release()
    finally:
        capture.release()
    if not written:
        raise PictureRefused("truncated", "the video's frames can't be decoded: export it again")
    return PreviewMade("video/mp4", size.width, size.height, written, rate, more)


def _copy_frames(capture: Any, writer: Any, size: Size, overlay: _Overlay) -> tuple[int, bool]:
    """Return how many frames were written, and whether there are more."""
    written = 0
    while True:
        taken, frame = capture.read()
        if not taken or frame is None:
            return written, False
        if written == _VIDEO_FRAMES:
            return written, True
        small = cv2.resize(frame, (size.width, size.height), interpolation=cv2.INTER_AREA)
        writer.write(overlay.on(small))  # the mark is grey: BGR needs no turning
        written += 1


def _even(size: Size) -> Size:
    """4:2:0 video has even sides."""
    return Size(max(2, size.width // 2 * 2), max(2, size.height // 2 * 2))


def mark_lightly(rgb: Any, text: str) -> Any:
    """Repeat a text all over a picture, without a band."""
    height, width = rgb.shape[:2]
    keep, add = _repeated(width, height, text)
    return _Overlay(_grey(keep * 255), _grey(add)).on(rgb)


def _overlay(width: int, height: int, mark: PreviewMark) -> _Overlay:
    """Draw a mark for frames of this size."""
    keep, add = _repeated(width, height, mark.short)
    band = _band(width, height, mark.whole)
    top = height - band.shape[0]
    keep[top:] = _BAND * (1 - band)
    add[top:] = band * 245
    return _Overlay(_grey(keep * 255), _grey(add))


def _repeated(width: int, height: int, text: str) -> tuple[Any, Any]:
    """Return the text all over the frame as what is kept of the picture, 0-1, and what is added to it, 0-255."""
    repeated = _tiles(width, height, text)
    shadow = np.zeros_like(repeated)
    shadow[1:, 1:] = repeated[:-1, :-1]
    dark = _DARK * shadow * (1 - repeated)
    light = _LIGHT * repeated
    keep = (1 - dark) * (1 - light)
    return keep, light * 255


def _grey(values: Any) -> Any:
    return np.ascontiguousarray(np.repeat(np.rint(values).astype(np.uint8)[..., None], 3, axis=2))


def _tiles(width: int, height: int, text: str) -> Any:
    """Return the text all over the frame, tilted, each row shifted against the one above: 0-1, one for ink."""
    size = max(11, round(math.hypot(width, height) / 52))
    side = math.ceil(math.hypot(width, height)) + 2 * size
    canvas = np.zeros((side, side, 3), np.uint8)
    letters = Lettering(canvas)
    step = letters.width(text, size, heavy=True) + 2 * size
    for row, top in enumerate(range(0, side, round(size * 4.2))):
        left = -(step * (row % 3)) // 3
        while left < side:
            letters.line(text, (left, top), size, (255, 255, 255), heavy=True)
            left += step
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), _TILT, 1.0)
    turned = cv2.warpAffine(canvas, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    top, left = (side - height) // 2, (side - width) // 2
    return turned[top : top + height, left : left + width, 0].astype(np.float32) / 255


def _band(width: int, height: int, text: str) -> Any:
    """Return the band along the foot with the whole mark in it, on two lines where one is too short: 0-1."""
    size = min(26, max(12, round(min(width, height) / 38), round(width / 64)))
    probe = Lettering(np.zeros((1, 1, 3), np.uint8))
    lines = probe.wrapped(text, size, width - size, most=3)
    pitch = round(size * 1.32)
    canvas = np.zeros((min(height, pitch * len(lines) + round(size * 0.5)), width, 3), np.uint8)
    letters = Lettering(canvas)
    for index, line in enumerate(lines):
        top = round(size * 0.2) + pitch * index
        letters.line(line, (size // 2, top), size, (255, 255, 255), width=width - size, heavy=True)
    return canvas[..., 0].astype(np.float32) / 255
