"""What scores with known answers are worth: ranking and calibration, weighted so that people can be resampled.

Pairs of one person aren't independent of each other, people are: intervals come from drawing people anew (Efron 1979).
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_BINS = 10
_LEAST_GROUPS = 3
_LEAST_DRAWN = 20


@dataclass(frozen=True, slots=True)
class Scored:
    """One pair: a higher score says more likely the same. `groups`: whom it is about, one or two people."""

    score: float
    same: bool
    groups: tuple[str, ...] = ()


class OneClassOnly(Exception):
    """There are no pairs of one class; nothing can be told apart."""


def bootstrap(groups: Sequence[tuple[str, ...]], resamples: int, seed: int) -> list[list[float]]:
    """Return `resamples` weightings of rows, each from drawing as many groups as there are, with replacement.

    A row of two groups counts as often as both were drawn. Empty when there are too few groups to draw from.
    """
    names = sorted({name for own in groups for name in own})
    if len(names) < _LEAST_GROUPS or any(not own for own in groups):
        return []
    dice = random.Random(seed)  # noqa: S311 - statistics, not secrets
    kinds = {own: place for place, own in enumerate(dict.fromkeys(groups))}
    of = [kinds[own] for own in groups]
    found: list[list[float]] = []
    for _ in range(resamples):
        times = Counter(dice.choices(names, k=len(names)))
        weights = [float(math.prod(times[name] for name in set(own))) for own in kinds]
        found.append([weights[place] for place in of])
    return found


def percentiles(drawn: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the 2.5th and the 97.5th percentile; Nones when there is too little to say."""
    if len(drawn) < _LEAST_DRAWN:
        return None, None
    ordered = sorted(drawn)
    last = len(ordered) - 1
    return ordered[round(0.025 * last)], ordered[round(0.975 * last)]


def auc(rows: Sequence[Scored]) -> float:
    """Return the chance that a same pair scores above a different one; ties count half. Raises OneClassOnly."""
    same, different = _counts(rows)
    below, right = 0, 0.0
    for _, tied in groupby(sorted(rows, key=lambda row: row.score), key=lambda row: row.score):
        here = [row.same for row in tied]
        apart = len(here) - sum(here)
        right += sum(here) * (below + apart / 2)
        below += apart
    return right / (same * different)


def balanced_ece(rows: Sequence[Scored]) -> float:
    """Return the expected calibration error in ten equal bins, both classes weighing half (a prior of 0.5).

    Scores are probabilities. Raises OneClassOnly.
    """
    gaps = [0.0] * _BINS
    for row, share in zip(rows, _shares(rows), strict=True):
        gaps[min(_BINS - 1, max(0, int(row.score * _BINS)))] += share * (row.score - row.same)
    return sum(map(abs, gaps))


def balanced_brier(rows: Sequence[Scored]) -> float:
    """Return the mean squared error of the probabilities, both classes weighing half. Raises OneClassOnly."""
    return sum(share * (row.score - row.same) ** 2 for row, share in zip(rows, _shares(rows), strict=True))


def _shares(rows: Sequence[Scored]) -> list[float]:
    same, different = _counts(rows)
    return [0.5 / (same if row.same else different) for row in rows]


def _counts(rows: Sequence[Scored]) -> tuple[int, int]:
    same = sum(row.same for row in rows)
    if same in {0, len(rows)}:
        raise OneClassOnly("pairs of both classes are needed: same and different")
    return same, len(rows) - same
