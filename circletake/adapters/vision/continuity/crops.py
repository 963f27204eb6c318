"""Read the crops and references of a continuity sheet, each only when it is drawn."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision import jpeg
from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity.ink import EMPTY, PANEL, SOFT, fill
from circletake.adapters.vision.decoding import check_size, media_type_of, read_size
from circletake.adapters.vision.lettering import Lettering
from circletake.adapters.vision.thumbnails import look_at
from circletake.domain.frames import Box, Size, centred, fit_inside
from circletake.ports import ContinuityRow, PictureRefused

_SAMPLE = 8  # crops per row whose shape is looked at
_WIDEST, _TALLEST = 0.72, 1.34  # height over width of a sheet's crops


def read_crop(crop: Path | bytes, size: Size, bounds: Bounds) -> Any | None:
    """Return 8-bit RGB that fits `size`, or None when the crop can't be read."""
    try:
        if isinstance(crop, Path):
            return look_at(crop, size, bounds).pixels
        check_size(jpeg.read_size(crop), bounds)
    except (PictureRefused, OSError):
        return None
    found = cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR_RGB)
    if found is None:
        return None
    fitting = fit_inside(Size(found.shape[1], found.shape[0]), size)
    return cv2.resize(found, (fitting.width, fitting.height), interpolation=cv2.INTER_AREA)


def tallness(rows: Sequence[ContinuityRow], bounds: Bounds) -> float:
    """Return the usual height over width of the crops, within what a sheet bears."""
    shapes = [
        shape
        for row in rows
        for cell in [found for found in row.cells if found.crop is not None][:_SAMPLE]
        if (shape := _shape(cell.crop, bounds)) is not None
    ]
    return min(_TALLEST, max(_WIDEST, statistics.median(shapes or [1.0])))


def _shape(crop: Path | bytes | None, bounds: Bounds) -> float | None:
    try:
        if isinstance(crop, Path):
            kind = media_type_of(crop)
            if not kind.startswith("image/"):
                return None
            header = read_size(crop, kind)
        else:
            header = jpeg.read_size(crop or b"")
        check_size(header, bounds)
    except (PictureRefused, OSError):
        return None
    return header.height / header.width


def draw_picture(canvas: Any, crop: Path | bytes | None, box: Box, bounds: Bounds) -> bool:
    """Draw a crop into a box, whole; tell whether there was one to draw."""
    rgb = read_crop(crop, Size(box.width, box.height), bounds) if crop is not None else None
    if rgb is None:
        fill(canvas, box, EMPTY)
        return False
    fill(canvas, box, PANEL)
    size = fit_inside(Size(rgb.shape[1], rgb.shape[0]), Size(box.width, box.height), enlarge=True)
    place = centred(size, box)
    if (size.height, size.width) != rgb.shape[:2]:
        rgb = cv2.resize(rgb, (size.width, size.height), interpolation=cv2.INTER_CUBIC)
    canvas[place.top : place.bottom, place.left : place.right] = rgb
    return True


def draw_missing(letters: Lettering, box: Box, why: str) -> None:
    """Say in the middle of an empty panel why there is no picture."""
    size = max(15, min(22, box.width // 8))
    lines = letters.wrapped(why, size, box.width - 16, most=3)
    top = box.top + (box.height - len(lines) * (size + 6)) // 2
    for index, line in enumerate(lines):
        at = (box.left + box.width // 2, top + index * (size + 6))
        letters.line(line, at, size, SOFT, anchor="centre")
