"""What an evaluator's raw values mean: the probability that two pictures show the same character.

A probability holds at a stated prior, the share of pairs that are the same before anybody looked. Values of two
evaluators are never compared or averaged; what they say is joined by `combine`, as evidence, in log-odds.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circletake.domain.consistency.words import Aspect, EvaluatorId

EVEN = 0.5  # the prior of a fit in which both classes weigh the same
_LARGEST = 700.0  # beyond it exp() overflows


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one evaluator's values for one aspect become a probability.

    log-odds = bias + sum(weight x value), at `prior`. `knots` make it isotonic: pairs (that sum, probability),
    rising in both, straight lines between them. `floor` and `ceiling` bound what is ever claimed. `margin` is the
    half-width of the 95 % interval of where the decision lies, in log-odds; 0 when nobody measured it. `trust`
    weighs this evaluator's evidence where several speak about one aspect.
    """

    id: str
    evaluator: EvaluatorId
    aspect: Aspect
    weights: tuple[float, ...]
    bias: float
    prior: float = EVEN
    provisional: bool = True
    knots: tuple[tuple[float, float], ...] = ()
    floor: float = 1e-6
    ceiling: float = 1 - 1e-6
    margin: float = 0.0
    trust: float = 1.0
    names: tuple[str, ...] = ()  # of the values, in order; for people
    source: str = ""

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("a calibration needs a weight per value")
        if not all(map(math.isfinite, (*self.weights, self.bias))):
            raise ValueError("weights and bias must be finite numbers")
        if not 0 < self.prior < 1:
            raise ValueError("a prior lies between 0 and 1, and is neither")
        if not 0 < self.floor < self.ceiling < 1:
            raise ValueError("floor and ceiling lie between 0 and 1, the floor below")
        if self.margin < 0 or self.trust < 0:
            raise ValueError("margin and trust are 0 or more")
        if self.knots and not _rises(self.knots):
            raise ValueError("knots rise in both, with probabilities from 0 to 1; at least two")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "evaluator": {"name": self.evaluator.name, "version": self.evaluator.version},
            "aspect": self.aspect.value,
            "weights": list(self.weights),
            "bias": self.bias,
            "prior": self.prior,
            "provisional": self.provisional,
            "knots": [list(knot) for knot in self.knots],
            "floor": self.floor,
            "ceiling": self.ceiling,
            "margin": self.margin,
            "trust": self.trust,
            "names": list(self.names),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Calibration":
        rest = {name: stored[name] for name in ("id", "bias", "prior", "provisional", "floor", "ceiling")}
        evaluator = stored["evaluator"]
        return cls(
            **rest,
            evaluator=EvaluatorId(evaluator["name"], evaluator["version"]),
            aspect=Aspect(stored["aspect"]),
            weights=tuple(stored["weights"]),
            knots=tuple((x, y) for x, y in stored["knots"]),
            margin=stored["margin"],
            trust=stored["trust"],
            names=tuple(stored["names"]),
            source=stored["source"],
        )


@dataclass(frozen=True, slots=True)
class Calibrations:
    """All calibrations in force, found by evaluator and aspect."""

    entries: Mapping[tuple[EvaluatorId, Aspect], Calibration] = field(default_factory=dict)

    @classmethod
    def of(cls, calibrations: Iterable[Calibration]) -> "Calibrations":
        return cls({(each.evaluator, each.aspect): each for each in calibrations})

    def get(self, evaluator: EvaluatorId, aspect: Aspect) -> Calibration | None:
        return self.entries.get((evaluator, aspect))

    def replaced(self, calibrations: Iterable[Calibration]) -> "Calibrations":
        """Return the same with these instead: a production's own fit over the shipped numbers."""
        return Calibrations({**self.entries, **Calibrations.of(calibrations).entries})

    def evaluators(self) -> tuple[EvaluatorId, ...]:
        return tuple(dict.fromkeys(evaluator for evaluator, _ in self.entries))


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def sigmoid(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + math.exp(-min(log_odds, _LARGEST)))
    grown = math.exp(max(log_odds, -_LARGEST))
    return grown / (1 + grown)


def score(calibration: Calibration, values: Sequence[float]) -> float:
    """Return bias + sum(weight x value): one number per comparison, of this calibration's evaluator only.

    Raises ValueError when there are more or fewer values than weights, or one isn't a number.
    """
    if len(values) != len(calibration.weights):
        raise ValueError(
            f"{calibration.id} takes {len(calibration.weights)} values for {calibration.aspect.value}, "
            f"not {len(values)}"
        )
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{calibration.id} was given a value that is not a number")
    return calibration.bias + math.fsum(w * v for w, v in zip(calibration.weights, values, strict=True))


def log_odds(calibration: Calibration, values: Sequence[float], *, prior: float | None = None) -> float:
    """Return the log-odds that it is the same, unbounded by floor and ceiling, at `prior` (default: its own)."""
    z = score(calibration, values)
    if calibration.knots:
        p = _along(calibration.knots, z)
        z = logit(min(max(p, calibration.floor), calibration.ceiling))
    if prior is not None:
        z += logit(prior) - logit(calibration.prior)
    return z


def probability(calibration: Calibration, values: Sequence[float], *, prior: float | None = None) -> float:
    """Return the probability that it is the same character in this aspect, at `prior` (default: its own)."""
    return bounded(calibration, log_odds(calibration, values, prior=prior))


def bounded(calibration: Calibration, z: float) -> float:
    """Return the probability of these log-odds, never beyond what the calibration dares to claim."""
    return min(max(sigmoid(z), calibration.floor), calibration.ceiling)


def at_prior(p: float, stated: float, wanted: float) -> float:
    """Return what a probability stated at one prior says at another."""
    if not 0 < p < 1:
        return p
    return sigmoid(logit(p) - logit(stated) + logit(wanted))


def combine(evidence: Iterable[tuple[float, float]], prior: float = EVEN) -> float:
    """Join (probability, weight) of different evaluators into one probability, all of them at `prior`.

    The evidence each adds to the prior (its log-likelihood ratio) is summed by weight, as for independent
    witnesses; a weight below 1 says that one repeats what another already said. Raises ValueError for nothing.
    """
    heard = list(evidence)
    if not heard:
        raise ValueError("there is nothing to combine")
    base = logit(prior)
    total = base
    for p, weight in heard:
        if not 0 < p < 1:
            raise ValueError("a probability to combine lies between 0 and 1, and is neither")
        total += weight * (logit(p) - base)
    return sigmoid(total)


def _rises(knots: Sequence[tuple[float, float]]) -> bool:
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(knots))
    return len(knots) > 1 and rising and knots[0][1] >= 0 and knots[-1][1] <= 1


def _along(knots: Sequence[tuple[float, float]], x: float) -> float:
    if x <= knots[0][0]:
        return knots[0][1]
    for (left, low), (right, high) in itertools.pairwise(knots):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left)
    return knots[-1][1]
