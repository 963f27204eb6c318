"""What every page of a continuity sheet has: its head, its foot, and lines of cells with the curve below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity import cells, curve, ink, layout
from circletake.adapters.vision.continuity.pdf import Word
from circletake.adapters.vision.continuity.words import (
    headline,
    reason_words,
    tally,
    tally_word,
    verdict_words,
)
from circletake.adapters.vision.lettering import Lettering
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell, ContinuityRow

_LEFT, _RIGHT = layout.MARGIN, layout.PAGE.width - layout.MARGIN


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    subtitle: str
    foot: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page being drawn. `height` is in pixels."""

    canvas: Any
    letters: Lettering
    bounds: Bounds
    words: list[Word] = field(default_factory=list)  # what a search in the document finds

    @property
    def height(self) -> int:
        return int(self.canvas.shape[0])


def new_page(height: int, bounds: Bounds) -> Page:
    canvas = np.empty((height, layout.PAGE.width, 3), np.uint8)
    ink.fill(canvas, Box(0, 0, layout.PAGE.width, height), ink.PAPER)
    return Page(canvas, Lettering(canvas), bounds)


def draw_head(page: Page, heading: Heading, rows: Sequence[ContinuityRow], aside: str = "") -> None:
    """Write title, tally and, in the verdict's colour, what breaks."""
    right = _tally(page, [cell for row in rows for cell in row.cells])
    page.letters.line(heading.title, (_LEFT, 34), 42, ink.BRIGHT, width=right - _LEFT - 40, heavy=True)
    used = page.letters.line(aside, (_RIGHT, 92), 24, ink.SOFT, anchor="right")
    width = _RIGHT - _LEFT - used - 40
    page.letters.line(heading.subtitle, (_LEFT, 92), 24, ink.SOFT, width=width)
    words, verdict = headline(rows)
    page.words.extend([Word(heading.title, _LEFT, 72, 42), Word(words, _LEFT, 156, 12)])
    colour = ink.COLOURS.get(verdict, ink.SOFT)
    page.letters.line(words, (_LEFT, 128), 30, colour, width=_RIGHT - _LEFT, heavy=True)
    ink.fill(page.canvas, Box(_LEFT, layout.HEAD - 14, _RIGHT - _LEFT, 1), ink.RULE)


def _tally(page: Page, every: Sequence[ContinuityCell]) -> int:
    """Write how many cells have each verdict, from the right; return where it begins."""
    at = _RIGHT
    for verdict, count in reversed(tally(every).items()):
        text = tally_word(verdict, count)
        loud = verdict in {Verdict.FAIL, Verdict.NEEDS_HUMAN}
        wide = page.letters.width(text, 26, heavy=loud) + 32
        pill = Box(at - wide, 36, wide, 44)
        ink.fill(page.canvas, pill, ink.COLOURS[verdict] if loud else ink.EMPTY)
        colour = {Verdict.FAIL: ink.WHITE, Verdict.NEEDS_HUMAN: ink.INK, Verdict.PASS: ink.GREEN}.get(
            Verdict(verdict), ink.SOFT
        )
        page.letters.line(text, (pill.left + 16, pill.top + 6), 26, colour, heavy=loud)
        at = pill.left - 12
    return at


def draw_foot(page: Page, heading: Heading) -> None:
    """Explain the marks, small, and write the caller's line."""
    canvas, letters = page.canvas, page.letters
    middle = page.height - 34
    ink.fill(canvas, Box(_LEFT, page.height - layout.FOOT, _RIGHT - _LEFT, 1), ink.RULE)
    at = _LEFT + 12
    for verdict, text in (
        (Verdict.FAIL, "breaks, in what the label says"),
        (Verdict.NEEDS_HUMAN, "a person decides"),
        (Verdict.PASS, "passes"),
        (Verdict.NOT_ASSESSABLE, "not assessable: neither"),
    ):
        swatch = Box(at - 8, middle - 8, 22, 16)
        ink.fill(canvas, swatch, ink.EMPTY)
        if verdict == Verdict.NOT_ASSESSABLE:
            ink.hatch(canvas, swatch, ink.GREY, every=7)
        ink.outline(canvas, swatch, ink.COLOURS[verdict], 4 if verdict == Verdict.FAIL else 2)
        at += 26 + letters.line(text, (at + 26, middle - 12), 19, ink.SOFT) + 44
    ink.clash_mark(canvas, (at, middle), 11)
    at += 22 + letters.line("doesn't cut with the next", (at + 22, middle - 12), 19, ink.SOFT) + 30
    ink.dashes(canvas, (at, middle), (at + 44, middle), ink.BLUE, dash=9, thickness=3)
    at += 54 + letters.line("slow drift", (at + 54, middle - 12), 19, ink.SOFT) + 60
    letters.line(heading.foot, (_RIGHT, middle - 12), 19, ink.SOFT, width=_RIGHT - at, anchor="right")


