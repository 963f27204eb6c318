"""The catalogue and quotes on the wire."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from circletake.domain.availability import lifecycle_on
from circletake.domain.controls import CONTROLS, SEED_MAX, SEED_MIN, json_schema
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard, ModelUse, PriceUnit
from circletake.ports import ModelCatalogue
from circletake.usecases.quote_generation import Purpose, Quoted
from services.api.schemas.common import Reply
from services.api.schemas.consistency import RungReply, UnsupportedRung
from services.api.schemas.generations import ControlReply
from services.api.schemas.money import BudgetRoom


class KindReply(Reply):
    """What this model may be asked for, and what such a request needs."""

    kind: Kind
    default: bool = Field(description="This model runs the kind when a request names none")
    prompt: str = Field(description="required, optional or refused")
    shot_required: bool
    required_inputs: list[InputSlot]
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
        description="What it does for consistency: `embedding`, a vector per picture; `judge`, a second opinion"
    )
    mode: Literal["sync", "async"]
    regions: list[str]
    lifecycle: Literal["active", "legacy", "eol"] = Field(description="Today; an `eol` model is refused")
    eol_on: date | None
    successor: str | None
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
            "kinds": [_kind(kind, card, catalogue) for kind in sorted(card.kinds)],
            "uses": sorted(card.uses),
            "mode": card.mode,
            "regions": list(card.regions),
            "lifecycle": lifecycle_on(card, today),
            "eol_on": card.eol_on,
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


def _kind(kind: Kind, card: ModelCard, catalogue: ModelCatalogue) -> KindReply:
    rule = RULES[kind]
    fits = card.limits.get("inputs", {})
    return KindReply(
        kind=kind,
        default=catalogue.default_for(kind).id == card.id,
        prompt=rule.prompt,
        shot_required=rule.needs_shot,
        required_inputs=sorted(rule.required),
        optional_inputs=sorted(slot for slot in rule.optional if slot.value in fits),
        on_plate=rule.on_plate,
    )


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
