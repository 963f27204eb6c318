"""The first page of a long check: what breaks, large, and below it every character's whole course."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity import cells, curve, ink, layout
from circletake.adapters.vision.continuity.crops import draw_picture
from circletake.adapters.vision.continuity.page import Heading, Page, draw_foot, draw_head, new_page
from circletake.adapters.vision.continuity.words import tally, tally_word
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell, ContinuityRow

_LEFT, _WIDTH = layout.MARGIN, layout.PAGE.width - 2 * layout.MARGIN
_PAIR, _PAIR_GAP, _REFERENCE = 276, 22, 104
_ACROSS = (_WIDTH + _PAIR_GAP) // (_PAIR + _PAIR_GAP)
_STRIP_CROP = _PAIR - _REFERENCE - 12
_STRIP_LINE = _STRIP_CROP + 142
_SECTION = 42  # a section's name
_LANE, _MOST_LANES, _TALLEST_LANE = 74, 14, 240
_SMALLEST_THUMB, _LARGEST_THUMB = 52, 120  # a narrower crop tells nothing
_COURSE = 38  # the curve under crops
_BELOW_LANE = 16


@dataclass(frozen=True, slots=True)
class _Shown:
    row: ContinuityRow
    cell: ContinuityCell


def draw_overview(heading: Heading, rows: Sequence[ContinuityRow], pages: int, bounds: Bounds) -> Page:
    """Draw page 1 of a document of `pages`."""
    page = new_page(layout.PAGE.height, bounds)
    draw_head(page, heading, rows, f"page 1 of {pages}; every shot follows in the document")
    top = _draw_strip(page, rows, layout.HEAD)
    _draw_lanes(page, rows, Box(_LEFT, top, _WIDTH, page.height - layout.FOOT - 16 - top))
    draw_foot(page, heading)
    return page


def _draw_strip(page: Page, rows: Sequence[ContinuityRow], top: int) -> int:
    """Draw what breaks, and what a person decides where there is room; return where the strip ends."""
    shown, left_out = _worst(rows)
    if not shown:
        return top
    words = "To look at first, each beside its reference"
    if left_out:
        words += f"; {left_out:,} more inside"
    page.letters.line(words, (_LEFT, top), 24, ink.SOFT)
    top += _SECTION
    for index, one in enumerate(shown):
        left = _LEFT + (index % _ACROSS) * (_PAIR + _PAIR_GAP)
        at = top + (index // _ACROSS) * _STRIP_LINE
        _draw_pair(page, one, left, at)
    return top + ((len(shown) - 1) // _ACROSS + 1) * _STRIP_LINE + 4


def _worst(rows: Sequence[ContinuityRow]) -> tuple[list[_Shown], int]:
    """Return the broken cells, then those a person decides, the lowest scores where not all fit; in story order."""
    chosen: list[_Shown] = []
    wanted = 0
    room = 2 * _ACROSS
    for verdict in (Verdict.FAIL, Verdict.NEEDS_HUMAN):
        these = [_Shown(row, cell) for row in rows for cell in row.cells if cell.verdict == verdict]
        wanted += len(these)
        places = sorted(range(len(these)), key=lambda index: _score(these[index]))[: room - len(chosen)]
        chosen += [these[index] for index in sorted(places)]
        room = max(len(chosen), (max(len(chosen), 1) + _ACROSS - 1) // _ACROSS * _ACROSS)
    return chosen, wanted - len(chosen)


def _score(shown: _Shown) -> float:
    return -1.0 if shown.cell.score is None else shown.cell.score


def _draw_pair(page: Page, shown: _Shown, left: int, top: int) -> None:
    reference = Box(left, top + 8, _REFERENCE, _REFERENCE)
    cells.draw_references(page.canvas, page.letters, shown.row.references[:1], reference, page.bounds)
    crop = Box(left + _PAIR - _STRIP_CROP, top + 8, _STRIP_CROP, _STRIP_CROP)
    cells.draw_crop(page.canvas, page.letters, shown.cell, crop, page.bounds)
    caption = Box(left, crop.bottom, _PAIR, _STRIP_LINE - _STRIP_CROP - 20)
    cells.draw_caption(page.letters, shown.cell, caption)
    for index, words in enumerate(page.letters.wrapped(shown.row.name, 18, _REFERENCE, most=2)):
        at = (left, reference.bottom + 6 + 21 * index)
        page.letters.line(words, at, 18, ink.BRIGHT, heavy=True)


def _draw_lanes(page: Page, rows: Sequence[ContinuityRow], box: Box) -> None:
    """Draw every character's course, with small crops where there is room for them."""
    if not rows:
        return
    place = Box(box.left, box.top + _SECTION, box.width, box.height - _SECTION)
    words = "The whole in story order"
    columns = _columns_with_thumbs([len(row.cells) for row in rows], place)
    if columns:
        lines = layout.lines_of([len(row.cells) for row in rows], columns)
    else:
        kept = _rows_that_fit(rows, place.height // _LANE)
        lines = [layout.Line(index, 0, len(rows[index].cells)) for index in kept]
        columns = 0
        if len(kept) < len(rows):
            words += f"; {len(rows) - len(kept):,} more characters inside"
    page.letters.line(words, (box.left, box.top), 24, ink.SOFT)
    each = min(_TALLEST_LANE, place.height // len(lines))
    for index, line in enumerate(lines):
        lane = Box(place.left, place.top + index * each, place.width, each - _BELOW_LANE)
        _draw_lane(page, rows[line.row], line, lane, columns or max(1, line.stop))


def _columns_with_thumbs(counts: Sequence[int], place: Box) -> int:
    """Return how many crops stand in a lane when all of them can be shown, as large as possible; else 0."""
    width = place.width - layout.SIDE
    for columns in range(8, width // (_SMALLEST_THUMB + 4) + 1):
        thumb = min(_LARGEST_THUMB, width // columns - 4)
        lines = len(layout.lines_of(counts, columns))
        if lines * (thumb + 8 + _COURSE + _BELOW_LANE) <= place.height:
            return columns
    return 0


def _rows_that_fit(rows: Sequence[ContinuityRow], room: int) -> list[int]:
    """Return which rows get a lane, in order: where not all do, those that break most come first."""
    order = sorted(range(len(rows)), key=lambda index: -tally(rows[index].cells).get(Verdict.FAIL, 0))
    return sorted(order[: max(1, min(_MOST_LANES, room))])


def _draw_lane(page: Page, row: ContinuityRow, line: layout.Line, box: Box, columns: int) -> None:
    side = min(box.height, 112)
    cells.draw_references(
        page.canvas, page.letters, row.references[:1], Box(box.left, box.top, side, side), page.bounds
    )
    name = Box(box.left + side + 14, box.top, layout.SIDE - side - 30, box.height)
    _name_lane(page, row, line, name)
    graph = Box(box.left + layout.SIDE, box.top, box.width - layout.SIDE, box.height)
    shown = row.cells[line.start : line.stop]
    if not shown:
        page.letters.line("no shots", (graph.left, graph.top), 22, ink.SOFT)
        return
    step = graph.width / columns
    graph = replace(graph, width=round(step * len(shown)))
    thumb = min(_LARGEST_THUMB, int(step) - 4, graph.height - _COURSE - 8)
    if thumb >= _SMALLEST_THUMB:
        _draw_thumbs(page, shown, graph, step, thumb)
        graph = Box(graph.left, graph.top + thumb + 8, graph.width, graph.height - thumb - 8)
    _draw_course(page, row, line, graph, step)


def _name_lane(page: Page, row: ContinuityRow, line: layout.Line, box: Box) -> None:
    letters = page.letters
    letters.line(row.name, (box.left, box.top - 4), 23, ink.BRIGHT, width=box.width, heavy=True)
    top = box.top + 24
    lines = [
        (tally_word(verdict, count), ink.COLOURS[verdict])
        for verdict, count in tally(row.cells).items()
        if verdict in {Verdict.FAIL, Verdict.NEEDS_HUMAN} and line.first
    ]
    if row.slow_drift:
        lines.append(("slow drift", ink.BLUE))
    lines.append((row.look or "", ink.SOFT) if line.first else ("continued", ink.SOFT))
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


def _draw_course(page: Page, row: ContinuityRow, line: layout.Line, graph: Box, step: float) -> None:
    shown = row.cells[line.start : line.stop]
    edges = [graph.left + round(index * step) for index in range(len(shown) + 1)]
    curve.draw_ground(page.canvas, row, graph)
    _draw_scene_edges(page, shown, graph, edges)
    curve.draw_course(page.canvas, shown, edges, graph)
    trend = curve.trend_of(row)
    if trend is not None:
        across = ((edges[0] + edges[1]) // 2, (edges[-2] + edges[-1]) // 2)
        curve.draw_trend(page.canvas, trend, (line.start, line.stop - 1), across, graph)


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
