"""The catalogue and quotes on the wire."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from circletake.dialects.checks import prompt_rule, required_slots, taken_slots
from circletake.domain import costs
from circletake.domain.availability import lifecycle_on
from circletake.domain.controls import CONTROLS, SEED_MAX, SEED_MIN, json_schema
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard, ModelUse, PriceUnit
from circletake.ports import ModelCatalogue
from circletake.usecases.quote_generation import Purpose, Quoted
from services.api.schemas.common import Reply
from services.api.schemas.consistency import RungReply, UnsupportedRung
from services.api.schemas.money import BudgetRoom
from services.api.schemas.takes import ControlReply


class KindReply(Reply):
    """What this model may be asked for, and what such a request needs."""

    kind: Kind
    default: bool = Field(
        description="This model runs the kind when neither a request nor its production names one"
    )
    draft_default: bool = Field(description="The same for drafts")
    per_take_usd: Decimal | None = Field(
        description="One take without any controls; null: it isn't sold so, or has ended"
    )
    prompt: str = Field(description="required, optional or refused")
    search_prompt: str = Field(description="required or refused")
    shot_required: bool
    required_inputs: list[InputSlot] = Field(description="What this model can't do without")
    optional_inputs: list[InputSlot]
    on_plate: bool = Field(description="The result is laid back onto the plate; outside it nothing changes")


class ControlSpec(Reply):
    name: str
    schema_: dict[str, Any] = Field(
        alias="schema", serialization_alias="schema", description="JSON Schema of what is accepted"
    )
    exact: list[Any] | None = Field(
        description="Where set, these values are honoured exactly; another one is answered by the nearest of them"
        " and reported as approximated"
    )
    model_pixels_max: int | None = Field(
        description="Where set, the limit holds in the model's own pixels, after the plate was fitted to it"
    )


class SeedSpec(Reply):
    state: Literal["honoured", "unsupported"]
    minimum: int
    maximum: int


class PriceReply(Reply):
    unit: PriceUnit
    usd: Decimal = Field(
        description="For a price per second, at the default resolution; per token, for what goes in"
    )
    usd_output: Decimal | None = Field(description="For a price per token, for what comes out")
    by_resolution: dict[str, Decimal]
    as_of: date
    source: str
    confirmed: bool = Field(description="Read in the provider's or AWS's own documentation")


class ModelReply(Reply):
    """One model of the catalogue as it stands today."""

    id: str
    name: str
    provider: str
    kinds: list[KindReply] = Field(
        description="Empty for a model that makes no takes: a generation that names it is refused"
    )
    uses: list[ModelUse] = Field(
        description="What it does beside or instead of takes: `embedding`, a vector per picture; `judge`, a second opinion;"
        " `language`, script breakdowns and proposed prompts"
    )
    default_for_tasks: list[LanguageTask] = Field(
        description="The language tasks that it runs when neither a request nor its production names a model"
    )
    version: str | None = Field(description="As its id ends, or its entry says")
    fingerprint: str = Field(
        description="Of all that decides what it is sent and makes; another one under the same id is another model"
    )
    mode: Literal["sync", "async"]
    regions: list[str]
    lifecycle: Literal["active", "legacy", "eol"] = Field(description="Today; an `eol` model is refused")
    eol_on: date | None = Field(description="When it ends, or ended")
    days_left: int | None = Field(description="Until it ends; 0 once it has; null while no end is announced")
    successor: str | None = Field(description="What to use instead")
    price: PriceReply
    controls: list[ControlSpec]
    seed: SeedSpec
    limits: dict[str, Any] = Field(description="As documented by the provider")
    on_unknown: Literal["retry", "hold"] = Field(
        description="What happens to a paid call whose outcome nobody knows"
    )
    digital_source_type: str = Field(description="IPTC code of what it makes without a plate")
    terms: dict[str, Any]
    unconfirmed: list[str] = Field(description="What the documentation leaves open")

    @classmethod
    def of(cls, card: ModelCard, catalogue: ModelCatalogue, today: date) -> "ModelReply":
        return cls(**cls.fields_of(card, catalogue, today))

    @staticmethod
    def fields_of(card: ModelCard, catalogue: ModelCatalogue, today: date) -> dict[str, Any]:
        return {
            "id": card.id,
            "name": card.name,
            "provider": card.provider,
            "kinds": [_kind(kind, card, catalogue, today) for kind in sorted(card.kinds)],
            "uses": sorted(card.uses),
            "default_for_tasks": [task for task in LanguageTask if catalogue.default_for(task).id == card.id],
            "version": card.version,
            "fingerprint": card.fingerprint,
            "mode": card.mode,
            "regions": list(card.regions),
            "lifecycle": lifecycle_on(card, today),
            "eol_on": card.eol_on,
            "days_left": days_left(card, today),
            "successor": card.successor,
            "price": PriceReply.model_validate(card.price),
            "controls": [_control(name, card) for name in card.controls],
            "seed": SeedSpec(state=card.seed, minimum=SEED_MIN, maximum=SEED_MAX),
            "limits": {name: value for name, value in card.limits.items() if name != "controls"},
            "on_unknown": card.on_unknown,
            "digital_source_type": card.digital_source_type,
            "terms": card.terms,
            "unconfirmed": list(card.unconfirmed),
        }


class ModelList(Reply):
    data: list[ModelReply]


class MatrixCell(Reply):
    """A model that serves a kind, a language task or a use, with what a tool needs to offer it."""

    model: str
    name: str
    provider: str
    default: bool
    draft_default: bool
    lifecycle: Literal["active", "legacy"]
    days_left: int | None
    unit: PriceUnit
    usd: Decimal = Field(description="Per unit, as in the model's `price`")
    per_take_usd: Decimal | None
    confirmed: bool = Field(description="The price was read in the provider's or AWS's own documentation")
    regions: list[str]
    seed: Literal["honoured", "unsupported"]
    prompt: str | None = Field(description="required, optional or refused; null for what makes no takes")
    required_inputs: list[InputSlot]
    optional_inputs: list[InputSlot]
    controls: list[str]

    @classmethod
    def of_kind(cls, card: ModelCard, catalogue: ModelCatalogue, today: date, kind: Kind) -> "MatrixCell":
        served = _kind(kind, card, catalogue, today)
        return cls(
            **_cell(card, today),
            default=served.default,
            draft_default=served.draft_default,
            per_take_usd=served.per_take_usd,
            prompt=served.prompt,
            required_inputs=served.required_inputs,
            optional_inputs=served.optional_inputs,
        )

    @classmethod
    def of_other(cls, card: ModelCard, today: date, *, default: bool = False) -> "MatrixCell":
        return cls(
            **_cell(card, today),
            default=default,
            draft_default=False,
            per_take_usd=None,
            prompt=None,
            required_inputs=[],
            optional_inputs=[],
        )


def _cell(card: ModelCard, today: date) -> dict[str, Any]:
    return {
        "model": card.id,
        "name": card.name,
        "provider": card.provider,
        "lifecycle": lifecycle_on(card, today),
        "days_left": days_left(card, today),
        "unit": card.price.unit,
        "usd": card.price.usd,
        "confirmed": card.price.confirmed,
        "regions": list(card.regions),
        "seed": card.seed,
        "controls": list(card.controls),
    }


class ModelMatrix(Reply):
    """Who serves what today, the default first, then the cheapest. Ended models aren't in it."""

    kinds: dict[Kind, list[MatrixCell]]
    tasks: dict[LanguageTask, list[MatrixCell]]
    uses: dict[ModelUse, list[MatrixCell]]

    @classmethod
    def of_catalogue(cls, catalogue: ModelCatalogue, today: date) -> "ModelMatrix":
        live = [card for card in catalogue.all() if lifecycle_on(card, today) != "eol"]
        return cls(
            kinds={
                kind: _ordered(
                    MatrixCell.of_kind(card, catalogue, today, kind) for card in live if kind in card.kinds
                )
                for kind in Kind
            },
            tasks={
                task: _ordered(
                    MatrixCell.of_other(card, today, default=catalogue.default_for(task).id == card.id)
                    for card in live
                    if ModelUse.LANGUAGE in card.uses
                )
                for task in LanguageTask
            },
            uses={
                use: _ordered(MatrixCell.of_other(card, today) for card in live if use in card.uses)
                for use in ModelUse
            },
        )


