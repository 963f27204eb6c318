"""Draw a storyboard's pages and write them as PDF, one after the other. Runs in a child process only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from circletake.adapters.vision.continuity.pdf import PdfFile, Word
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.lettering import Colour, Lettering, one_line
from circletake.adapters.vision.storyboards import layout
from circletake.adapters.vision.storyboards.layout import MARGIN, PAGE, Measure, Row
from circletake.adapters.vision.storyboards.lines import Line, draw_lines, lines_of
from circletake.adapters.vision.storyboards.script import composed, runs_right, visual
from circletake.adapters.vision.storyboards.stills import read_still
from circletake.domain.frames import Box, Size, centred, fit_inside
from circletake.ports import BoardHeading, BoardPanel

_QUALITY = 86
_PAPER: Colour = (255, 255, 255)
_INK: Colour = (24, 24, 28)
_SOFT: Colour = (112, 112, 120)
_RULE: Colour = (206, 206, 212)
_MAT: Colour = (236, 236, 238)  # behind a picture of another shape than its frame, and a card's own ground
_TAG: Colour = (88, 60, 150)


def write_document(heading: BoardHeading, panels: Sequence[BoardPanel], target: Path) -> int:
    """Write the PDF; return its pages. Only one page lies in memory at a time."""
    measure = layout.measure_for([_aspect(panel.still) for panel in panels if not panel.card])
    scratch = Lettering(np.zeros((1, 1, 3), np.uint8))
    words = [lines_of(scratch, panel.words, measure.frame.width) for panel in panels]
    pages = layout.pages_of([len(each) for each in words], measure)
    # no date and no name in what is read without opening it
    with PdfFile(target, title="Storyboard", dpi=layout.DPI) as file:
        for number, rows in enumerate(pages, start=1):
            canvas = np.empty((PAGE.height, PAGE.width, 3), np.uint8)
            canvas[:] = _PAPER
            page = _Page(canvas, heading, f"page {number} of {len(pages)}")
            for row in rows:
                page.draw_row(row, panels, words, measure)
            file.add_page(encode_jpeg(canvas, _QUALITY), PAGE, page.said, page.marks)
    return len(pages)


def _aspect(still: Path) -> float:
    with Image.open(still, formats=["JPEG"]) as picture:
        return picture.width / picture.height


class _Page:
    """One page being drawn; `said` is what a search in the document finds, `marks` are its outline's entries."""

    def __init__(self, canvas: Any, heading: BoardHeading, aside: str) -> None:
        self._canvas, self._letters = canvas, Lettering(canvas)
        self.said: list[Word] = []
        self.marks: list[str] = []
        self._draw_head(heading, aside)
        self._draw_foot(heading)

    def _draw_head(self, heading: BoardHeading, aside: str) -> None:
        right = PAGE.width - MARGIN
        used = self._letters.line(heading.aside, (right, 52), 24, _SOFT, anchor="right")
        self._letters.line(aside, (right, 92), 24, _SOFT, anchor="right")
        left = MARGIN + self._letters.line(heading.board, (MARGIN, 40), 42, _INK, heavy=True) + 26
        self._line(heading.title, left, 42, 40, right - left - used - 40)
        self._line(heading.subtitle, MARGIN, 94, 25, right - MARGIN - used - 40, _SOFT)
        cv2.rectangle(self._canvas, (MARGIN, 138), (right, 139), _RULE, cv2.FILLED)
        self.said.append(Word(f"{heading.board} {heading.title}", MARGIN, 78, 40))

    def _line(self, text: str, left: int, top: int, size: int, width: int, colour: Colour = _INK) -> None:
        text = one_line(composed(text))
        self._letters.line(visual(text, right=runs_right(text)), (left, top), size, colour, width=width)

    def _draw_foot(self, heading: BoardHeading) -> None:
        top = PAGE.height - layout.FOOT + 40
        cv2.rectangle(self._canvas, (MARGIN, top - 12), (PAGE.width - MARGIN, top - 11), _RULE, cv2.FILLED)
        width = PAGE.width - 2 * MARGIN
        for number, line in enumerate(self._letters.wrapped(heading.foot, 20, width, most=2)):
            self._letters.line(line, (MARGIN, top + 26 * number), 20, _SOFT)
            self.said.append(Word(line, MARGIN, top + 26 * number + 18, 20))

    def draw_row(
        self, row: Row, panels: Sequence[BoardPanel], words: Sequence[Sequence[Line]], measure: Measure
    ) -> None:
        for column, cell in enumerate(row.cells):
            lines = words[cell.panel][cell.start : cell.stop]
            if not row.picture and not lines:
                continue
            below = self._draw_cell(row, column, panels[cell.panel], lines, measure)
            if cell.stop < len(words[cell.panel]):
                right = measure.left(column) + measure.frame.width
                self._letters.line("goes on", (right, below), 18, _SOFT, anchor="right")

    def _draw_cell(
        self,
        row: Row,
        column: int,
        panel: BoardPanel,
        lines: Sequence[Line],
        measure: Measure,
    ) -> int:
        """Draw one panel and return where its words end."""
        left, width = measure.left(column), measure.frame.width
        self._draw_name(panel, left, row.top, width, continued=not row.picture)
        top = row.top + layout.NAME
        if row.picture:
            self._draw_picture(panel, measure.picture_box(column, row.top))
            self.marks.append(f"{panel.name} {panel.shot}".rstrip())
            top += measure.frame.height + layout.UNDER
        draw_lines(self._letters, lines, left, top, width)
        for number, line in enumerate(lines):
            baseline = top + number * layout.LINE + round(layout.LETTERS * 0.93)
            self.said.append(Word(f"{line.label} {line.logical}".strip(), left, baseline, layout.LETTERS))
        return top + len(lines) * layout.LINE

    def _draw_name(self, panel: BoardPanel, left: int, top: int, width: int, *, continued: bool) -> None:
        right = left + width
        if continued:
            at = left + self._letters.line(panel.name, (left, top + 8), 26, _INK, heavy=True) + 14
            self._letters.line("continued", (at, top + 10), 23, _SOFT)
            return
        used = self._letters.line(panel.length, (right, top + 12), 23, _SOFT, anchor="right")
        at = left + self._letters.line(panel.name, (left, top + 2), 34, _INK, heavy=True) + 18
        if panel.tag:
            tag = self._letters.width(panel.tag, 20, heavy=True) + 18
            at_tag = right - used - 16 - tag
            cv2.rectangle(self._canvas, (at_tag, top + 10), (at_tag + tag, top + 40), _TAG, cv2.FILLED)
            self._letters.line(panel.tag, (at_tag + 9, top + 13), 20, _PAPER, heavy=True)
            used += tag + 16
        self._letters.line(panel.shot, (at, top + 9), 26, _INK, width=max(40, right - used - 16 - at))
        said = " ".join(filter(None, [panel.name, panel.shot, panel.tag, panel.length]))
        self.said.append(Word(said, left, top + 34, 26))

    def _draw_picture(self, panel: BoardPanel, frame: Box) -> None:
        pixels = read_still(panel.still)
        height, width = pixels.shape[:2]
        size = fit_inside(Size(width, height), Size(frame.width, frame.height), enlarge=True)
        place = centred(size, frame)
        how = cv2.INTER_AREA if size.width < width else cv2.INTER_CUBIC
        self._canvas[frame.top : frame.bottom, frame.left : frame.right] = _MAT
        self._canvas[place.top : place.bottom, place.left : place.right] = cv2.resize(
            pixels, (size.width, size.height), interpolation=how
        )
        corner = (frame.right, frame.bottom)
        cv2.rectangle(self._canvas, (frame.left - 1, frame.top - 1), corner, _RULE, 1)
