"""Where things stand on a continuity sheet. Pure arithmetic; pixels of an A3 landscape page at 150 dpi."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from circletake.domain.frames import Box, Size

PAGE = Size(2480, 1754)
DPI = 150
MARGIN = 56
HEAD = 188
FOOT = 66
SIDE = 268  # the column of references
GAP = 16  # between two crops
BETWEEN = 26  # between two lines
SCENE = 32
LARGE = 200
_LARGEST = 360
_COMFORTABLE, _SMALLEST = 146, 126  # below it a crop tells nothing at arm's length
_DETAIL, _DETAIL_CURVE = 135, 64
_TALLEST_CURVE = 170


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of the crops of one page and how many stand in a line."""

    columns: int
    crop: Size
    curve: int = 90

    @property
    def large(self) -> bool:
        """Whether the crops are large enough for larger letters."""
        return self.crop.width >= LARGE

    @property
    def caption(self) -> int:
        return 142 if self.large else 118

    @property
    def line(self) -> int:
        return SCENE + self.crop.height + self.caption + self.curve

    def crop_box(self, column: int, top: int) -> Box:
        left = MARGIN + SIDE + column * (self.crop.width + GAP)
        return Box(left, top + SCENE, self.crop.width, self.crop.height)


@dataclass(frozen=True, slots=True)
class Line:
    """Cells `start` to `stop` (not inside) of a row."""

    row: int
    start: int
    stop: int

    @property
    def first(self) -> bool:
        return self.start == 0


def _crop(width: int, tallness: float) -> Size:
    return Size(width, round(width * tallness))


def lines_of(counts: Sequence[int], columns: int) -> list[Line]:
    """Cut every row into lines of about equal length; a row without cells has one empty line."""
    lines: list[Line] = []
    for row, count in enumerate(counts):
        parts = max(1, math.ceil(count / columns))
        size = math.ceil(count / parts)
        lines += [Line(row, part * size, min(count, (part + 1) * size)) for part in range(parts)]
    return lines


def one_page(counts: Sequence[int], tallness: float) -> Measure | None:
    """Return how everything fits on one page, in as few lines as leave the crops comfortable; None when it doesn't."""
    longest = max(1, *counts) if counts else 1
    inner = PAGE.width - 2 * MARGIN - SIDE
    tight = None
    for parts in range(1, 9):
        columns = math.ceil(longest / parts)
        width = min(_LARGEST, (inner + GAP) // columns - GAP)
        while width >= _SMALLEST:
            measure = Measure(columns, _crop(width, tallness))
            if _height(len(lines_of(counts, columns)), measure) <= PAGE.height:
                if width >= _COMFORTABLE:
                    return _filled(measure, len(lines_of(counts, columns)))
                tight = tight or _filled(measure, len(lines_of(counts, columns)))
                break
            width -= 4
    return tight


def _filled(measure: Measure, lines: int) -> Measure:
    """Give the curves what is left of the page."""
    left = (PAGE.height - _height(lines, measure)) // max(1, lines)
    return replace(measure, curve=min(_TALLEST_CURVE, measure.curve + left))


def _height(lines: int, measure: Measure) -> int:
    return HEAD + lines * (measure.line + BETWEEN) + FOOT


def sheet_height(lines: int, measure: Measure) -> int:
    return _height(max(1, lines), measure)


def detail(tallness: float) -> Measure:
    """The measure of a long document's pages."""
    inner = PAGE.width - 2 * MARGIN - SIDE
    return Measure((inner + GAP) // (_DETAIL + GAP), _crop(_DETAIL, tallness), _DETAIL_CURVE)


def pages_of(lines: Sequence[Line], measure: Measure) -> Iterator[Sequence[Line]]:
    """Deal lines out to pages."""
    each = max(1, (PAGE.height - HEAD - FOOT) // (measure.line + BETWEEN))
    for start in range(0, len(lines), each):
        yield lines[start : start + each]
