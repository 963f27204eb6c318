"""The rungs of one generation: which are really served, by what model, with what inputs and at what price.

Made once, at acceptance, by the same checks that a request passes, and kept: a decision in the middle of the night
finds the models and prices that were promised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from circletake.dialects.abilities import rungs_served, serves
from circletake.dialects.contract import RequestShape
from circletake.dialects.registry import dialect_for
from circletake.domain import costs
from circletake.domain.availability import refusal
from circletake.domain.consistency.ladders import DEFAULT_STRATEGY, Ladder, Rung, Step, Unserved, ladder
from circletake.domain.controls import strict_violations
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ControlReport, InputShape, ModelCard
from circletake.ports import ModelCatalogue

# How far a take may leave the approved picture it starts from; less where it started from one before. Nearer to a
# reference it would be a copy of it, and that is no consistency: the check suspects it.
STRENGTH_FROM_TAKE = 0.5
STRENGTH_FROM_REFERENCE = 0.64
_STRENGTH_AGAIN = 0.6
_LEAST_STRENGTH = 0.2
_LEAST_SHOWN = 0.9
# what the picture to be repaired looks like isn't known yet; whatever it is, it is fitted to the model
_PLATE_TO_COME = InputShape("image/png", 1024, 1024)


@dataclass(frozen=True, slots=True)
class Base:
    """A generation as the rungs start from it. `inputs` and `shapes` name the same slots."""

    kind: Kind
    card: ModelCard
    prompt: str | None = field(repr=False)
    negative_prompt: str | None = field(repr=False)
    search_prompt: str | None = field(repr=False)
    controls: Mapping[str, Any]
    inputs: Mapping[InputSlot, UUID]
    shapes: Mapping[InputSlot, InputShape]
    strict: bool
    approved: UUID | None  # a picture of the character as it should be
    named: bool  # somebody chose that picture for this
    made: bool  # it is a take
    approved_shape: InputShape | None


@dataclass(frozen=True, slots=True)
class RungMade:
    """A step of the ladder with all that a take of it changes; kept as JSON."""

    step: Step
    mode: str
    seeded: bool
    changes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            **self.step.as_json(),
            "mode": self.mode,
            "seeded": self.seeded,
            "changes": dict(self.changes),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "RungMade":
        return cls(Step.from_json(stored), stored["mode"], stored["seeded"], stored["changes"])


@dataclass(frozen=True, slots=True)
class LadderPlan:
    rungs: Sequence[RungMade]
    unsupported: Sequence[Unserved]
    cards: Sequence[ModelCard] = ()  # of every model that one of the rungs may ask, each once


def plan_ladder(
    catalogue: ModelCatalogue,
    base: Base,
    *,
    strategy: Sequence[Rung] | None,
    other_models: Sequence[str] | None,
    now: datetime,
) -> LadderPlan:
    """Return the served rungs in order and the rest with the reason. `other_models` None allows every live model of
    the catalogue; their order is kept."""
    others = _others(catalogue, base, other_models, now)
    painters = [
        card
        for card in catalogue.all()
        if "inpaint_region" in rungs_served(card, Kind.ELEMENT)
        and refusal(card, Kind.ELEMENT, now.date()) is None
    ]
    allowed = list({card.id: card for card in [*others, *painters]}.values())
    found = ladder(
        base.kind,
        base.card,
        allowed,
        _prices(base, allowed),
        has_approved=base.approved is not None,
        strategy=tuple(strategy or DEFAULT_STRATEGY),
    )
    cards = {card.id: card for card in [*allowed, base.card]}
    return _made(base, found, cards, [card.id for card in others])


def _others(
    catalogue: ModelCatalogue, base: Base, named: Sequence[str] | None, now: datetime
) -> list[ModelCard]:
    cards = (
        sorted(catalogue.all(), key=lambda card: (card.price.usd, card.id))
        if named is None
        else [card for name in named if (card := catalogue.get(name)) is not None]
    )
    return [
        card
        for card in cards
        if card.id != base.card.id
        and serves(card, base.kind, base.inputs, prompted=base.prompt is not None)
        and refusal(card, base.kind, now.date()) is None
    ]


def _prices(base: Base, allowed: Sequence[ModelCard]) -> dict[tuple[str, Kind], Decimal]:
    prices = {}
    for card in [base.card, *allowed]:
        for kind in card.kinds & {base.kind, Kind.ELEMENT}:
            try:
                prices[card.id, kind] = costs.quote(card, kind, 1, base.controls).per_take
            except ValueError:
                continue  # it doesn't sell what the controls ask for
    return prices


def _made(base: Base, found: Ladder, cards: Mapping[str, ModelCard], others: Sequence[str]) -> LadderPlan:
    rungs: list[RungMade] = []
    unsupported = {each.rung: each for each in found.unsupported}
    for rung in dict.fromkeys(step.rung for step in found.steps):
        steps = [step for step in found.steps if step.rung is rung]
        if rung is Rung.OTHER_MODEL:
            steps = sorted(
                (step for step in steps if step.model in others), key=lambda step: others.index(step.model)
            )
        why = "No other allowed model serves this kind."
        for step in steps:
            made = _one(base, step, cards[step.model])
            if isinstance(made, RungMade):
                rungs.append(made)
            else:
                why = made
        if not any(made.step.rung is rung for made in rungs):
            unsupported[rung] = Unserved(rung, why)
    asked = dict.fromkeys(rung.step.model for rung in rungs)
    return LadderPlan(rungs, list(unsupported.values()), [cards[model] for model in asked])


def _one(base: Base, step: Step, card: ModelCard) -> RungMade | str:
    """Return the rung with everything that a take of it changes, or why it can't be served after all."""
    if step.rung is not Rung.OTHER_MODEL and step.rung.value not in rungs_served(card, step.kind):
        return f"{card.name} doesn't serve it for this kind."
    controls, inputs, shapes = _request(base, step, card)
    if step.rung in {Rung.IMAGE_TO_IMAGE, Rung.KEYFRAME} and _same(base, step.rung, controls):
        return "It starts from the approved picture already."
    search = base.search_prompt if RULES[step.kind].search == "required" else None
    shape = RequestShape(
        step.kind, base.prompt, base.negative_prompt, None, controls, shapes, search_prompt=search
    )
    dialect = dialect_for(card)
    problems = dialect.check(shape, card)
    if problems:
        return f"{card.name} refuses the request: {problems[0].pointer} {problems[0].code}."
    report = dialect.controls(shape, card)
    why = _unwanted(base, step, card, report)
    if why:
        return why
    return RungMade(
        step, card.mode, card.seed == "honoured", _changes(base, step, card, controls, inputs, report)
    )