def _ordered(cells: Iterable[MatrixCell]) -> list[MatrixCell]:
    return sorted(cells, key=lambda each: (not each.default, each.per_take_usd or each.usd, each.model))


def _kind(kind: Kind, card: ModelCard, catalogue: ModelCatalogue, today: date) -> KindReply:
    rule = RULES[kind]
    required = required_slots(kind, card)
    return KindReply(
        kind=kind,
        default=catalogue.default_for(kind).id == card.id,
        draft_default=is_draft_default(catalogue, kind, card),
        per_take_usd=None if lifecycle_on(card, today) == "eol" else per_take(card, kind),
        prompt=prompt_rule(kind, card),
        search_prompt=rule.search,
        shot_required=rule.needs_shot,
        required_inputs=sorted(required),
        optional_inputs=sorted(taken_slots(kind, card) - required),
        on_plate=rule.on_plate,
    )


def is_draft_default(catalogue: ModelCatalogue, kind: Kind, card: ModelCard) -> bool:
    return (catalogue.draft_for(kind).model or catalogue.default_for(kind).id) == card.id


def per_take(card: ModelCard, kind: Kind) -> Decimal | None:
    """Return what a take without controls costs; None where the card has no price for that."""
    try:
        return costs.quote(card, kind, 1, {}).per_take
    except ValueError:
        return None


