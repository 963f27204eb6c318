"""Write the continuity sheet as JPEG and PDF, a page at a time: a season never lies in memory whole."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

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
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.domain.consistency.words import Verdict
from circletake.ports import ContinuityRow

__all__ = ["Heading", "write_continuity"]

_QUALITY = 92
_DOCUMENT_QUALITY = 86
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
    tall = tallness(rows, bounds)
    measure = layout.one_page([len(row.cells) for row in rows], tall)
    if measure is not None:
        page = _whole(heading, rows, measure, bounds)
        target.write_bytes(encode_jpeg(page.canvas, _QUALITY))
        if document is not None:
            _append(_on_paper(page, bounds), document, first=True)
        return 1
    shown, heading = _bounded(rows, heading)
    lines = layout.lines_of([len(row.cells) for row in shown], layout.detail(tall).columns)
    pages = list(layout.pages_of(lines, layout.detail(tall)))
    overview = draw_overview(heading, rows, len(pages) + 1, bounds)
    target.write_bytes(encode_jpeg(overview.canvas, _QUALITY))
    if document is not None:
        _append(overview, document, first=True)
        del overview
        for page in _details(heading, shown, pages, layout.detail(tall), bounds):
            _append(page, document, first=False)
    return len(pages) + 1


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
) -> Iterator[Page]:
    for number, lines in enumerate(pages, start=2):
        page = new_page(layout.PAGE.height, bounds)
        there = [
            replace(rows[line.row], cells=rows[line.row].cells[line.start : line.stop]) for line in lines
        ]
        draw_head(page, heading, there, f"page {number} of {len(pages) + 1}")
        _draw_lines(page, rows, lines, measure)
        draw_foot(page, heading)
        yield page


def _append(page: Page, document: Path, *, first: bool) -> None:
    # no dates and no names: the same sheet is the same file, and it gives nothing away before it is opened
    Image.fromarray(page.canvas).save(
        document,
        "PDF",
        resolution=layout.DPI,
        quality=_DOCUMENT_QUALITY,
        append=not first,
        title="Continuity sheet",
        creationDate=None,
        modDate=None,
    )
