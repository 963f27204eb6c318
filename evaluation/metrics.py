"""What scores with known answers are worth: ranking, error rates, calibration, and how sure that is.

Intervals are 95 % percentile bootstraps over subjects, not over pairs: pairs that share a person aren't independent,
and an interval over pairs would look several times narrower than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 300
_BINS = 10
FIGURES = ("auc", "eer", "tar_far_1e-2", "tar_far_1e-3", "ece")


@dataclass(frozen=True, slots=True)
class Scored:
    """One comparison: are they the same, the calibrated probability, and the two subjects (equal when same)."""

    same: bool
    score: float
    subject: str
    other: str


def figures(
    scored: Sequence[Scored], *, seed: int = 1, resamples: int = RESAMPLES
) -> dict[str, object] | None:
    """Return AUC, EER, TAR at two FARs and balanced calibration error with intervals; None without both answers.

    TAR at FAR 0.1 % needs 1,000 different pairs to mean anything: with fewer it is the TAR without a false accept.
    """
    same = np.array([each.same for each in scored], dtype=bool)
    if same.all() or not same.any():  # also when empty
        return None
    scores = np.array([each.score for each in scored], dtype=np.float64)
    curve = _Curve(scores, same)
    point = curve.figures(np.ones(len(scored)))
    names = sorted({name for each in scored for name in (each.subject, each.other)})
    place = {name: at for at, name in enumerate(names)}
    ours = np.array([place[each.subject] for each in scored])
    theirs = np.array([place[each.other] for each in scored])
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        count = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names)).astype(float)
        weights = np.where(same, count[ours], count[ours] * count[theirs])
        if weights[same].sum() > 0 and weights[~same].sum() > 0:
            drawn.append(curve.figures(weights))
    found: dict[str, object] = {name: round(value, 4) for name, value in zip(FIGURES, point, strict=True)}
    found |= {"pairs": len(scored), "same": int(same.sum()), "subjects": len(names)}
    if len(drawn) > resamples // 2:
        low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
        found["ci"] = {
            name: [round(float(low[at]), 4), round(float(high[at]), 4)] for at, name in enumerate(FIGURES)
        }
    return found


class _Curve:
    """The ROC of fixed scores under changing weights: sorted once, so that a resample costs a few sums."""

    def __init__(self, scores: Floats, same: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._same = same[self._order]
        ordered = scores[self._order]
        self._scores = ordered
        self._starts = np.flatnonzero(np.r_[True, np.diff(ordered) != 0])
        self._bins = np.clip((ordered * _BINS).astype(int), 0, _BINS - 1)

    def figures(self, weights: Floats) -> tuple[float, ...]:
        weights = weights[self._order]
        right = np.where(self._same, weights, 0.0)
        wrong = np.where(self._same, 0.0, weights)
        tpr = np.r_[0.0, np.cumsum(np.add.reduceat(right, self._starts))] / right.sum()
        fpr = np.r_[0.0, np.cumsum(np.add.reduceat(wrong, self._starts))] / wrong.sum()
        auc = float(np.trapezoid(tpr, fpr))
        nearest = int(np.argmin(np.abs(fpr - (1 - tpr))))
        eer = float((fpr[nearest] + 1 - tpr[nearest]) / 2)
        tars = [float(tpr[fpr <= far + 1e-12].max()) for far in (0.01, 0.001)]
        balanced = right / right.sum() / 2 + wrong / wrong.sum() / 2
        off = np.bincount(self._bins, balanced * (self._scores - self._same), _BINS)
        return auc, eer, *tars, float(np.abs(off).sum())


def share(
    flags: Sequence[bool], subjects: Sequence[str], *, seed: int = 1, resamples: int = RESAMPLES
) -> dict[str, object] | None:
    """Return how many of `flags` are set, with an interval over subjects; None when there is nothing to count."""
    if not flags:
        return None
    names = sorted(set(subjects))
    place = {name: at for at, name in enumerate(names)}
    at = np.array([place[name] for name in subjects])
    hits = np.bincount(at, np.array(flags, dtype=float), len(names))
    all_ = np.bincount(at, minlength=len(names)).astype(float)
    found: dict[str, object] = {"share": round(float(hits.sum() / all_.sum()), 4), "n": len(flags)}
    if len(names) > 1:
        random = np.random.default_rng(seed)
        drawn = random.integers(0, len(names), (resamples, len(names)))
        low, high = np.percentile(hits[drawn].sum(1) / all_[drawn].sum(1), [2.5, 97.5])
        found["ci"] = [round(float(low), 4), round(float(high), 4)]
    return found


def of(found: dict[str, object] | None) -> float | None:
    """Return the number of `share`, for a flat key."""
    value = found and found["share"]
    return value if isinstance(value, float) else None
