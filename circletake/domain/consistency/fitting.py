"""Fitting a calibration to decisions people made: what a score means in this production.

Platt's sigmoid with his smoothed targets (Platt 1999), both classes weighing half, so that the prior is 0.5 whatever
the mix of decisions; isotonic regression by pooling adjacent violators (Ayer et al. 1955) only where there is enough
of both classes, since with tens of pairs it steps and overfits. Errors are measured on groups that were left out.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from circletake.domain.consistency.calibration import EVEN, Calibration, probability, score
from circletake.domain.consistency.metrics import (
    Scored,
    auc,
    balanced_brier,
    balanced_ece,
    bootstrap,
    percentiles,
)
from circletake.domain.consistency.regression import line, plane
from circletake.domain.consistency.words import Aspect, EvaluatorId

LEAST_OF_A_CLASS = 30
LEAST_GROUPS = 5
ISOTONIC_FROM = 1000  # of each class
_FOLDS = 5
_RESAMPLES = 200
_BINS_OF_SCORES = 100  # a resample is fitted on scores put into so many bins
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
    log-odds = slope x (score - threshold). `auc`: how well it ranks at all; `ece` and `brier` are balanced and
    measured on groups left out."""

    calibration: Calibration
    method: Literal["platt", "isotonic"]
    same: int
    different: int
    groups: int
    auc: float
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
            "auc": round(self.auc, 5),
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
        auc=auc(rows),
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
    weights, bias = plane([each.values for each in samples], [each.same for each in samples])
    return _named(replace(starting_point(evaluator, aspect, weights), bias=bias), source)


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
    slope, offset = line([row.score for row in rows], [row.same for row in rows], [1.0] * len(rows))
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
    slope, offset = line([row.score for row in rows], [row.same for row in rows], [1.0] * len(rows))
    if slope <= 0:
        raise NothingToLearn("Higher scores were not decided to be the same more often.")
    bin_of, xs, sames = _binned(rows)
    slopes, thresholds, shifts = [], [], []
    for weights in bootstrap([row.groups for row in rows], _RESAMPLES, seed):
        totals = [0.0] * len(xs)
        for place, weight in zip(bin_of, weights, strict=True):
            totals[place] += weight
        if len({same for same, weight in zip(sames, totals, strict=True) if weight}) < 2:  # noqa: PLR2004
            continue
        a, b = line(xs, sames, totals)
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


def _binned(rows: Sequence[Scored]) -> tuple[list[int], list[float], list[bool]]:
    """Return each row's bin, and per bin its mean score and class: neighbours in score, never of two classes."""
    bin_of = [0] * len(rows)
    xs: list[float] = []
    sames: list[bool] = []
    for same in (True, False):
        own = sorted((row.score, place) for place, row in enumerate(rows) if row.same is same)
        size = max(1, len(own) // _BINS_OF_SCORES)
        for start in range(0, len(own), size):
            part = own[start : start + size]
            for _, place in part:
                bin_of[place] = len(xs)
            xs.append(sum(x for x, _ in part) / len(part))
            sames.append(same)
    return bin_of, xs, sames


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
