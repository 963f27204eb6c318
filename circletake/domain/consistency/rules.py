"""What judging goes by in this installation, and which profile holds for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from circletake.domain.consistency.calibration import Calibrations
from circletake.domain.consistency.profiles import Profile, Scoped, choose
from circletake.domain.consistency.words import EvaluatorId, ShotSize


@dataclass(frozen=True, slots=True)
class JudgingRules:
    """The shipped evaluators, calibrations and profile (`circletake/data/evaluators.yaml`).

    `default_evaluator` finds the characters; the others add to what it says. `calibrations_id` changes whenever a
    number that is judged by changes.
    """

    default_evaluator: EvaluatorId
    evaluators: Sequence[EvaluatorId]
    calibrations: Calibrations
    calibrations_id: str
    default_profile: Profile
    models: Mapping[EvaluatorId, str]  # of those that are a model of the catalogue, its id

    def of_model(self, model_id: str) -> EvaluatorId | None:
        return next((evaluator for evaluator, own in self.models.items() if own == model_id), None)


def profile_for(scoped: Sequence[Scoped], *, production: str, character: str) -> Profile:
    """Return the profile of one character, with the thresholds of each shot size's own profile in it.

    The first of `scoped` holds for all. Raises ValueError when there is none.
    """
    general = choose(scoped, production=production, character=character)
    if general is None:
        raise ValueError("there is no profile")
    by_size, learnt = dict(general.by_size), dict(general.learnt_by_size)
    for size in ShotSize:
        own = choose(scoped, production=production, character=character, size=size)
        if own is not None and own is not general:
            by_size[size] = {**own.thresholds, **own.by_size.get(size, {})}
            learnt[size] = {**own.learnt, **own.learnt_by_size.get(size, {})}
    return replace(general, by_size=by_size, learnt_by_size=learnt)
