"""Draw a contact sheet: takes with what a reviewer needs to name, compare and order them. Child processes only."""

import statistics
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
from circletake.domain.frames import Box, Grid, GridStyle, Size, centred, fit_inside, grid_for
from circletake.ports import PictureRefused, SheetTake

_PAPER = (24, 24, 26)
_PANEL = (36, 36, 39)
_EMPTY = (46, 46, 50)
_RULE = (62, 62, 67)
_BRIGHT = (232, 232, 234)
_SOFT = (160, 160, 166)
_QUALITY = 92
_STYLE = GridStyle()
_LOOK = Size(1600, 1200)

# State -> colour of its dot and word. Muted, so that the pictures stay the brightest thing on the sheet.
_STATES: dict[str, Colour] = {
    "succeeded": (126, 178, 132),
    "running": (120, 160, 205),
    "queued": (150, 156, 168),
    "held": (205, 172, 104),
    "filtered": (214, 160, 92),
    "failed": (208, 112, 104),
    "canceled": (150, 150, 154),
    "expired": (150, 150, 154),
}


@dataclass(frozen=True, slots=True)
class _Cell:
    take: SheetTake | None  # None is the plate
    look: Look | None
    missing: str = ""  # why there is no picture


def write_sheet(
    title: str,
    subtitle: str,
    takes: Sequence[SheetTake],
    plate: Path | None,
    target: Path,
    bounds: Bounds,
) -> None:
    """Write the sheet as JPEG. A picture that can't be read is drawn as missing, it doesn't stop the sheet."""
    cells = [] if plate is None else [_cell(None, plate, bounds)]
    cells += [_cell(take, take.path, bounds) for take in takes]
    grid = grid_for(max(1, len(cells)), _aspect(cells), _STYLE)
    canvas = np.empty((grid.sheet.height, grid.sheet.width, 3), np.uint8)
    _fill(canvas, Box(0, 0, grid.sheet.width, grid.sheet.height), _PAPER)
    letters = Lettering(canvas)
    _draw_header(canvas, letters, title, subtitle, takes)
    for cell, box in zip(cells, grid.cells, strict=False):
        _draw_cell(canvas, letters, cell, box, grid)
    if not cells:
        letters.middle("No takes yet", grid.cells[0], 34, _SOFT)
    target.write_bytes(encode_jpeg(canvas, _QUALITY))


def _cell(take: SheetTake | None, path: Path | None, bounds: Bounds) -> _Cell:
    if path is None:
        return _Cell(take, None)
    try:
        return _Cell(take, look_at(path, _LOOK, bounds))
    except PictureRefused as refused:
        return _Cell(take, None, f"picture not readable: {refused}")
    except OSError:
        return _Cell(take, None, "picture not readable")


def _aspect(cells: Sequence[_Cell]) -> float:
    shapes = [cell.look.pixels.shape for cell in cells if cell.look is not None]
    aspects = [shape[1] / shape[0] for shape in shapes] or [16 / 9]
    return float(min(3.0, max(0.5, statistics.median(aspects))))


def _fill(canvas: Any, box: Box, colour: Colour) -> None:
    # a tenth of the time NumPy takes to repeat a colour
    cv2.rectangle(canvas, (box.left, box.top), (box.right - 1, box.bottom - 1), colour, cv2.FILLED)


def _draw_header(
    canvas: Any, letters: Lettering, title: str, subtitle: str, takes: Sequence[SheetTake]
) -> None:
    left, right = _STYLE.margin, _STYLE.width - _STYLE.margin
    count = "1 take" if len(takes) == 1 else f"{len(takes)} takes"
    ready = sum(take.state == "succeeded" for take in takes)
    tally = count if ready == len(takes) else f"{count}, {ready} to review"
    used = letters.line(tally, (right, 54), 27, _SOFT, anchor="right")
    letters.line(title, (left, 38), 44, _BRIGHT, width=right - left - used - 40, heavy=True)
    letters.line(subtitle, (left, 96), 26, _SOFT, width=right - left)
    _fill(canvas, Box(left, 143, right - left, 1), _RULE)


