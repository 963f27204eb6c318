"""Fitting a calibration to decisions people made: what a score means in this production.

Platt's sigmoid with his smoothed targets (Platt 1999), both classes weighing half, so that the prior is 0.5 whatever
the mix of decisions; isotonic regression by pooling adjacent violators (Ayer et al. 1955) only where there is enough
of both classes, since with tens of pairs it steps and overfits. Errors are measured on groups that were left out.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from circletake.domain.consistency.calibration import EVEN, Calibration, probability, score
from circletake.domain.consistency.metrics import (
    Scored,
    balanced_brier,
    balanced_ece,
    bootstrap,
    percentiles,
)
from circletake.domain.consistency.words import Aspect, EvaluatorId

LEAST_OF_A_CLASS = 30
LEAST_GROUPS = 5
ISOTONIC_FROM = 1000  # of each class
_FOLDS = 5
_RESAMPLES = 200
_RIDGE = 1e-4  # keeps a perfectly separable fit finite
_BINS_OF_SCORES = 400  # a resample is fitted on scores put into so many bins
_BLOCKS = 60  # knots an isotonic fit may have

Method = Literal["platt", "isotonic", "auto"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One decision: the evaluator's raw values, whether it was the same, and whom it is about (a character: its
    pairs are not independent)."""

    values: tuple[float, ...]
    same: bool
    group: str


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float | None
    high: float | None

    def as_json(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit with what it is worth. `slope` and `threshold` belong to the sigmoid over the score it started from:
    log-odds = slope x (score - threshold). `ece` and `brier` are balanced and measured on groups left out."""

    calibration: Calibration
    method: Literal["platt", "isotonic"]
    same: int
    different: int
    groups: int
    ece: float
    brier: float
    slope: Interval
    threshold: Interval

    def as_json(self) -> dict[str, Any]:
        return {
            "calibration": self.calibration.as_json(),
            "method": self.method,
            "same": self.same,
            "different": self.different,
            "groups": self.groups,
            "ece": round(self.ece, 5),
            "brier": round(self.brier, 5),
            "slope": self.slope.as_json(),
            "threshold": self.threshold.as_json(),
        }


class TooLittleData(Exception):
    """Not enough decisions to fit on. `missing_*` say how many more it takes."""

    def __init__(self, missing_same: int, missing_different: int, missing_groups: int) -> None:
        self.missing_same = missing_same
        self.missing_different = missing_different
        self.missing_groups = missing_groups
        wants = {
            "that are the same": missing_same,
            "that are different": missing_different,
            "more characters": missing_groups,
        }
        listed = ", ".join(f"{count} {what}" for what, count in wants.items() if count)
        super().__init__(f"Too few decisions to fit on; still missing: {listed}.")


class NothingToLearn(Exception):
    """The scores don't rise with the decisions, or nobody can say that they do: no calibration comes of them."""


def starting_point(evaluator: EvaluatorId, aspect: Aspect, weights: Sequence[float]) -> Calibration:
    """Return an unfitted calibration with these directions, for an evaluator nobody has calibrated yet: one value
    that rises with likeness takes (1,), a distance (-1,)."""
    return Calibration(f"{evaluator}/{aspect.value}/raw", evaluator, aspect, tuple(weights), 0.0)


def fit(samples: Sequence[Sample], base: Calibration, *, method: Method = "auto", seed: int = 1) -> Fitted:
    """Fit what `base`'s score means. Weights keep their directions; slope and threshold (or the knots) are learnt.

    Intervals come from a bootstrap over groups with a fixed seed: the same decisions give the same fit. Raises
    TooLittleData below 30 of a class or 5 groups, for `isotonic` below 1000 of a class; NothingToLearn when the
    scores don't rise with the decisions; ValueError for values `base` can't read.
    """
    plain = replace(base, knots=(), margin=0.0)
    rows = [Scored(score(plain, each.values), each.same, (each.group,)) for each in samples]
    _check_enough(rows, isotonic=method == "isotonic")
    slope, threshold, half_width = _intervals(rows, seed)
    platt = _platt(plain, rows, half_width)
    candidates: list[tuple[float, float, Literal["platt", "isotonic"], Calibration]] = []
    if method in {"platt", "auto"}:
        candidates.append((*_left_out(plain, rows, isotonic=False), "platt", platt))
    if method == "isotonic" or (method == "auto" and _fewest(rows) >= ISOTONIC_FROM):
        candidates.append(
            (*_left_out(plain, rows, isotonic=True), "isotonic", _isotonic(plain, rows, half_width))
        )
    brier, ece, chosen, calibration = min(candidates, key=lambda each: each[0])
    same = sum(row.same for row in rows)
    return Fitted(
        calibration=_named(calibration, f"{chosen} on {len(rows)} decisions"),
        method=chosen,
        same=same,
        different=len(rows) - same,
        groups=len({row.groups for row in rows}),
        ece=ece,
        brier=brier,
        slope=slope,
        threshold=threshold,
    )


def fit_weights(
    samples: Sequence[Sample], evaluator: EvaluatorId, aspect: Aspect, *, source: str = ""
) -> Calibration:
    """Fit a weight per value from nothing, by logistic regression with balanced classes (Newton's method).

    For the numbers an evaluator ships with; a production refits with `fit`. Raises TooLittleData, and ValueError
    for samples of several lengths.
    """
    lengths = {len(each.values) for each in samples}
    if len(lengths) != 1:
        raise ValueError("all samples need the same number of values, at least one")
    rows = [Scored(0.0, each.same, (each.group,)) for each in samples]
    _check_enough(rows, isotonic=False)
    solved = _logistic([each.values for each in samples], [each.same for each in samples])
    blank = starting_point(evaluator, aspect, solved[:-1])
    return _named(replace(blank, bias=solved[-1]), source)


def _named(calibration: Calibration, source: str) -> Calibration:
    numbers = json.dumps(
        [calibration.weights, calibration.bias, calibration.knots, calibration.margin]
    ).encode()
    mark = hashlib.sha256(numbers).hexdigest()[:8]
    name = f"{calibration.evaluator}/{calibration.aspect.value}/{mark}"
    return replace(calibration, id=name, source=source, provisional=False)


def _check_enough(rows: Sequence[Scored], *, isotonic: bool) -> None:
    least = ISOTONIC_FROM if isotonic else LEAST_OF_A_CLASS
    same = sum(row.same for row in rows)
    missing = (
        max(0, least - same),
        max(0, least - (len(rows) - same)),
        max(0, LEAST_GROUPS - len({row.groups for row in rows})),
    )
    if any(missing):
        raise TooLittleData(*missing)


def _fewest(rows: Sequence[Scored]) -> int:
    same = sum(row.same for row in rows)
    return min(same, len(rows) - same)


def _platt(base: Calibration, rows: Sequence[Scored], half_width: float) -> Calibration:
    slope, offset = _line([row.score for row in rows], [row.same for row in rows], [1.0] * len(rows))
    return replace(
        base,
        weights=tuple(slope * weight for weight in base.weights),
        bias=slope * base.bias + offset,
        prior=EVEN,
        margin=half_width,
    )


def _isotonic(base: Calibration, rows: Sequence[Scored], half_width: float) -> Calibration:
    same = sum(row.same for row in rows)
    floor, ceiling = 1 / (len(rows) - same + 2), 1 - 1 / (same + 2)  # a count never proves a certainty
    knots = _pooled(rows)
    return replace(base, prior=EVEN, knots=knots, margin=half_width, floor=floor, ceiling=ceiling)


def _left_out(base: Calibration, rows: Sequence[Scored], *, isotonic: bool) -> tuple[float, float]:
    """Return Brier score and calibration error of probabilities given to groups the fit hadn't seen."""
    groups = sorted({row.groups for row in rows})
    fold = {group: place % _FOLDS for place, group in enumerate(groups)}
    unit = replace(base, weights=(1.0,), bias=0.0, names=())
    judged: list[Scored] = []
    for each in range(_FOLDS):
        held = [row for row in rows if fold[row.groups] == each]
        known = [row for row in rows if fold[row.groups] != each]
        if not held or not _fewest(known):
            continue
        fitted = _isotonic(unit, known, 0.0) if isotonic else _platt(unit, known, 0.0)
        judged += [Scored(probability(fitted, (row.score,)), row.same, row.groups) for row in held]
    return balanced_brier(judged), balanced_ece(judged)


def _intervals(rows: Sequence[Scored], seed: int) -> tuple[Interval, Interval, float]:
    """Return slope, threshold and the half-width of the decision's interval in log-odds.

    Scores are put into bins once, so that a resample is fitted on hundreds of points however many pairs there are.
    """
    ordered = sorted(rows, key=lambda row: row.score)
    size = max(1, len(ordered) // _BINS_OF_SCORES)
    slope, offset = _line([row.score for row in rows], [row.same for row in rows], [1.0] * len(rows))
    if slope <= 0:
        raise NothingToLearn("Higher scores were not decided to be the same more often.")
    slopes, thresholds, shifts = [], [], []
    for weights in bootstrap([row.groups for row in ordered], _RESAMPLES, seed):
        points = _binned(ordered, weights, size)
        if len({same for _, same, weight in points if weight}) < 2:  # noqa: PLR2004
            continue
        a, b = _line([x for x, _, _ in points], [s for _, s, _ in points], [w for _, _, w in points])
        slopes.append(a)
        if a > 0:
            thresholds.append(-b / a)
            shifts.append(abs(slope * (-b / a) + offset))
    low, high = percentiles(slopes)
    if low is not None and low <= 0:
        raise NothingToLearn(
            "Nobody can say from these decisions that higher scores are the same more often."
        )
    shifts.sort()
    half_width = shifts[round(0.95 * (len(shifts) - 1))] if shifts else 0.0
    return Interval(slope, low, high), Interval(-offset / slope, *percentiles(thresholds)), half_width


def _binned(
    ordered: Sequence[Scored], weights: Sequence[float], size: int
) -> list[tuple[float, bool, float]]:
    found: list[tuple[float, bool, float]] = []
    for start in range(0, len(ordered), size):
        for same in (True, False):
            own = [
                (ordered[at].score, weights[at])
                for at in range(start, min(start + size, len(ordered)))
                if ordered[at].same is same and weights[at]
            ]
            total = sum(weight for _, weight in own)
            if total:
                found.append((sum(x * weight for x, weight in own) / total, same, total))
    return found


def _line(xs: Sequence[float], sames: Sequence[bool], weights: Sequence[float]) -> tuple[float, float]:
    """Return (slope, offset) of Platt's sigmoid over one score, standardised for the numbers' sake."""
    total = sum(weights)
    mean = sum(x * w for x, w in zip(xs, weights, strict=True)) / total
    spread = math.sqrt(sum(w * (x - mean) ** 2 for x, w in zip(xs, weights, strict=True)) / total) or 1.0
    slope, offset = _logistic([((x - mean) / spread,) for x in xs], sames, weights)
    return slope / spread, offset - slope * mean / spread


def _logistic(
    rows: Sequence[Sequence[float]], sames: Sequence[bool], weights: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Return weights and, last, the bias: Newton's method with smoothed targets, balanced classes, a slight ridge."""
    own = weights if weights is not None else [1.0] * len(rows)
    positive = sum(w for w, same in zip(own, sames, strict=True) if same)
    negative = sum(w for w, same in zip(own, sames, strict=True) if not same)
    target = {True: (positive + 1) / (positive + 2), False: 1 / (negative + 2)}
    share = {True: (positive + negative) / (2 * positive), False: (positive + negative) / (2 * negative)}
    points = [((*row, 1.0), target[s], w * share[s]) for row, s, w in zip(rows, sames, own, strict=True) if w]
    size = len(points[0][0])
    solution = [0.0] * size
    loss = _loss(points, solution)
    for _ in range(60):
        step = _newton_step(points, solution)
        scale = 1.0
        while True:
            tried = [s - scale * d for s, d in zip(solution, step, strict=True)]
            after = _loss(points, tried)
            if after <= loss or scale < 1e-6:  # noqa: PLR2004
                break
            scale /= 2
        gained, solution, loss = loss - after, tried, min(loss, after)
        if gained < 1e-10 * (1 + loss):
            break
    return tuple(solution)


_Point = tuple[tuple[float, ...], float, float]


def _loss(points: Sequence[_Point], solution: Sequence[float]) -> float:
    total = _RIDGE * sum(s * s for s in solution[:-1]) / 2
    for row, target, weight in points:
        z = sum(s * x for s, x in zip(solution, row, strict=True))
        total += weight * (max(z, 0.0) - z * target + math.log1p(math.exp(-abs(z))))
    return total


def _newton_step(points: Sequence[_Point], solution: Sequence[float]) -> list[float]:
    size = len(solution)
    gradient = [_RIDGE * s for s in solution[:-1]] + [0.0]
    hessian = [[_RIDGE if i == j else 0.0 for j in range(size)] for i in range(size)]
    for row, target, weight in points:
        z = sum(s * x for s, x in zip(solution, row, strict=True))
        p = 1 / (1 + math.exp(-z)) if z > -700 else 0.0  # noqa: PLR2004
        pull, curve = weight * (p - target), max(weight * p * (1 - p), 1e-12)
        for i in range(size):
            gradient[i] += pull * row[i]
            for j in range(i + 1):
                hessian[i][j] += curve * row[i] * row[j]
    for i in range(size):
        for j in range(i):
            hessian[j][i] = hessian[i][j]
    return _solve(hessian, gradient)


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a small symmetric positive system by Gaussian elimination with pivoting."""
    size = len(right)
    table = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(table[row][at]))
        table[at], table[pivot] = table[pivot], table[at]
        for row in range(at + 1, size):
            factor = table[row][at] / table[at][at]
            for column in range(at, size + 1):
                table[row][column] -= factor * table[at][column]
    found = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(table[at][column] * found[column] for column in range(at + 1, size))
        found[at] = (table[at][size] - rest) / table[at][at]
    return found


def _pooled(rows: Sequence[Scored]) -> tuple[tuple[float, float], ...]:
    """Return the knots of the isotonic fit: pooled blocks at their mean score, both classes weighing half."""
    same = sum(row.same for row in rows)
    share = {True: 0.5 / same, False: 0.5 / (len(rows) - same)}
    blocks: list[list[float]] = []  # weight, sum of same, sum of score
    for row in sorted(rows, key=lambda each: (each.score, not each.same)):
        w = share[row.same]
        blocks.append([w, w * row.same, w * row.score])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    knots = [(b[2] / b[0], min(1.0, max(0.0, b[1] / b[0]))) for b in blocks]
    if len(knots) == 1:
        raise NothingToLearn("Higher scores were not decided to be the same more often.")
    if len(knots) > _BLOCKS:
        places = sorted({round(at * (len(knots) - 1) / (_BLOCKS - 1)) for at in range(_BLOCKS)})
        knots = [knots[at] for at in places]
    return tuple(knots)
