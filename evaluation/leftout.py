"""Calibration error with each subject left out of the fit: what a calibration fitted like this is worth on strangers.

The shipped numbers may have been fitted on the very pictures that are scored. Here the product's own fitting learns
from the values of all other subjects, and its probabilities for the one left out are what counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.fitting import Sample, TooLittleData, fit_weights
from circletake.domain.consistency.words import Aspect, EvaluatorId
from evaluation.metrics import Scored, figures

_LEAST_SUBJECTS = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """One comparison's raw values with its answer and the two subjects (equal when it is the same)."""

    values: tuple[float, ...]
    same: bool
    subject: str
    other: str


def left_out(evaluator: EvaluatorId, aspect: Aspect, seen: Sequence[Seen]) -> dict[str, object] | None:
    """Return the figures of probabilities that were never fitted on their own subject; None where the rest is too
    little to fit on."""
    names = sorted({each.subject for each in seen})
    if len(names) < _LEAST_SUBJECTS:
        return None
    scored: list[Scored] = []
    for name in names:
        others = [each for each in seen if name not in {each.subject, each.other}]
        try:
            fitted = fit_weights(
                [Sample(each.values, each.same, each.subject) for each in others], evaluator, aspect
            )
        except TooLittleData:
            return None
        scored += [
            Scored(each.same, probability(fitted, each.values), each.subject, each.other)
            for each in seen
            if each.subject == name
        ]
    found = figures(scored, resamples=0)
    return found and {name: found[name] for name in ("auc", "eer", "ece", "pairs", "subjects")}
