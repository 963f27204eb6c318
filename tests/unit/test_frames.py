"""Sizes: what a model gets, how a canvas grows, how a sheet is laid out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.frames import (
    Box,
    CannotFit,
    GridStyle,
    Size,
    SizeLimits,
    bands,
    centred,
    extended,
    fit_inside,
    fit_within,
    grid_for,
    same_shape,
)

sides = st.integers(64, 16_384)


@given(width=sides, height=sides, multiple=st.sampled_from([1, 8, 16, 64]))
def test_a_fitted_size_is_always_inside_the_limits(width, height, multiple):
    """Whatever the plate's size, what is sent is inside the model's limits and keeps the shape up to rounding."""
    limits = SizeLimits(64, 4096, 4096, 9_437_184, 2.5, multiple)
    size = Size(width, height)
    try:
        fitted = fit_within(size, limits)
    except CannotFit:
        assert size.ratio > 2.5 or multiple > 1
        return
    assert limits.allow(fitted)
    step = multiple / min(fitted.width, fitted.height)
    assert abs(math.log(fitted.aspect / size.aspect)) <= 2.5 * step


def test_a_size_the_model_takes_is_left_alone():
    """A plate inside the limits is not resampled."""
    assert fit_within(Size(1920, 1080), SizeLimits(64, None, 4096, 9_437_184)) == Size(1920, 1080)


@pytest.mark.parametrize(
    ("size", "limits", "fitted"),
    [
        (Size(4096, 2160), SizeLimits(max_pixels=9_437_184), Size(4096, 2160)),
        (Size(8192, 4320), SizeLimits(max_pixels=9_437_184), Size(4230, 2231)),
        (Size(3840, 2160), SizeLimits(max_side=1536), Size(1536, 864)),
        (Size(40, 30), SizeLimits(min_side=64), Size(85, 64)),
        (Size(1920, 1080), SizeLimits(max_side=1280, multiple_of=64), Size(1280, 704)),
    ],
)
def test_fitting_known_formats(size, limits, fitted):
    """Film and phone formats come out at the sizes a supervisor would expect."""
    assert fit_within(size, limits) == fitted


def test_a_shape_the_model_does_not_take_is_refused():
    """A panorama isn't squeezed or cropped behind the user's back: the message says what to do."""
    with pytest.raises(CannotFit, match=r"at most 2\.5:1; crop it"):
        fit_within(Size(4000, 1000), SizeLimits(max_ratio=2.5))


def test_limits_ignore_what_is_not_a_size():
    """A catalogue entry's other limits don't get in the way."""
    assert SizeLimits.of(
        {"min_side": 64, "max_pixels": None, "max_bytes": 9, "prompt": 10_000}
    ) == SizeLimits(64)


@given(width=sides, height=sides)
def test_a_picture_inside_a_box_never_sticks_out(width, height):
    """A thumbnail stays inside its frame and in its middle."""
    frame = Box(10, 20, 640, 360)
    place = centred(fit_inside(Size(width, height), Size(640, 360)), frame)
    assert place.left >= frame.left
    assert place.top >= frame.top
    assert place.right <= frame.right
    assert place.bottom <= frame.bottom


def test_extending_moves_the_plate_right_and_down():
    """left and up push the plate, right and down don't."""
    assert extended(Size(100, 50), {"left": 30, "up": 5, "down": 1}) == (Size(130, 56), Box(30, 5, 100, 50))


@pytest.mark.parametrize("extend", [{}, {"left": 0}, {"left": -1, "right": 5}, {"sideways": 3}])
def test_extending_by_nothing_or_nonsense_is_refused(extend):
    """A request that grows no side, or shrinks one, is an error and not a copy of the plate."""
    with pytest.raises(ValueError, match="extend"):
        extended(Size(100, 50), extend)


def test_rounding_to_64_is_the_same_shape_but_a_square_is_not():
    """A model that rounds its sides still matches; a model that answered with a square doesn't."""
    assert same_shape(Size(1280, 704), Size(1920, 1080))
    assert not same_shape(Size(1024, 1024), Size(1920, 1080))


@given(height=st.integers(1, 5000), rows=st.integers(1, 300))
def test_bands_cover_every_row_once(height, rows):
    """No row of a plate is blended twice or left out."""
    assert [row for first, last in bands(height, rows) for row in range(first, last)] == list(range(height))


@given(count=st.integers(1, 60), aspect=st.floats(0.4, 3.2))
def test_cells_of_a_sheet_never_overlap_or_leave_it(count, aspect):
    """However many takes, each has its own place on the sheet, wide enough for its caption."""
    style = GridStyle()
    grid = grid_for(count, aspect, style)
    assert len(grid.cells) == count
    for index, cell in enumerate(grid.cells):
        assert cell.width >= style.min_cell
        assert style.margin <= cell.left
        assert cell.right <= style.width - style.margin
        assert style.header <= cell.top
        assert cell.bottom <= grid.sheet.height
        for other in grid.cells[index + 1 :]:
            apart = (
                other.left >= cell.right
                or other.right <= cell.left
                or other.top >= cell.bottom
                or other.bottom <= cell.top
            )
            assert apart
