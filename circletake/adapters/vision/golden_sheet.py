"""The sheet of a golden run: old beside new, where they differ, and what that means. Runs in a child process only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.lettering import Colour, Lettering, clock
from circletake.adapters.vision.previews import mark_lightly
from circletake.adapters.vision.thumbnails import Look, look_at
from circletake.domain.frames import Box, Size, centred, fit_inside
from circletake.ports import GoldenRow, PictureRefused

_PAPER: Colour = (24, 24, 26)
_EMPTY: Colour = (46, 46, 50)
_RULE: Colour = (62, 62, 67)
_BRIGHT: Colour = (232, 232, 234)
_SOFT: Colour = (160, 160, 166)
_VERDICTS: dict[str, Colour] = {
    "unchanged": (126, 178, 132),
    "drifted": (205, 172, 104),
    "changed": (208, 112, 104),
    "failed": (150, 150, 154),
}
_QUALITY = 92
_WIDTH, _MARGIN, _GAP = 2400, 56, 28
_HEADER, _FOOTER = 172, 84
_TITLE, _CAPTION = 96, 132  # above and below a row's pictures
_TALLEST = 640
_BOX = Size(1600, 1200)
_GAIN = 4.0  # by how much the difference is made stronger
_HEAT = np.array([255.0, 120.0, 70.0], np.float32)
_COLUMNS = ("approved", "made again", f"difference, {_GAIN:.0f} times as strong")


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    subtitle: str
    tally: str
    foot: str


def write_golden_sheet(heading: Heading, rows: Sequence[GoldenRow], target: Path, bounds: Bounds) -> None:
    """Write the sheet as JPEG, 2400 pixels wide."""
    looks = [(_look(row.old, bounds), _look(row.new, bounds)) for row in rows]
    heights = [_height(pair) for pair in looks]
    whole = _HEADER + sum(_TITLE + height + _CAPTION for height in heights) + _FOOTER
    canvas = np.empty((whole, _WIDTH, 3), np.uint8)
    canvas[:] = _PAPER
    letters = Lettering(canvas)
    _head(canvas, letters, heading)
    top = _HEADER
    for row, (old, new), height in zip(rows, looks, heights, strict=True):
        _row(canvas, letters, row, old, new, top, height)
        top += _TITLE + height + _CAPTION
    letters.line(heading.foot, (_MARGIN, top + 14), 22, _SOFT, width=_WIDTH - 2 * _MARGIN)
    target.write_bytes(encode_jpeg(canvas, _QUALITY))


def _look(path: Path | None, bounds: Bounds) -> Look | None:
    if path is None:
        return None
    try:
        return look_at(path, _BOX, bounds)
    except (PictureRefused, OSError):
        return None


def _column() -> int:
    return (_WIDTH - 2 * _MARGIN - 2 * _GAP) // 3


def _height(pair: tuple[Look | None, Look | None]) -> int:
    """Of the row's pictures: the taller of them at a column's width, within bounds."""
    shapes = [look.pixels.shape for look in pair if look is not None] or [(9, 16)]
    return int(min(_TALLEST, max(round(_column() * shape[0] / shape[1]) for shape in shapes)))


def _head(canvas: Any, letters: Lettering, heading: Heading) -> None:
    left, right = _MARGIN, _WIDTH - _MARGIN
    used = letters.line(heading.tally, (right, 54), 27, _SOFT, anchor="right")
    letters.line(heading.title, (left, 38), 44, _BRIGHT, width=right - left - used - 40, heavy=True)
    letters.line(heading.subtitle, (left, 96), 26, _SOFT, width=right - left)
    _fill(canvas, Box(left, 143, right - left, 1), _RULE)


def _row(
    canvas: Any,
    letters: Lettering,
    row: GoldenRow,
    old: Look | None,
    new: Look | None,
    top: int,
    height: int,
) -> None:
    colour = _VERDICTS.get(row.verdict, _SOFT)
    right = _WIDTH - _MARGIN
    used = letters.line(row.verdict, (right, top + 4), 34, colour, anchor="right", heavy=True)
    cv2.circle(canvas, (right - used - 24, top + 24), 9, colour, cv2.FILLED, cv2.LINE_AA)
    wide = right - _MARGIN - used - 80
    letters.line(row.name, (_MARGIN, top), 34, _BRIGHT, width=wide, heavy=True)
    letters.line(row.label, (_MARGIN, top + 46), 24, _SOFT, width=wide)
    for at, (look, name) in enumerate(zip((old, new), _COLUMNS, strict=False)):
        frame = Box(_MARGIN + at * (_column() + _GAP), top + _TITLE, _column(), height)
        _picture(canvas, letters, frame, None if look is None else _marked(look.pixels, row.mark))
        length = f", {clock(look.seconds)}" if look is not None and look.seconds is not None else ""
        letters.line(name + length, (frame.left, frame.bottom + 10), 22, _SOFT, width=frame.width)
    frame = Box(_MARGIN + 2 * (_column() + _GAP), top + _TITLE, _column(), height)
    if row.overlaid:
        _picture(canvas, letters, frame, _difference(old, new))
    else:
        _picture(canvas, letters, frame, None, "no seed: not laid over each other")
    letters.line(
        _COLUMNS[2] if row.overlaid else "difference",
        (frame.left, frame.bottom + 10),
        22,
        _SOFT,
        width=frame.width,
    )
    said = letters.wrapped("  ·  ".join(row.lines), 24, right - _MARGIN, most=2)
    for index, line in enumerate(said):
        letters.line(line, (_MARGIN, frame.bottom + 44 + 34 * index), 24, _BRIGHT, width=right - _MARGIN)


def _picture(
    canvas: Any, letters: Lettering, frame: Box, rgb: Any | None, missing: str = "no picture"
) -> None:
    if rgb is None:
        _fill(canvas, frame, _EMPTY)
        letters.middle(missing, frame, 28, _SOFT)
        return
    size = fit_inside(Size(rgb.shape[1], rgb.shape[0]), Size(frame.width, frame.height), enlarge=True)
    place = centred(size, frame)
    smaller = size.width < rgb.shape[1]
    canvas[place.top : place.bottom, place.left : place.right] = cv2.resize(
        rgb, (size.width, size.height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )


def _marked(rgb: Any, mark: str) -> Any:
    return mark_lightly(rgb, mark) if mark else rgb


def _difference(old: Look | None, new: Look | None) -> Any | None:
    """The old frame faintly in grey, and over it how far the codes lie apart; None for two shapes."""
    if old is None or new is None:
        return None
    ours, theirs = old.pixels, new.pixels
    if ours.shape != theirs.shape:
        if abs(ours.shape[1] / ours.shape[0] / (theirs.shape[1] / theirs.shape[0]) - 1) > 0.01:  # noqa: PLR2004
            return None
        size = (ours.shape[1], ours.shape[0])
        theirs = cv2.resize(theirs, size, interpolation=cv2.INTER_AREA)
    apart = cv2.absdiff(ours, theirs).astype(np.float32).max(axis=2) * (_GAIN / 255)
    heat = np.minimum(1, apart)[..., None]
    grey = cv2.cvtColor(ours, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] * 0.18 + 20
    return np.clip(grey * (1 - heat) + _HEAT * heat, 0, 255).astype(np.uint8)


def _fill(canvas: Any, box: Box, colour: Colour) -> None:
    cv2.rectangle(canvas, (box.left, box.top), (box.right - 1, box.bottom - 1), colour, cv2.FILLED)
