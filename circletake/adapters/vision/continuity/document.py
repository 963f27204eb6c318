"""Write the continuity sheet as JPEG and PDF, a page at a time: a season never lies in memory whole."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity import layout
from circletake.adapters.vision.continuity.crops import tallness
from circletake.adapters.vision.continuity.overview import draw_overview
from circletake.adapters.vision.continuity.page import (
    Heading,
    Page,
    draw_foot,
    draw_head,
    draw_line,
    new_page,
)
from circletake.adapters.vision.continuity.pdf import PdfFile
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Size
from circletake.ports import ContinuityCell, ContinuityRow

__all__ = ["Heading", "write_continuity"]

_QUALITY = 92
_DOCUMENT_QUALITY = 84
_MOST_CELLS = 12_000  # a document of about 200 pages


def write_continuity(
    heading: Heading,
    rows: Sequence[ContinuityRow],
    target: Path,
    document: Path | None,
    bounds: Bounds,
) -> int:
    """Write the sheet, and the document when one is asked for; return the document's pages.

    Beyond 12,000 cells the document holds only what didn't pass, and its overview says so.
    """
    rows = [_finite(row) for row in rows]
    tall = tallness(rows, bounds)
    measure = layout.one_page([len(row.cells) for row in rows], tall)
    if measure is not None:
        page = _whole(heading, rows, measure, bounds)
        target.write_bytes(encode_jpeg(page.canvas, _QUALITY))
        if document is not None:
            with _pdf(document) as file:
                _add(_on_paper(page, bounds), file)
        return 1
    shown, heading = _bounded(rows, heading)
    measure = layout.detail(tall)
    lines = layout.lines_of([len(row.cells) for row in shown], measure.columns)
    pages = list(layout.pages_of(lines, measure))
    aside = f"page 1 of {len(pages) + 1}; every shot follows in the PDF" if document is not None else ""
    overview = draw_overview(heading, rows, aside, bounds)
    target.write_bytes(encode_jpeg(overview.canvas, _QUALITY))
    if document is not None:
        with _pdf(document) as file:
            _add(overview, file, ["Overview"])
            del overview
            for page, marks in _details(heading, shown, pages, measure, bounds):
                _add(page, file, marks)
    return len(pages) + 1


def _finite(row: ContinuityRow) -> ContinuityRow:
    """A score that is no number is no score."""
    cells = [
        cell if cell.score is None or math.isfinite(cell.score) else replace(cell, score=None)
        for cell in row.cells
    ]
    return replace(row, cells=cells)


def _pdf(document: Path) -> PdfFile:
    # no date and no name in what is read without opening it
    return PdfFile(document, title="Continuity sheet", dpi=layout.DPI)


def _whole(heading: Heading, rows: Sequence[ContinuityRow], measure: layout.Measure, bounds: Bounds) -> Page:
    lines = layout.lines_of([len(row.cells) for row in rows], measure.columns)
    page = new_page(layout.sheet_height(len(lines), measure), bounds)
    draw_head(page, heading, rows)
    _draw_lines(page, rows, lines, measure)
    draw_foot(page, heading)
    return page


def _draw_lines(
    page: Page, rows: Sequence[ContinuityRow], lines: Sequence[layout.Line], measure: layout.Measure
) -> None:
    top = layout.HEAD
    for line in lines:
        draw_line(page, rows[line.row], line, measure, top)
        top += measure.line + layout.BETWEEN


def _on_paper(page: Page, bounds: Bounds) -> Page:
    """Set a sheet that is lower than the paper at the paper's top."""
    paper = new_page(layout.PAGE.height, bounds)
    paper.canvas[: page.height] = page.canvas
    paper.words.extend(page.words)
    return paper


def _bounded(rows: Sequence[ContinuityRow], heading: Heading) -> tuple[Sequence[ContinuityRow], Heading]:
    total = sum(len(row.cells) for row in rows)
    if total <= _MOST_CELLS:
        return rows, heading
    left = _MOST_CELLS
    kept: list[ContinuityRow] = []
    for row in rows:
        cells = [cell for cell in row.cells if cell.verdict != Verdict.PASS][:left]
        left -= len(cells)
        kept.append(replace(row, cells=cells))
    drawn = _MOST_CELLS - left
    remark = f"{drawn:,} of {total:,} cells are drawn: what passes is left out"
    return kept, Heading(heading.title, f"{heading.subtitle} · {remark}", heading.foot)


def _details(
    heading: Heading,
    rows: Sequence[ContinuityRow],
    pages: Sequence[Sequence[layout.Line]],
    measure: layout.Measure,
    bounds: Bounds,
) -> Iterator[tuple[Page, list[str]]]:
    for number, lines in enumerate(pages, start=2):
        page = new_page(layout.PAGE.height, bounds)
        shown = _on_page(rows, lines)
        draw_head(page, heading, shown, f"page {number} of {len(pages) + 1}")
        _draw_lines(page, rows, lines, measure)
        draw_foot(page, heading)
        yield page, [rows[line.row].name for line in lines if line.first]


def _on_page(rows: Sequence[ContinuityRow], lines: Sequence[layout.Line]) -> list[ContinuityRow]:
    """The rows of a page with the cells that stand on it."""
    cells: dict[int, list[ContinuityCell]] = {}
    for line in lines:
        cells.setdefault(line.row, []).extend(rows[line.row].cells[line.start : line.stop])
    return [replace(rows[index], cells=there) for index, there in cells.items()]


def _add(page: Page, into: PdfFile, marks: Sequence[str] = ()) -> None:
    size = Size(layout.PAGE.width, page.height)
    into.add_page(encode_jpeg(page.canvas, _DOCUMENT_QUALITY), size, page.words, marks)
