"""The first page of a long check: what breaks, large, and below it every character's whole course."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity import cells, ink, layout
from circletake.adapters.vision.continuity.lanes import SECTION, draw_lanes
from circletake.adapters.vision.continuity.page import Heading, Page, draw_foot, draw_head, new_page
from circletake.adapters.vision.continuity.pdf import Word
from circletake.adapters.vision.continuity.words import verdict_words
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell, ContinuityRow

_LEFT, _WIDTH = layout.MARGIN, layout.PAGE.width - 2 * layout.MARGIN
_PAIR_GAP = 22


@dataclass(frozen=True, slots=True)
class _Pair:
    """The sizes of a reference and the crop beside it."""

    width: int
    reference: int

    @property
    def across(self) -> int:
        return (_WIDTH + _PAIR_GAP) // (self.width + _PAIR_GAP)

    @property
    def crop(self) -> int:
        return self.width - self.reference - 12

    @property
    def height(self) -> int:
        return self.crop + 142


_SMALL, _LARGE = _Pair(276, 104), _Pair(456, 172)
_FEW_ROWS = 6  # leave room for large pairs


@dataclass(frozen=True, slots=True)
class _Shown:
    row: ContinuityRow
    cell: ContinuityCell


def draw_overview(heading: Heading, rows: Sequence[ContinuityRow], aside: str, bounds: Bounds) -> Page:
    """Draw the first page; `aside` says where the others are."""
    page = new_page(layout.PAGE.height, bounds)
    draw_head(page, heading, rows, aside)
    top = _draw_strip(page, rows, layout.HEAD)
    draw_lanes(page, rows, Box(_LEFT, top, _WIDTH, page.height - layout.FOOT - 16 - top))
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
    top += SECTION
    pair = _LARGE if len(shown) <= _LARGE.across and len(rows) <= _FEW_ROWS else _SMALL
    for index, one in enumerate(shown):
        left = _LEFT + (index % pair.across) * (pair.width + _PAIR_GAP)
        _draw_pair(page, one, pair, left, top + (index // pair.across) * pair.height)
    return top + ((len(shown) - 1) // pair.across + 1) * pair.height + 4


def _worst(rows: Sequence[ContinuityRow]) -> tuple[list[_Shown], int]:
    """Return the broken cells, then those a person decides, the lowest scores where not all fit; in story order."""
    chosen: list[_Shown] = []
    wanted = 0
    room = 2 * _SMALL.across
    for verdict in (Verdict.FAIL, Verdict.NEEDS_HUMAN):
        these = [_Shown(row, cell) for row in rows for cell in row.cells if cell.verdict == verdict]
        wanted += len(these)
        places = sorted(range(len(these)), key=lambda index: _score(these[index]))[: room - len(chosen)]
        chosen += [these[index] for index in sorted(places)]
        room = math.ceil(max(1, len(chosen)) / _SMALL.across) * _SMALL.across
    return chosen, wanted - len(chosen)


def _score(shown: _Shown) -> float:
    return -1.0 if shown.cell.score is None else shown.cell.score


def _draw_pair(page: Page, shown: _Shown, pair: _Pair, left: int, top: int) -> None:
    reference = Box(left, top + 8, pair.reference, pair.reference)
    cells.draw_references(page.canvas, page.letters, shown.row.references[:1], reference, page.bounds)
    crop = Box(left + pair.width - pair.crop, top + 8, pair.crop, pair.crop)
    cells.draw_crop(page.canvas, page.letters, shown.cell, crop, page.bounds)
    caption = Box(left, crop.bottom, pair.width, pair.height - pair.crop - 20)
    cells.draw_caption(page.letters, shown.cell, caption)
    said = f"{shown.row.name} {shown.cell.label} {verdict_words(shown.cell)}"
    page.words.append(Word(said, left, caption.top + 50, 16))
    size = 18 if pair is _SMALL else 24
    for index, words in enumerate(page.letters.wrapped(shown.row.name, size, pair.reference, most=2)):
        at = (left, reference.bottom + 6 + (size + 3) * index)
        page.letters.line(words, at, size, ink.BRIGHT, heavy=True)
