"""Every character's whole course on one page: a lane each, with small crops where there is room for them."""

from collections.abc import Sequence
from itertools import pairwise

from circletake.adapters.vision.continuity import cells, curve, ink, layout
from circletake.adapters.vision.continuity.crops import draw_picture
from circletake.adapters.vision.continuity.page import Page
from circletake.adapters.vision.continuity.words import tally, tally_word
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell, ContinuityRow

SECTION = 42  # a section's name
_LANE, _MOST_LANES, _TALLEST_LANE = 74, 14, 260
_SMALLEST_THUMB, _LARGEST_THUMB = 44, 130  # a narrower crop tells nothing
_COURSE, _LONE_COURSE = 34, 110  # the curve under crops; the curve above a row's many lines of crops
_BELOW_LANE, _BELOW_THUMBS = 16, 22


def draw_lanes(page: Page, rows: Sequence[ContinuityRow], box: Box) -> None:
    """Draw the course of every row; where there is room for neither crops nor all rows, those that break most."""
    if not rows:
        return
    place = Box(box.left, box.top + SECTION, box.width, box.height - SECTION)
    counts = [len(row.cells) for row in rows]
    words = "The whole in story order"
    width = place.width - layout.SIDE
    fits = (width // max(1, *counts) - 4, place.height // len(rows) - _BELOW_LANE - _COURSE - 8)
    columns = _mosaic_columns(counts, place) if min(fits) < _SMALLEST_THUMB else 0
    if columns:
        _draw_mosaic(page, rows, layout.lines_of(counts, columns), place)
    else:
        kept = _rows_that_fit(rows, place.height // _LANE)
        if len(kept) < len(rows):
            words += f"; {len(rows) - len(kept):,} more characters inside"
        each = min(_TALLEST_LANE, place.height // len(kept))
        longest = max(1, *(counts[index] for index in kept))
        for place_of, index in enumerate(kept):
            lane = Box(place.left, place.top + place_of * each, place.width, each - _BELOW_LANE)
            _draw_lane(page, rows[index], lane, longest)
    page.letters.line(words, (box.left, box.top), 24, ink.SOFT)


def _rows_that_fit(rows: Sequence[ContinuityRow], room: int) -> list[int]:
    """Return which rows get a lane, in order: where not all do, those that break most come first."""
    order = sorted(range(len(rows)), key=lambda index: -tally(rows[index].cells).get(Verdict.FAIL, 0))
    return sorted(order[: max(1, min(_MOST_LANES, room))])


def _mosaic_columns(counts: Sequence[int], place: Box) -> int:
    """Return how many crops stand in a line when all can be shown, as large as possible; 0 when they can't."""
    width = place.width - layout.SIDE
    height = place.height - len(counts) * (_LONE_COURSE + _BELOW_LANE)
    best, size = 0, _SMALLEST_THUMB - 1
    for columns in range(8, width // (_SMALLEST_THUMB + 4) + 1):
        room = height // len(layout.lines_of(counts, columns)) - _BELOW_THUMBS
        thumb = min(_LARGEST_THUMB, width // columns - 4, room)
        if thumb > size:
            best, size = columns, thumb
    return best


def _draw_mosaic(page: Page, rows: Sequence[ContinuityRow], lines: Sequence[layout.Line], place: Box) -> None:
    """Draw each row's curve whole, and its crops in lines under it."""
    height = place.height - len(rows) * (_LONE_COURSE + _BELOW_LANE)
    columns = max(1, *(line.stop - line.start for line in lines))
    step = (place.width - layout.SIDE) / columns
    thumb = min(_LARGEST_THUMB, int(step) - 4, height // len(lines) - _BELOW_THUMBS)
    top = place.top
    for line in lines:
        row = rows[line.row]
        if line.first:
            lane = Box(place.left, top, place.width, _LONE_COURSE)
            _draw_lane(page, row, lane, max(1, len(row.cells)), thumbs=False)
            top += _LONE_COURSE + _BELOW_LANE
        shown = row.cells[line.start : line.stop]
        at = Box(place.left + layout.SIDE, top, round(step * len(shown)), thumb)
        _draw_thumbs(page, shown, at, step, thumb)
        _draw_scene_names(page, row, line, at, step)
        top += thumb + _BELOW_THUMBS


def _draw_scene_names(page: Page, row: ContinuityRow, line: layout.Line, at: Box, step: float) -> None:
    for index in range(line.start, line.stop):
        scene = row.cells[index].scene
        if scene and (index == line.start or row.cells[index - 1].scene != scene):
            left = at.left + round((index - line.start) * step)
            ink.fill(page.canvas, Box(left - 1, at.top, 2, at.height + 18), ink.GREY)
            page.letters.line(scene, (left + 5, at.bottom + 2), 14, ink.GREY, width=round(3 * step))


def _draw_lane(page: Page, row: ContinuityRow, box: Box, columns: int, *, thumbs: bool = True) -> None:
    side = min(box.height, 112)
    portrait = Box(box.left, box.top, side, side)
    cells.draw_references(page.canvas, page.letters, row.references[:1], portrait, page.bounds)
    _name_lane(page, row, Box(box.left + side + 14, box.top, layout.SIDE - side - 30, box.height))
    left = box.left + layout.SIDE
    if not row.cells:
        page.letters.line("no shots", (left, box.top), 22, ink.SOFT)
        return
    step = (box.width - layout.SIDE) / columns
    graph = Box(left, box.top, round(step * len(row.cells)), box.height)
    thumb = min(_LARGEST_THUMB, int(step) - 4, graph.height - _COURSE - 8)
    if thumbs and thumb >= _SMALLEST_THUMB:
        _draw_thumbs(page, row.cells, graph, step, thumb)
        graph = Box(graph.left, graph.top + thumb + 8, graph.width, graph.height - thumb - 8)
    _draw_course(page, row, graph, step)


def _name_lane(page: Page, row: ContinuityRow, box: Box) -> None:
    letters = page.letters
    letters.line(row.name, (box.left, box.top - 4), 23, ink.BRIGHT, width=box.width, heavy=True)
    top = box.top + 24
    lines = [
        (tally_word(verdict, count), ink.COLOURS[verdict])
        for verdict, count in tally(row.cells).items()
        if verdict in {Verdict.FAIL, Verdict.NEEDS_HUMAN}
    ]
    if row.slow_drift:
        lines.append(("slow drift", ink.BLUE))
    lines.append((row.look or "", ink.SOFT))
    for text, colour in lines:
        if text and top + 20 <= box.bottom + 4:
            letters.line(text, (box.left, top), 17, colour, width=box.width)
            top += 21


def _draw_thumbs(page: Page, shown: Sequence[ContinuityCell], graph: Box, step: float, thumb: int) -> None:
    places = [
        Box(graph.left + round((index + 0.5) * step) - thumb // 2, graph.top, thumb, thumb)
        for index in range(len(shown))
    ]
    for cell, place in zip(shown, places, strict=True):
        draw_picture(page.canvas, cell.crop, place, page.bounds)
        if cell.verdict == Verdict.NOT_ASSESSABLE:
            ink.dim(page.canvas, place, 0.55)
            ink.hatch(page.canvas, place, ink.GREY, every=10, thickness=1)
        elif cell.verdict == Verdict.NEEDS_HUMAN:
            ink.outline(page.canvas, place, ink.AMBER, 3)
            ink.question_badge(page.canvas, page.letters, (place.right - 8, place.top + 8), 10)
    for cell, place in zip(shown, places, strict=True):
        if cell.verdict == Verdict.FAIL:
            ink.outline(page.canvas, place, ink.RED, 5)


def _draw_course(page: Page, row: ContinuityRow, graph: Box, step: float) -> None:
    edges = [graph.left + round(index * step) for index in range(len(row.cells) + 1)]
    curve.draw_ground(page.canvas, row, graph)
    _draw_scene_edges(page, row.cells, graph, edges)
    curve.draw_course(page.canvas, row.cells, edges, graph)
    trend = curve.trend_of(row)
    if trend is not None:
        across = ((edges[0] + edges[1]) // 2, (edges[-2] + edges[-1]) // 2)
        curve.draw_trend(page.canvas, trend, (0, len(row.cells) - 1), across, graph)


def _draw_scene_edges(page: Page, shown: Sequence[ContinuityCell], graph: Box, edges: Sequence[int]) -> None:
    """Draw a line where a scene begins, with its name where there is room."""
    starts = [
        index
        for index, cell in enumerate(shown)
        if cell.scene and (index == 0 or shown[index - 1].scene != cell.scene)
    ]
    for start, stop in pairwise([*starts, len(shown)]):
        ink.fill(page.canvas, Box(edges[start], graph.top, 1, graph.height), ink.GREY)
        room = edges[stop] - edges[start] - 10
        name = shown[start].scene or ""
        if room >= page.letters.width(name, 14):
            page.letters.line(name, (edges[start] + 5, graph.bottom - 20), 14, ink.GREY, width=room)
