"""What a production's circled and rejected takes teach about its scores.

Who circles a take says that everybody judged in it is right in every aspect that was seen. Who rejects one says that
something is wrong, not what: it is blamed on the lowest of the counted scores, and nothing is learnt of the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from circletake.domain.consistency.calibration import logit
from circletake.domain.consistency.fitting import (
    Fitted,
    NothingToLearn,
    Sample,
    TooLittleData,
    fit,
    starting_point,
)
from circletake.domain.consistency.profiles import Learnt
from circletake.domain.consistency.words import Aspect, EvaluatorId

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class JudgedTake:
    """One character as judged in one take. `scores`: shipped probabilities, at even odds; `counted`: what decided.
    `group`: whose decisions hang together, a character or a shot."""

    take: str
    character: str
    group: str
    circled: bool
    scores: Mapping[Aspect, float]
    counted: Sequence[Aspect]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an aspect can't be fitted: how many decisions are missing, or that they teach nothing."""

    missing_same: int = 0
    missing_different: int = 0
    missing_groups: int = 0
    detail: str = ""


def samples_of(judged: Iterable[JudgedTake]) -> dict[Aspect, list[Sample]]:
    """Return the decisions per aspect; a value is the log-odds of the shipped probability."""
    by_take: dict[str, list[JudgedTake]] = {}
    for each in judged:
        by_take.setdefault(each.take, []).append(each)
    samples: dict[Aspect, list[Sample]] = {}
    for together in by_take.values():
        said = [
            (p, each, aspect)
            for each in together
            for aspect, p in each.scores.items()
            if aspect in each.counted
        ]
        if not said:
            continue
        circled = together[0].circled
        for p, each, aspect in said if circled else [min(said, key=lambda one: one[0])]:
            value = logit(min(max(p, _LEAST), 1 - _LEAST))
            samples.setdefault(aspect, []).append(Sample((value,), circled, each.group))
    return samples


def learn(
    samples: Mapping[Aspect, Sequence[Sample]], evaluator: EvaluatorId
) -> tuple[dict[Aspect, Fitted], dict[Aspect, Refusal]]:
    """Fit every aspect that has enough decisions (Platt), and say what the others lack."""
    fitted: dict[Aspect, Fitted] = {}
    refused: dict[Aspect, Refusal] = {}
    for aspect, own in samples.items():
        try:
            fitted[aspect] = fit(own, starting_point(evaluator, aspect, (1.0,)), method="platt")
        except TooLittleData as lack:
            refused[aspect] = Refusal(
                lack.missing_same, lack.missing_different, lack.missing_groups, str(lack)
            )
        except NothingToLearn as nothing:
            refused[aspect] = Refusal(detail=str(nothing))
    return fitted, refused


def learnt_of(fitted: Fitted) -> Learnt:
    """Return the sigmoid of a Platt fit over one value."""
    return Learnt(fitted.calibration.weights[0], fitted.calibration.bias, fitted.calibration.margin)
