"""How a picture is fitted into a model's limits. Sizes in pixels; pictures are made smaller, never larger."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any


@dataclass(frozen=True, slots=True)
class Fit:
    """A size inside the limits. `scale`: its pixels per source pixel, along the longer side."""

    width: int
    height: int
    scale: float


def fit_within(width: int, height: int, limits: Mapping[str, Any]) -> Fit:
    """Return the largest size inside `max_side`, `max_pixels` and, where rounding broke it, `max_ratio`.

    Both sides are rounded down, so no limit is passed by a rounding; the picture's proportions change by less
    than one pixel. A picture that is inside already keeps its size. Minimum sides are not reached by enlarging:
    see `fit_problems`.
    """
    if width < 1 or height < 1:
        raise ValueError("a picture has at least one pixel")
    candidates = [(width, height)]
    max_side = limits.get("max_side")
    longest = max(width, height)
    if max_side is not None and longest > max_side:
        candidates.append((width * max_side // longest, height * max_side // longest))
    max_pixels = limits.get("max_pixels")
    if max_pixels is not None and width * height > max_pixels:
        # floor(√(w·P/h)) · floor(√(h·P/w)) can't pass P
        candidates.append((isqrt(width * max_pixels // height), isqrt(height * max_pixels // width)))
    wide = max(1, min(wide for wide, _ in candidates))
    high = max(1, min(high for _, high in candidates))
    if (wide, high) != (width, height) and not _ratio_passed(width, height, limits):
        wide, high = _trim_to_ratio(wide, high, limits)
    scale = wide / width if width >= height else high / height
    return Fit(wide, high, scale)


def fit_problems(width: int, height: int, limits: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (code, message) of what fitting can't mend: too small, or too narrow for the model."""
    found: list[tuple[str, str]] = []
    ratio = limits.get("max_ratio")
    if _ratio_passed(width, height, limits):
        found.append(
            (
                "ratio",
                f"The picture is {width}×{height}; this model takes at most {ratio}:1. Crop it.",
            )
        )
    fit = fit_within(width, height, limits)
    least = limits.get("min_side", 1)
    if min(fit.width, fit.height) < least:
        found.append(
            (
                "too_small",
                f"The picture is {width}×{height}; each side must have {least} pixels or more once it fits the model.",
            )
        )
    elif fit.width * fit.height < limits.get("min_pixels", 1):
        found.append(
            (
                "too_small",
                f"The picture is {width}×{height}; it must have {limits['min_pixels']} pixels or more in all.",
            )
        )
    return found


def outside(width: int, height: int, limits: Mapping[str, Any]) -> bool:
    """Say whether a size, taken as it is, breaks the limits."""
    fit = fit_within(width, height, limits)
    return (fit.width, fit.height) != (width, height) or bool(fit_problems(width, height, limits))


def scale_pixels(pixels: int, scale: float) -> int:
    """Return a length of the source in pixels of the scaled copy: rounded half up, and never from some to none."""
    if pixels == 0:
        return 0
    return max(1, int(pixels * scale + 0.5))


def _ratio(limits: Mapping[str, Any]) -> Fraction | None:
    ratio = limits.get("max_ratio")
    return None if ratio is None else Fraction(str(ratio))


def _ratio_passed(width: int, height: int, limits: Mapping[str, Any]) -> bool:
    ratio = _ratio(limits)
    return ratio is not None and max(width, height) > ratio * min(width, height)


def _trim_to_ratio(width: int, height: int, limits: Mapping[str, Any]) -> tuple[int, int]:
    ratio = _ratio(limits)
    if ratio is None:
        return width, height
    if width >= height:
        return min(width, int(ratio * height)), height
    return width, min(height, int(ratio * width))
