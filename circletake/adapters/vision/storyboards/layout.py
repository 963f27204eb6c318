"""Where panels stand on a storyboard's pages. Pure arithmetic; pixels of an A4 landscape page at 200 dpi."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from circletake.domain.frames import Box, Size

PAGE = Size(2339, 1654)
DPI = 200
MARGIN = 70
HEAD = 168
FOOT = 104
GAP = 42  # between two panels side by side
BETWEEN = 30  # between two rows
NAME = 52  # the line over a picture: number, shot, length
UNDER = 14  # between a picture and its words
LETTERS = 23
LINE = 30
_UPRIGHT = 0.8  # width over height; below it more panels stand side by side
_COLUMNS, _COLUMNS_UPRIGHT = 3, 5
_HIGHEST, _HIGHEST_UPRIGHT = 440, 640
_LOWEST = 280
_FEWEST_LINES = 3  # of a panel's words, ahead of a page's end


@dataclass(frozen=True, slots=True)
class Cell:
    """Lines `start` to `stop` (not inside) of a panel's words; with its picture where they are the first."""

    panel: int
    start: int
    stop: int

    @property
    def first(self) -> bool:
        return self.start == 0


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side. `top` in pixels from the page's upper edge; `picture`: whether their pictures are in it."""

    top: int
    picture: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """How many panels stand side by side and how large their pictures are."""

    columns: int
    frame: Size

    @property
    def fixed(self) -> int:
        """A row's height without words."""
        return NAME + self.frame.height + UNDER

    @property
    def usual(self) -> int:
        """How many lines of words a panel has room for when two rows fill a page."""
        return max(_FEWEST_LINES, ((_room() - BETWEEN) // 2 - self.fixed) // LINE)

    def left(self, column: int) -> int:
        return MARGIN + column * (self.frame.width + GAP)

    def picture_box(self, column: int, top: int) -> Box:
        return Box(self.left(column), top + NAME, self.frame.width, self.frame.height)


def _room() -> int:
    return PAGE.height - HEAD - FOOT


def measure_for(aspects: Sequence[float]) -> Measure:
    """Choose the frame for pictures of these widths over heights; each stands whole in it."""
    aspect = statistics.median(aspects) if aspects else 16 / 9
    upright = aspect < _UPRIGHT
    columns = _COLUMNS_UPRIGHT if upright else _COLUMNS
    width = (PAGE.width - 2 * MARGIN - (columns - 1) * GAP) // columns
    highest = _HIGHEST_UPRIGHT if upright else _HIGHEST
    return Measure(columns, Size(width, round(min(highest, max(_LOWEST, width / aspect)))))


def pages_of(lines: Sequence[int], measure: Measure) -> list[list[Row]]:
    """Lay panels out on pages; `lines` is how many lines of words each has. No line is left out.

    Words that are longer than their row has room for go on in a row of their own without pictures.
    """
    flow = _Flow()
    for start in range(0, len(lines), measure.columns):
        flow.row(range(start, min(len(lines), start + measure.columns)), lines, measure)
    return flow.pages or [[]]


class _Flow:
    def __init__(self) -> None:
        self.pages: list[list[Row]] = []
        self._left = 0

    def row(self, panels: range, lines: Sequence[int], measure: Measure) -> None:
        longest = max(lines[each] for each in panels)
        wanted = measure.fixed + max(longest, measure.usual) * LINE
        least = measure.fixed + min(longest, measure.usual) * LINE
        if self._left < least:
            self._turn()
        fitting = max(0, (self._left - measure.fixed) // LINE)
        cells = tuple(Cell(each, 0, min(lines[each], fitting)) for each in panels)
        self._place(cells, min(wanted, self._left), picture=True)
        while any(cell.stop < lines[cell.panel] for cell in cells):
            cells = self._rest(cells, lines)

    def _rest(self, cells: tuple[Cell, ...], lines: Sequence[int]) -> tuple[Cell, ...]:
        """Place the lines that found no room; every panel keeps its column."""
        if self._left < NAME + _FEWEST_LINES * LINE:
            self._turn()
        fitting = (self._left - NAME) // LINE
        rest = tuple(
            Cell(cell.panel, cell.stop, min(lines[cell.panel], cell.stop + fitting)) for cell in cells
        )
        longest = max(cell.stop - cell.start for cell in rest)
        self._place(rest, NAME + longest * LINE, picture=False)
        return rest

    def _turn(self) -> None:
        self.pages.append([])
        self._left = _room()

    def _place(self, cells: tuple[Cell, ...], height: int, *, picture: bool) -> None:
        self.pages[-1].append(Row(HEAD + _room() - self._left, picture, cells))
        self._left -= height + BETWEEN