def days_left(card: ModelCard, today: date) -> int | None:
    """Return the days until the model ends, 0 once it has; None while no end is announced."""
    return None if card.eol_on is None else max(0, (card.eol_on - today).days)


# the limits of these hold in the model's pixels, and depend on the plate
_SCALED = frozenset({"extend", "grow_mask"})


def _control(name: str, card: ModelCard) -> ControlSpec:
    limit: Mapping[str, Any] = card.limits.get("controls", {}).get(name, {})
    schema = json_schema(CONTROLS[name])
    scaled = name in _SCALED
    nearest = bool(limit.get("nearest"))
    if "values" in limit and not nearest:
        schema["enum"] = list(limit["values"])
    if not scaled:
        for ours, theirs in (("minimum", "min"), ("maximum", "max")):
            if limit.get(theirs) is not None:
                schema[ours] = limit[theirs]
    if limit.get("default") is not None:
        schema["default"] = limit["default"]
    return ControlSpec(
        name=name,
        schema=schema,
        exact=list(limit["values"]) if nearest else None,
        model_pixels_max=limit.get("max") if scaled else None,
    )


class QuoteLineReply(Reply):
    """One term of the sum, for every take."""

    what: str
    units: Decimal
    unit: Literal["image", "second"]
    usd_per_unit: Decimal
    usd: Decimal
    source: str
    as_of: date


class ModelPrice(PriceReply):
    """The price of a model that the request may come to call, where it was read, and on which day."""

    model: str
    purpose: Purpose = Field(
        description="takes: those of the request; more_takes: an enforcement's; judging: what compares them"
    )

    @classmethod
    def of(cls, card: ModelCard, purpose: Purpose) -> "ModelPrice":
        return cls(**PriceReply.model_validate(card.price).model_dump(), model=card.id, purpose=purpose)


class QuoteReply(Reply):
    """What the request would cost. Nothing is recorded, reserved or sent."""

    model: str
    kind: Kind
    takes: int
    currency: Literal["USD"] = "USD"
    per_take: Decimal
    total: Decimal
    lines: list[QuoteLineReply]
    unconfirmed: bool = Field(description="The price has no confirmation by the provider")
    prices: list[ModelPrice] = Field(description="Of every model that the request may come to call")
    budget: BudgetRoom
    controls_report: list[ControlReply]
    at_most: Decimal = Field(
        description="The worst case: with `consistency` its max_cost_usd, judging included, else the total"
    )
    ladder: list[RungReply] | None = Field(
        description="With `consistency`: the rungs that are served, in order, and what one take of each costs"
    )
    unsupported_rungs: list[UnsupportedRung] | None = Field(
        description="The rungs that nobody serves, and why"
    )

    @classmethod
    def of(cls, quoted: Quoted, kind: Kind) -> "QuoteReply":
        plan, enforcing = quoted.plan, quoted.enforcing
        quote = plan.quote
        return cls(
            model=quote.model,
            kind=kind,
            takes=quote.takes,
            per_take=quote.per_take,
            total=quote.total,
            lines=[QuoteLineReply.model_validate(line) for line in quote.lines],
            unconfirmed=quote.unconfirmed,
            prices=[ModelPrice.of(card, purpose) for card, purpose in quoted.prices],
            budget=BudgetRoom.of(quoted.room),
            controls_report=[
                ControlReply(control=line.control, state=line.state.value, sent=line.sent, note=line.note)
                for line in plan.controls_report
            ],
            at_most=enforcing.request.max_cost_usd if enforcing else quote.total,
            ladder=[RungReply.of(rung.as_json()) for rung in enforcing.ladder.rungs] if enforcing else None,
            unsupported_rungs=[UnsupportedRung.of(each.as_json()) for each in enforcing.ladder.unsupported]
            if enforcing
            else None,
        )
