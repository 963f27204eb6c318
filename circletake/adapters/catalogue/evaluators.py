"""Evaluators and the default profile, read once from a file that people edit without code."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import circletake.data
from circletake.adapters.catalogue.places import CatalogueFault, line_of, load_yaml
from circletake.domain.consistency.calibration import Calibration, Calibrations
from circletake.domain.consistency.profiles import Profile, Statistic, Threshold
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import Aspect, CharacterKind, EvaluatorId, ShotSize

Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class EvaluatorCard:
    """One evaluator of the file: what it is and which aspects it speaks about."""

    id: EvaluatorId
    title: str
    aspects: tuple[Aspect, ...]
    model: str | None = None  # of the models' catalogue, where a model answers


@dataclass(frozen=True, slots=True)
class EvaluatorCatalogue:
    """What the shipped file says: cards, calibrations and the default profile."""

    cards: tuple[EvaluatorCard, ...]
    calibrations: Calibrations
    default: Profile
    finder: EvaluatorId  # the one that finds the characters

    def card(self, evaluator: EvaluatorId) -> EvaluatorCard | None:
        return next((card for card in self.cards if card.id == evaluator), None)

    @property
    def calibrations_id(self) -> str:
        """Changes whenever a number that is judged by changes."""
        ids = sorted(each.id for each in self.calibrations.entries.values())
        return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AspectEntry(_Strict):
    values: Annotated[tuple[Text, ...], Field(min_length=1)]
    weights: tuple[Number, ...]
    bias: Number
    prior: Share = 0.5
    provisional: bool
    knots: tuple[tuple[Number, Annotated[float, Field(ge=0, le=1)]], ...] = ()
    floor: Share = 1e-6
    ceiling: Share = 1 - 1e-6
    margin: NotNegative = 0.0
    trust: NotNegative = 1.0
    source: Text

    @model_validator(mode="after")
    def _one_weight_each(self) -> Self:
        if len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.values)} values need as many weights, not {len(self.weights)}")
        return self


class EvaluatorEntry(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:-]*$")]
    version: Text
    title: Text
    model: Text | None = None
    aspects: Annotated[dict[Aspect, AspectEntry], Field(min_length=1)]


class ThresholdEntry(_Strict):
    fail_below: Share
    pass_from: Share

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fail_below > self.pass_from:
            raise ValueError("fail_below is above pass_from")
        return self


class ProfileEntry(_Strict):
    id: Text
    version: Annotated[int, Field(ge=1)]
    provisional: bool
    statistic: Statistic
    prior: Share
    min_face_px: NotNegative
    copy_ceiling: Annotated[float, Field(gt=0)]
    band: NotNegative
    min_coverage: Annotated[float, Field(ge=0, le=1)]
    counts: dict[CharacterKind, Annotated[tuple[Aspect, ...], Field(min_length=1)]]
    thresholds: dict[Aspect, ThresholdEntry]
    by_size: dict[ShotSize, dict[Aspect, ThresholdEntry]] = {}


class EvaluatorsFile(_Strict):
    version: Literal[1]
    default: Text
    evaluators: Annotated[tuple[EvaluatorEntry, ...], Field(min_length=1)]
    profile: ProfileEntry


def load_evaluators(path: Path | None = None) -> EvaluatorCatalogue:
    """Read the evaluators' file, the product's own unless another is given. Raises CatalogueFault."""
    own = path or Path(circletake.data.__file__).parent / "evaluators.yaml"
    content, node = load_yaml(own)
    try:
        file = EvaluatorsFile.model_validate(content)
    except ValidationError as error:
        raise CatalogueFault("\n".join(_messages(own, node, error))) from error
    calibrations: list[Calibration] = []
    cards: dict[EvaluatorId, EvaluatorCard] = {}
    for index, entry in enumerate(file.evaluators):
        evaluator = EvaluatorId(entry.name, entry.version)
        if evaluator in cards:
            raise CatalogueFault(_at(own, node, ("evaluators", index), f"{evaluator} is given twice"))
        cards[evaluator] = EvaluatorCard(evaluator, entry.title, tuple(entry.aspects), entry.model)
        for aspect, numbers in entry.aspects.items():
            try:
                calibrations.append(_calibration(evaluator, aspect, numbers))
            except ValueError as error:
                place = ("evaluators", index, "aspects", aspect.value)
                raise CatalogueFault(_at(own, node, place, str(error))) from error
    try:
        default = _profile(file.profile)
    except ValueError as error:
        raise CatalogueFault(_at(own, node, ("profile",), str(error))) from error
    finder = next((each for each in cards if str(each) == file.default), None)
    if finder is None:
        message = f"the default, {file.default}, is not among the evaluators: {', '.join(map(str, cards))}"
        raise CatalogueFault(_at(own, node, ("default",), message))
    return EvaluatorCatalogue(tuple(cards.values()), Calibrations.of(calibrations), default, finder)


def load_rules(path: Path | None = None) -> JudgingRules:
    """Read the file as what judging goes by. Raises CatalogueFault."""
    found = load_evaluators(path)
    return JudgingRules(
        default_evaluator=found.finder,
        evaluators=tuple(card.id for card in found.cards),
        calibrations=found.calibrations,
        calibrations_id=found.calibrations_id,
        default_profile=found.default,
        models={card.id: card.model for card in found.cards if card.model is not None},
    )


def _calibration(evaluator: EvaluatorId, aspect: Aspect, entry: AspectEntry) -> Calibration:
    return Calibration(
        id=f"{evaluator}/{aspect.value}/{_fingerprint(entry)}",
        evaluator=evaluator,
        aspect=aspect,
        weights=entry.weights,
        bias=entry.bias,
        prior=entry.prior,
        provisional=entry.provisional,
        knots=entry.knots,
        floor=entry.floor,
        ceiling=entry.ceiling,
        margin=entry.margin,
        trust=entry.trust,
        names=entry.values,
        source=entry.source,
    )


def _fingerprint(entry: AspectEntry) -> str:
    """Name the numbers by what they are: whoever changes one of them changes the id stored with a verdict."""
    numbers = entry.model_dump(mode="json", exclude={"source", "provisional"})
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:8]


def _profile(entry: ProfileEntry) -> Profile:
    return Profile(
        id=entry.id,
        version=entry.version,
        thresholds=_thresholds(entry.thresholds),
        by_size={size: _thresholds(own) for size, own in entry.by_size.items()},
        statistic=entry.statistic,
        min_face_px=entry.min_face_px,
        copy_ceiling=entry.copy_ceiling,
        prior=entry.prior,
        band=entry.band,
        counts=dict(entry.counts),
        min_coverage=entry.min_coverage,
        provisional=entry.provisional,
    )


def _thresholds(entries: dict[Aspect, ThresholdEntry]) -> dict[Aspect, Threshold]:
    return {aspect: Threshold(each.fail_below, each.pass_from) for aspect, each in entries.items()}


def _messages(path: Path, node: yaml.Node, error: ValidationError) -> list[str]:
    found = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(step) for step in problem["loc"]) or "file"
        found.append(_at(path, node, problem["loc"], f"{where}: {problem['msg']}"))
    return found


def _at(path: Path, node: yaml.Node, place: Sequence[str | int], message: str) -> str:
    return f"{path}:{line_of(node, place)}: {message}"
