"""Sizes and places of pictures: fitting a model's limits, growing a canvas, laying out a sheet. Units are pixels."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

SIDES = ("left", "right", "up", "down")


class CannotFit(ValueError):
    """No size keeps the picture's shape inside the limits. The message says which limit and what to change."""


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    @property
    def ratio(self) -> float:
        """Long side over short side, never below 1."""
        return max(self.width, self.height) / min(self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True, slots=True)
class Box:
    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column that is no longer inside."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row that is no longer inside."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """What sizes a model takes. `max_ratio` is long side over short side; None sets no limit."""

    min_side: int = 1
    max_side: int | None = None
    min_pixels: int = 1
    max_pixels: int | None = None
    max_ratio: float | None = None
    multiple_of: int = 1

    @classmethod
    def of(cls, limits: Mapping[str, Any]) -> "SizeLimits":
        """Take the size keys out of a catalogue entry's limits; other keys and None values are left alone."""
        known = {name: limits[name] for name in cls.__slots__ if limits.get(name) is not None}
        return cls(**known)

    def allow(self, size: Size) -> bool:
        return (
            min(size.width, size.height) >= self.min_side
            and size.pixels >= self.min_pixels
            and (self.max_side is None or max(size.width, size.height) <= self.max_side)
            and (self.max_pixels is None or size.pixels <= self.max_pixels)
            and (self.max_ratio is None or size.ratio <= self.max_ratio + 1e-9)
            and size.width % self.multiple_of == 0
            and size.height % self.multiple_of == 0
        )


def fit_within(size: Size, limits: SizeLimits) -> Size:
    """Return the size nearest to the source's own that a model takes, in the same shape up to rounding.

    Nothing is cropped or padded: a shape the model doesn't take raises CannotFit. A picture that is too small is
    enlarged. Where `multiple_of` forces rounding, the two sides are rounded so that the shape changes least.
    """
    if limits.allow(size):
        return size
    if limits.max_ratio is not None and size.ratio > limits.max_ratio + 1e-9:
        raise CannotFit(
            f"the picture is {size.ratio:.2f}:1, this model takes at most {limits.max_ratio:g}:1; "
            "crop it or choose another model"
        )
    smallest, largest = _scale_range(size, limits)
    if smallest > largest * (1 + 1e-9):
        raise CannotFit(
            f"a picture of {size} has no size that is both large and small enough for this model; "
            "crop it or choose another model"
        )
    scale = min(max(1.0, smallest), largest)
    wanted = Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    candidates = [
        found
        for width, height in product(
            _steps(size.width * scale, limits.multiple_of), _steps(size.height * scale, limits.multiple_of)
        )
        if limits.allow(found := Size(width, height))
    ]
    if not candidates:
        raise CannotFit(
            f"no size near {wanted} is a multiple of {limits.multiple_of} inside this model's limits; "
            "crop the picture or choose another model"
        )
    return min(
        candidates,
        key=lambda found: (round(abs(math.log(found.aspect / size.aspect)), 3), -found.pixels),
    )


def _scale_range(size: Size, limits: SizeLimits) -> tuple[float, float]:
    smallest = max(limits.min_side / min(size.width, size.height), math.sqrt(limits.min_pixels / size.pixels))
    largest = math.inf
    if limits.max_side is not None:
        largest = min(largest, limits.max_side / max(size.width, size.height))
    if limits.max_pixels is not None:
        largest = min(largest, math.sqrt(limits.max_pixels / size.pixels))
    return smallest, largest


def _steps(length: float, multiple: int) -> tuple[int, ...]:
    below = int(length // multiple) * multiple
    return tuple(step for step in (below - multiple, below, below + multiple) if step > 0)


def fit_inside(size: Size, box: Size, *, enlarge: bool = False) -> Size:
    """Return the largest size of the same shape inside `box`; at least one pixel on each side."""
    scale = min(box.width / size.width, box.height / size.height)
    if not enlarge:
        scale = min(1.0, scale)
    return Size(
        min(box.width, max(1, round(size.width * scale))),
        min(box.height, max(1, round(size.height * scale))),
    )


def centred(size: Size, box: Box) -> Box:
    """Place `size` in the middle of `box`."""
    return Box(
        box.left + (box.width - size.width) // 2,
        box.top + (box.height - size.height) // 2,
        size.width,
        size.height,
    )


def same_shape(one: Size, other: Size, *, tolerance: float = 0.035) -> bool:
    """Tell whether one is the other scaled, up to `tolerance` of the aspect (rounding to 64 at 1024 needs 3 %)."""
    return abs(math.log(one.aspect / other.aspect)) <= tolerance


def extended(size: Size, extend: Mapping[str, int]) -> tuple[Size, Box]:
    """Grow a canvas by `extend` (left right up down, in pixels); return it and the plate's place in it.

    Raises ValueError on an unknown side, a negative number or when nothing grows.
    """
    unknown = set(extend) - set(SIDES)
    if unknown or any(value < 0 for value in extend.values()):
        raise ValueError("extend takes left, right, up and down, in pixels, none below 0")
    if not any(extend.values()):
        raise ValueError("extend must grow at least one side")
    left, right, up, down = (int(extend.get(side, 0)) for side in SIDES)
    return Size(size.width + left + right, size.height + up + down), Box(left, up, size.width, size.height)


def bands(height: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cut a height into bands of at most `rows`; yields (first, first not inside)."""
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet of equal cells. `frame` is where a picture goes in a cell, the caption stands below it."""

    sheet: Size
    columns: int
    frame: Size
    cells: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class GridStyle:
    """Distances of a sheet. `shape` is the height over width a whole sheet should come near to."""

    width: int = 2400
    margin: int = 56
    gap: int = 28
    header: int = 172
    caption: int = 128
    footer: int = 56
    min_cell: int = 330
    max_frame_height: int = 1290
    shape: float = 0.68


def grid_for(count: int, aspect: float, style: GridStyle) -> Grid:
    """Lay out `count` cells whose pictures have about this width over height, in rows of equal length.

    The number of columns is the one whose sheet comes nearest to the style's shape with the fewest empty cells.
    """
    if count < 1:
        raise ValueError("a sheet has at least one cell")
    inner = style.width - 2 * style.margin
    most = max(1, min(count, (inner + style.gap) // (style.min_cell + style.gap)))

    def plan(columns: int) -> tuple[Size, int]:
        cell = (inner - (columns - 1) * style.gap) // columns
        frame = Size(cell, max(1, min(style.max_frame_height, round(cell / aspect))))
        rows = math.ceil(count / columns)
        height = rows * (frame.height + style.caption) + (rows - 1) * style.gap
        return frame, style.header + height + style.footer

    def misfit(columns: int) -> float:
        frame, height = plan(columns)
        empty = math.ceil(count / columns) * columns - count
        letterbox = abs(math.log(frame.aspect / aspect))
        return abs(math.log(height / (style.shape * style.width))) + 0.5 * empty / columns + 0.5 * letterbox

    columns = min(range(1, most + 1), key=misfit)
    frame, height = plan(columns)
    cells = tuple(
        Box(
            style.margin + (index % columns) * (frame.width + style.gap),
            style.header + (index // columns) * (frame.height + style.caption + style.gap),
            frame.width,
            frame.height + style.caption,
        )
        for index in range(count)
    )
    return Grid(Size(style.width, height), columns, frame, cells)
