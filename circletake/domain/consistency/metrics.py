"""How well scores tell the same from different, and whether probabilities mean what they say.

Figures are weighted, so that an interval can be drawn by resampling people instead of pairs (Efron 1979): pairs of
one person aren't independent of each other, people are.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

RESAMPLES = 300
_BINS = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """One pair: a higher score says more likely the same. `groups`: whom it is about, one or two people."""

    score: float
    same: bool
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; None where nothing could be resampled."""

    value: float
    low: float | None
    high: float | None

    def as_json(self) -> dict[str, float | None]:
        ends = {"low": self.low, "high": self.high}
        return {"value": round(self.value, 5)} | {
            name: None if end is None else round(end, 5) for name, end in ends.items()
        }


@dataclass(frozen=True, slots=True)
class Metrics:
    """`ece` and `brier` only where the scores are probabilities."""

    same: int
    different: int
    people: int
    auc: Figure
    eer: Figure
    tar_far_1e_2: Figure
    tar_far_1e_3: Figure
    ece: Figure | None = None
    brier: Figure | None = None

    def as_json(self) -> dict[str, Any]:
        own = {
            "auc": self.auc,
            "eer": self.eer,
            "tar_far_1e-2": self.tar_far_1e_2,
            "tar_far_1e-3": self.tar_far_1e_3,
            "ece": self.ece,
            "brier": self.brier,
        }
        counts: dict[str, Any] = {"same": self.same, "different": self.different, "people": self.people}
        return counts | {name: each.as_json() for name, each in own.items() if each is not None}


Weights = Sequence[float]
Metric = Callable[[Sequence[Scored], Weights], float]


class OneClassOnly(Exception):
    """There are no pairs of one class; nothing can be told apart."""


def measure(
    rows: Sequence[Scored], *, probabilities: bool, resamples: int = RESAMPLES, seed: int = 1
) -> Metrics:
    """Return all figures of these pairs with their intervals. Raises OneClassOnly."""
    names: dict[str, Metric] = {"auc": auc, "eer": eer, "2": _tar(0.01), "3": _tar(0.001)}
    if probabilities:
        names |= {"ece": balanced_ece, "brier": balanced_brier}
    ordered = sorted(rows, key=lambda row: -row.score)
    found = intervals(ordered, list(names.values()), resamples=resamples, seed=seed)
    figures = dict(zip(names, found, strict=True))
    return Metrics(
        same=sum(row.same for row in rows),
        different=sum(not row.same for row in rows),
        people=len({group for row in rows for group in row.groups}),
        auc=figures["auc"],
        eer=figures["eer"],
        tar_far_1e_2=figures["2"],
        tar_far_1e_3=figures["3"],
        ece=figures.get("ece"),
        brier=figures.get("brier"),
    )


def intervals(
    rows: Sequence[Scored], metrics: Sequence[Metric], *, resamples: int = RESAMPLES, seed: int = 1
) -> list[Figure]:
    """Return each metric with its 95 % interval by bootstrap over the groups of the rows, with a fixed seed.

    A pair of two people counts as often as both were drawn. Draws without one of the classes are left out; with
    fewer than three groups there is no interval.
    """
    ones = [1.0] * len(rows)
    values = [metric(rows, ones) for metric in metrics]
    drawn: list[list[float]] = [[] for _ in metrics]
    for weights in bootstrap([row.groups for row in rows], resamples, seed):
        if not _both(rows, weights):
            continue
        for place, metric in enumerate(metrics):
            drawn[place].append(metric(rows, weights))
    return [Figure(value, *percentiles(own)) for value, own in zip(values, drawn, strict=True)]


def bootstrap(groups: Sequence[tuple[str, ...]], resamples: int, seed: int) -> list[list[float]]:
    """Return `resamples` weightings of rows, each from drawing as many groups as there are, with replacement."""
    names = sorted({name for own in groups for name in own})
    if len(names) < 3 or any(not own for own in groups):  # noqa: PLR2004
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
    if len(drawn) < 20:  # noqa: PLR2004
        return None, None
    ordered = sorted(drawn)
    last = len(ordered) - 1
    return ordered[round(0.025 * last)], ordered[round(0.975 * last)]


def auc(rows: Sequence[Scored], weights: Weights | None = None) -> float:
    """Return the chance that a same pair scores above a different one; ties count half."""
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(_curve(rows, weights)))


def eer(rows: Sequence[Scored], weights: Weights | None = None) -> float:
    """Return the error where as many same pairs are refused as different ones accepted."""
    x0, y0 = 0.0, 0.0
    for x1, y1 in _curve(rows, weights):
        if x1 >= 1 - y1:
            before, after = (1 - y0) - x0, x1 - (1 - y1)
            share = before / (before + after) if before + after > 0 else 0.0
            return x0 + share * (x1 - x0)
        x0, y0 = x1, y1
    return 1.0


def tar_at_far(rows: Sequence[Scored], far: float, weights: Weights | None = None) -> float:
    """Return the share of same pairs accepted while at most `far` of the different ones are."""
    return max(y for x, y in _curve(rows, weights) if x <= far + 1e-12)


def balanced_ece(rows: Sequence[Scored], weights: Weights | None = None) -> float:
    """Return the expected calibration error in ten equal bins, both classes weighing half (a prior of 0.5)."""
    shares = _shares(rows, weights)
    gaps = [0.0] * _BINS
    for row, share in zip(rows, shares, strict=True):
        gaps[min(_BINS - 1, max(0, int(row.score * _BINS)))] += share * (row.score - row.same)
    return sum(map(abs, gaps))


def balanced_brier(rows: Sequence[Scored], weights: Weights | None = None) -> float:
    """Return the mean squared error of the probabilities, both classes weighing half."""
    shares = _shares(rows, weights)
    return sum(share * (row.score - row.same) ** 2 for row, share in zip(rows, shares, strict=True))


def _tar(far: float) -> Metric:
    return lambda rows, weights: tar_at_far(rows, far, weights)


def _shares(rows: Sequence[Scored], weights: Weights | None) -> list[float]:
    own = weights if weights is not None else [1.0] * len(rows)
    same, different = _totals(rows, own)
    return [w / (2 * (same if row.same else different)) for row, w in zip(rows, own, strict=True)]


def _curve(rows: Sequence[Scored], weights: Weights | None) -> list[tuple[float, float]]:
    """Return the ROC from (0, 0) to (1, 1): (share of different accepted, share of same accepted) per threshold."""
    own = weights if weights is not None else [1.0] * len(rows)
    same, different = _totals(rows, own)
    pairs = sorted(zip(rows, own, strict=True), key=lambda pair: -pair[0].score)
    points = [(0.0, 0.0)]
    wrong, right = 0.0, 0.0
    for _, tied in groupby(pairs, key=lambda pair: pair[0].score):
        for row, weight in tied:
            if row.same:
                right += weight
            else:
                wrong += weight
        points.append((wrong / different, right / same))
    return points


def _totals(rows: Sequence[Scored], weights: Weights) -> tuple[float, float]:
    same = sum(w for row, w in zip(rows, weights, strict=True) if row.same)
    different = sum(w for row, w in zip(rows, weights, strict=True) if not row.same)
    if same <= 0 or different <= 0:
        raise OneClassOnly("pairs of both classes are needed: same and different")
    return same, different


def _both(rows: Sequence[Scored], weights: Weights) -> bool:
    return any(w and row.same for row, w in zip(rows, weights, strict=True)) and any(
        w and not row.same for row, w in zip(rows, weights, strict=True)
    )