def _draw_cell(canvas: Any, letters: Lettering, cell: _Cell, box: Box, grid: Grid) -> None:
    frame = Box(box.left, box.top, grid.frame.width, grid.frame.height)
    if cell.look is not None:
        _fill(canvas, frame, _PANEL)
        _draw_picture(canvas, letters, cell, cell.look, frame)
    else:
        _draw_missing(canvas, letters, cell, frame)
    caption = Box(box.left, frame.bottom, box.width, box.bottom - frame.bottom)
    if cell.take is None:
        letters.line("Plate", (caption.left, caption.top + 14), 31, _BRIGHT, heavy=True)
        letters.line("as delivered", (caption.left, caption.top + 57), 24, _SOFT, width=caption.width)
    else:
        _draw_caption(canvas, letters, cell.take, caption, label=cell.look is not None or bool(cell.missing))


def _draw_picture(canvas: Any, letters: Lettering, cell: _Cell, look: Look, frame: Box) -> None:
    height, width = look.pixels.shape[:2]
    size = fit_inside(Size(width, height), Size(frame.width, frame.height), enlarge=True)
    place = centred(size, frame)
    smaller = size.width < width
    drawn = cv2.resize(
        look.pixels,
        (size.width, size.height),
        interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC,
    )
    if cell.take is not None and cell.take.mark:
        drawn = mark_lightly(drawn, cell.take.mark)
    canvas[place.top : place.bottom, place.left : place.right] = drawn
    if look.seconds is not None:
        _draw_play_mark(canvas, letters, look.seconds, place)


def _draw_play_mark(canvas: Any, letters: Lettering, seconds: float, place: Box) -> None:
    label = clock(seconds)
    inset = 12
    width = 60 + letters.width(label, 24)
    # on the right: what is burnt into a clip stands on the left as a rule
    mark = Box(place.right - inset - width, place.bottom - inset - 40, width, 40)
    if mark.width + 2 * inset > place.width or mark.height + 2 * inset > place.height:
        return
    under = canvas[mark.top : mark.bottom, mark.left : mark.right]
    under[:] = (under * 0.34).astype(np.uint8)
    left, middle = mark.left + 15, mark.top + mark.height // 2
    triangle = np.array([[left, middle - 9], [left, middle + 9], [left + 16, middle]])
    cv2.fillConvexPoly(canvas, triangle, _BRIGHT, cv2.LINE_AA)
    letters.line(label, (mark.left + 44, mark.top + 6), 24, _BRIGHT)


def _draw_missing(canvas: Any, letters: Lettering, cell: _Cell, frame: Box) -> None:
    _fill(canvas, frame, _RULE)
    _fill(canvas, Box(frame.left + 1, frame.top + 1, frame.width - 2, frame.height - 2), _EMPTY)
    take = cell.take
    state = take.state if take is not None else "plate"
    reason = cell.missing or (take.label if take is not None else "")
    lines = letters.wrapped(reason, 26, frame.width - 64, most=max(1, (frame.height - 80) // 36))
    top = frame.top + (frame.height - 52 - 36 * len(lines)) // 2
    centre = frame.left + frame.width // 2
    colour = _STATES.get(state, _SOFT)
    letters.line(state, (centre, top), 33, colour, width=frame.width - 64, anchor="centre", heavy=True)
    for index, line in enumerate(lines):
        letters.line(line, (centre, top + 52 + 36 * index), 26, _SOFT, anchor="centre")


def _draw_caption(canvas: Any, letters: Lettering, take: SheetTake, box: Box, *, label: bool) -> None:
    colour = _STATES.get(take.state, _SOFT)
    state_width = letters.line(take.state, (box.right, box.top + 19), 24, colour, anchor="right")
    dot = box.right - state_width - 18
    cv2.circle(canvas, (dot, box.top + 33), 6, colour, cv2.FILLED, cv2.LINE_AA)
    letters.line(
        f"Take {take.number}",
        (box.left, box.top + 14),
        31,
        _BRIGHT,
        width=max(60, dot - box.left - 22),
        heavy=True,
    )
    cost = take.cost_usd if take.cost_usd.startswith("$") else f"${take.cost_usd}"
    cost_width = letters.line(cost, (box.right, box.top + 57), 24, _BRIGHT, anchor="right")
    seed = "no seed" if take.seed is None else f"seed {take.seed}"
    letters.line(seed, (box.left, box.top + 57), 24, _BRIGHT, width=box.width - cost_width - 20)
    if label:
        letters.line(take.label, (box.left, box.top + 90), 22, _SOFT, width=box.width)
