"""What fitting a picture into a model's limits does to lengths in it. Sizes in pixels; limits as on a model's card."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circletake.domain import frames
from circletake.domain.frames import CannotFit, Size, SizeLimits


@dataclass(frozen=True, slots=True)
class Fit:
    """A size inside the limits. `scale`: its pixels per source pixel, the square root of the ratio of the areas."""

    width: int
    height: int
    scale: float


def fit_within(width: int, height: int, limits: Mapping[str, Any]) -> Fit:
    """Return the size a picture of this size is sent at. Raises CannotFit; the picture desk fits by the same rule."""
    source = Size(width, height)
    fitted = frames.fit_within(source, SizeLimits.of(limits))
    return Fit(fitted.width, fitted.height, math.sqrt(fitted.pixels / source.pixels))


def fit_problem(width: int, height: int, limits: Mapping[str, Any]) -> str | None:
    """Return why no size of this shape is inside the limits, and what to change; None when there is one."""
    if width < 1 or height < 1:
        return "the picture is empty"
    try:
        fit_within(width, height, limits)
    except CannotFit as fault:
        return str(fault)
    return None


def inside(width: int, height: int, limits: Mapping[str, Any]) -> bool:
    """Say whether a size, taken as it is, keeps the limits."""
    return width > 0 and height > 0 and SizeLimits.of(limits).allow(Size(width, height))


def scale_pixels(pixels: int, scale: float) -> int:
    """Return a length of the source in pixels of the fitted copy: rounded half up, and never from some to none."""
    if pixels == 0:
        return 0
    return max(1, math.floor(pixels * scale + 0.5))
