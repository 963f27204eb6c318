"""A panel's still: its picture in its own shape, or a card that says why there is none. Child processes only."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.lettering import Lettering
from circletake.adapters.vision.previews import mark_lightly
from circletake.adapters.vision.storyboards.script import composed, runs_right, visual
from circletake.adapters.vision.thumbnails import look_at
from circletake.domain.frames import Size
from circletake.ports import PictureRefused, StillMade

_LARGEST = Size(1920, 1920)
_QUALITY = 92
_CARD = Size(1280, 720)
_GROUND, _EDGE = (236, 236, 238), (200, 200, 206)
_NAME, _ABOUT = (70, 70, 76), (110, 110, 118)
_UNREADABLE = "picture can't be read"


def write_still(
    source: Path | None, name: str, about: str, mark: str, target: Path, bounds: Bounds
) -> StillMade:
    """Write the still as JPEG. A source that can't be read becomes a card."""
    missing = about if source is None else ""
    rgb: Any = None
    if source is not None:
        try:
            rgb = look_at(source, _LARGEST, bounds).pixels
        except (PictureRefused, OSError):
            missing = _UNREADABLE
    if rgb is None:
        rgb = card(name, missing)
    elif mark:
        rgb = mark_lightly(rgb, mark)
    height, width = rgb.shape[:2]
    target.write_bytes(encode_jpeg(rgb, _QUALITY))
    return StillMade(width, height, missing)


def card(name: str, about: str) -> Any:
    """Draw a light card with a panel's name and what is to be said instead of a picture."""
    canvas = np.empty((_CARD.height, _CARD.width, 3), np.uint8)
    canvas[:] = _GROUND
    cv2.rectangle(canvas, (16, 16), (_CARD.width - 17, _CARD.height - 17), _EDGE, 3)
    letters = Lettering(canvas)
    middle = _CARD.width // 2
    letters.line(name, (middle, 262), 96, _NAME, anchor="centre", heavy=True)
    for number, line in enumerate(letters.wrapped(composed(about), 40, _CARD.width - 160, most=4)):
        shown = visual(line, right=runs_right(line))
        letters.line(shown, (middle, 392 + 52 * number), 40, _ABOUT, anchor="centre")
    return canvas


def read_still(path: Path) -> Any:
    """Read a still that `write_still` wrote, as RGB. Raises PictureRefused."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise PictureRefused("truncated", "a panel's still can't be decoded: draw the storyboard again")
    return np.ascontiguousarray(pixels[..., ::-1])
