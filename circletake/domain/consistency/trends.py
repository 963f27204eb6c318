"""Slow change apart from single outliers, in short and noisy series.

Slope: the median of all pairs' slopes (Theil 1950, Sen 1968), which up to 29 % of wild points can't turn; of a long
series a regular part of its pairs stands for all. Test: Mann 1945 and Kendall 1938 for a falling order, exact up to
twelve points, normal approximation above. A fall in one step is told from a slow one by which of the two lies closer
to the points.
"""

import math
import statistics
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

_EXACT_UP_TO = 12
_MAD_TO_SD = 1.4826  # of a normal distribution
_ENOUGH_PAIRS = 2000  # every pair up to 63 points; a season's line would have 60,000
_STEP_WINS = 0.75  # a step must explain this much better than a slope; of two that are equal, slow is assumed


@dataclass(frozen=True, slots=True)
class Trend:
    """`slope` per position; `change` over the whole series (negative: it falls); `p_value` one-sided, for a fall.

    `step_at`: the index where it falls at once, None for a slow fall or none.
    """

    slope: float
    intercept: float
    change: float
    p_value: float
    step_at: int | None

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x


def trend(xs: Sequence[float], ys: Sequence[float]) -> Trend:
    """Return the robust trend of ys over rising xs. Raises ValueError below three points."""
    if len(xs) != len(ys) or len(xs) < 3:  # noqa: PLR2004
        raise ValueError("a trend needs three points or more")
    slope = statistics.median((ys[j] - ys[i]) / (xs[j] - xs[i]) for i, j in _pairs(len(xs)) if xs[j] != xs[i])
    intercept = statistics.median(y - slope * x for x, y in zip(xs, ys, strict=True))
    linear = sum(abs(y - intercept - slope * x) for x, y in zip(xs, ys, strict=True))
    at, stepped = _best_step(ys)
    step_at = at if slope < 0 and stepped < _STEP_WINS * linear else None
    return Trend(slope, intercept, slope * (xs[-1] - xs[0]), falling_p_value(ys), step_at)


def _pairs(points: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a series: all, or those whose distance is a multiple of a stride, so that every point and
    every distance has the same part in it."""
    stride = max(1, math.ceil(points * (points - 1) / 2 / _ENOUGH_PAIRS))
    for distance in range(stride, points, stride):
        for at in range(points - distance):
            yield at, at + distance


def _best_step(ys: Sequence[float]) -> tuple[int, float]:
    before, after = _spreads(ys), _spreads(ys[::-1])
    return min(
        ((at, before[at - 1] + after[len(ys) - at - 1]) for at in range(2, len(ys) - 1)),
        key=lambda c: c[1],
        default=(0, math.inf),
    )


def _spreads(ys: Sequence[float]) -> list[float]:
    """Return the summed distance from their median, of the first value, the first two, and so on."""
    found: list[float] = []
    ordered: list[float] = []
    for y in ys:
        insort(ordered, y)
        half = len(ordered) // 2
        found.append(sum(ordered[len(ordered) - half :]) - sum(ordered[:half]))
    return found


def falling_p_value(ys: Sequence[float]) -> float:
    """Return how likely an order that falls at least this much is by chance (Mann and Kendall, one-sided)."""
    n = len(ys)
    falling = rising = 0
    earlier: list[float] = []
    for y in ys:
        falling += len(earlier) - bisect_right(earlier, y)
        rising += bisect_left(earlier, y)
        insort(earlier, y)
    if n <= _EXACT_UP_TO:
        ties = n * (n - 1) // 2 - falling - rising
        counts = _inversions(n)
        # a tie is half a fall, rounded against the finding
        return sum(counts[falling + ties // 2 :]) / math.factorial(n)
    variance = n * (n - 1) * (2 * n + 5) / 18
    z = (falling - rising - 1) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2))


@cache
def _inversions(n: int) -> tuple[int, ...]:
    """How many orders of n things have 0, 1, 2 … pairs the wrong way round."""
    counts = [1]
    for size in range(2, n + 1):
        counts = [
            sum(counts[k - moved] for moved in range(size) if 0 <= k - moved < len(counts))
            for k in range(len(counts) + size - 1)
        ]
    return tuple(counts)


def robust_z(value: float, others: Sequence[float], *, least_spread: float) -> float:
    """Return how far a value lies from the others' median, in robust standard deviations (median absolute deviation,
    never below `least_spread`, or three alike neighbours would make anything an outlier)."""
    middle = statistics.median(others)
    spread = _MAD_TO_SD * statistics.median(abs(other - middle) for other in others)
    return (value - middle) / max(spread, least_spread)