def draw_line(page: Page, row: ContinuityRow, line: layout.Line, measure: layout.Measure, top: int) -> None:
    """Draw one line of a row: references on the left, cells, and their piece of the curve."""
    shown = row.cells[line.start : line.stop]
    boxes = [measure.crop_box(column, top) for column in range(len(shown))]
    floor = top + measure.line - measure.curve
    area_left = layout.MARGIN + layout.SIDE
    width = measure.columns * (measure.crop.width + layout.GAP) - layout.GAP
    graph = Box(area_left, floor, width, measure.curve)
    _draw_side(page, row, line, Box(_LEFT, top, layout.SIDE - 28, floor - top), graph)
    if not shown:
        page.letters.line("no shots", (area_left, top + layout.SCENE), 24, ink.SOFT)
        return
    _draw_scenes(page, row, line, boxes, top)
    for cell, box in zip(shown, boxes, strict=True):
        cells.draw_crop(page.canvas, page.letters, cell, box, page.bounds)
        caption = Box(box.left, box.bottom, box.width, measure.caption)
        cells.draw_caption(page.letters, cell, caption)
        said = " ".join(part for part in (cell.label, verdict_words(cell), reason_words(cell)) if part)
        page.words.append(Word(said, box.left, box.bottom + 30, 10))
    for cell, box in zip(shown, boxes, strict=True):
        if cell.cut_clash:
            ink.clash_mark(page.canvas, (box.right + layout.GAP // 2, box.top + box.height // 2))
    curve.draw_ground(page.canvas, row, graph)
    curve.draw_limits(page.letters, row, graph)
    centres = [box.left + box.width // 2 for box in boxes]
    trend = curve.trend_of(row)
    if trend is not None:
        curve.draw_trend(page.canvas, trend, (line.start, line.stop - 1), (centres[0], centres[-1]), graph)
    curve.draw_curve(page.canvas, shown, centres, graph)


def _draw_side(page: Page, row: ContinuityRow, line: layout.Line, box: Box, graph: Box) -> None:
    letters = page.letters
    page.words.append(Word(row.name, box.left, box.top + 22, 28))
    letters.line(row.name, (box.left, box.top - 4), 28, ink.BRIGHT, width=box.width, heavy=True)
    kind = row.kind if row.kind != "human" else ""
    about = " · ".join(part for part in (row.look, kind) if part)
    if not line.first:
        about = f"{about} · continued" if about else "continued"
    letters.line(about, (box.left, box.top + 32), 20, ink.SOFT, width=box.width)
    at = box.left
    for verdict, count in tally(row.cells).items():
        if verdict in {Verdict.FAIL, Verdict.NEEDS_HUMAN} or len(tally(row.cells)) == 1:
            colour = ink.COLOURS[verdict]
            room = box.right - at
            at += letters.line(
                tally_word(verdict, count), (at, box.top + 60), 20, colour, width=room, heavy=True
            )
            at += 16
    place = Box(box.left, box.top + 96, box.width, box.height - 96 - 10)
    cells.draw_references(page.canvas, letters, row.references, place, page.bounds)
    _draw_remarks(page, row, Box(box.left, graph.top, box.width, graph.height))


def _draw_remarks(page: Page, row: ContinuityRow, box: Box) -> None:
    remarks = []
    if row.slow_drift:
        remarks.append((row.drift or "slow drift", ink.BLUE))
    if row.note:
        remarks.append((row.note, ink.SOFT))
    top = box.top
    for text, colour in remarks:
        left = max(0, (box.bottom - top) // 22)
        for written in page.letters.wrapped(text, 18, box.width, most=min(left, 4)) if left else []:
            page.letters.line(written, (box.left, top), 18, colour)
            top += 22


def _draw_scenes(page: Page, row: ContinuityRow, line: layout.Line, boxes: Sequence[Box], top: int) -> None:
    """Bracket the cells of each scene; a change of look is named where it begins."""
    start = line.start
    while start < line.stop:
        first = row.cells[start]
        stop = start + 1
        while stop < line.stop and _same_place(first, row.cells[stop]):
            stop += 1
        left, right = boxes[start - line.start].left, boxes[stop - 1 - line.start].right
        before = row.cells[start - 1] if start else None
        words = " · ".join(part for part in (first.scene, _look_words(before, first, row)) if part)
        if words:
            ink.fill(page.canvas, Box(left, top + 22, right - left, 2), ink.GREY)
            page.letters.line(words, (left, top - 3), 18, ink.SOFT, width=right - left)
        start = stop


def _same_place(one: ContinuityCell, other: ContinuityCell) -> bool:
    return (one.scene, one.look) == (other.scene, other.look)


def _look_words(before: ContinuityCell | None, cell: ContinuityCell, row: ContinuityRow) -> str:
    if not cell.look or (before is None and cell.look == row.look):
        return ""
    changed = before is None or before.look != cell.look
    return f"look: {cell.look}" if changed else ""