def _changes(
    base: Base,
    step: Step,
    card: ModelCard,
    controls: Mapping[str, Any],
    inputs: Mapping[InputSlot, UUID] | None,
    report: Sequence[ControlReport],
) -> dict[str, Any]:
    changes: dict[str, Any] = {"rung": step.rung.value}
    if step.kind is not base.kind:
        changes["kind"] = step.kind.value
    if card.id != base.card.id:
        changes["model_id"] = card.id
    if inputs is not None:
        changes["inputs"] = {slot.value: str(media_id) for slot, media_id in inputs.items()}
    if dict(controls) != dict(base.controls):
        changes["controls"] = dict(controls)
    if len(changes) > 1:
        changes["controls_report"] = [asdict(line) for line in report]
    return changes


def _unwanted(base: Base, step: Step, card: ModelCard, report: Sequence[ControlReport]) -> str:
    """Return why a request that the model would take isn't what was asked for; empty when it is."""
    if step.rung is Rung.KEYFRAME and not base.named and _cropped(base.approved_shape, report):
        return (
            "The approved picture isn't of the clip's format, and would be cropped: name an approved frame."
        )
    refused = strict_violations(report) if base.strict else []
    return (
        f"{card.name} doesn't take {refused[0].pointer} as asked, and the request is strict."
        if refused
        else ""
    )


def _request(
    base: Base, step: Step, card: ModelCard
) -> tuple[Mapping[str, Any], dict[InputSlot, UUID] | None, Mapping[InputSlot, InputShape]]:
    """Return controls, inputs (None: the generation's own) and the shapes of the inputs."""
    if step.rung is Rung.INPAINT_REGION:
        kept = {
            name: value for name, value in base.controls.items() if name in {"output_format", "style_preset"}
        }
        controls = {name: value for name, value in kept.items() if name in card.controls}
        return controls, {}, {InputSlot.PLATE: _PLATE_TO_COME, InputSlot.MATTE: _PLATE_TO_COME}
    slot = {Rung.IMAGE_TO_IMAGE: InputSlot.REFERENCE, Rung.KEYFRAME: InputSlot.FIRST_FRAME}.get(step.rung)
    if slot is None or base.approved is None or base.approved_shape is None:
        return base.controls, None, base.shapes
    controls = dict(base.controls)
    if slot is InputSlot.REFERENCE:
        again = slot in base.inputs
        asked = controls.get("strength")
        strength = STRENGTH_FROM_TAKE if base.made else STRENGTH_FROM_REFERENCE
        before = float(asked) if isinstance(asked, int | float) else strength
        controls["strength"] = max(_LEAST_STRENGTH, round(before * _STRENGTH_AGAIN, 2)) if again else strength
    return controls, {**base.inputs, slot: base.approved}, {**base.shapes, slot: base.approved_shape}


def _cropped(shape: InputShape | None, report: Sequence[ControlReport]) -> bool:
    """Whether a clip of the format that is sent shows less than nine tenths of the picture that opens it."""
    sent = next((line.sent for line in report if line.control == "aspect_ratio"), None)
    if shape is None or not shape.height or not isinstance(sent, str):
        return False
    wide, high = (int(each) for each in sent.split(":"))
    difference = (shape.width / shape.height) / (wide / high)
    return min(difference, 1 / difference) < _LEAST_SHOWN


def _same(base: Base, rung: Rung, controls: Mapping[str, Any]) -> bool:
    slot = InputSlot.REFERENCE if rung is Rung.IMAGE_TO_IMAGE else InputSlot.FIRST_FRAME
    if base.inputs.get(slot) != base.approved:
        return False
    return rung is Rung.KEYFRAME or controls.get("strength") == base.controls.get("strength")
