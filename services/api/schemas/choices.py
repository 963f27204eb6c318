"""The models that a production chose, on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.choice.choices import DEFAULT_FALLBACK_ON, PURPOSES, Because
from circletake.usecases.choice.find_choices import KindView, Standing
from circletake.usecases.choice.keep_choice import MAX_MODELS, Wish
from services.api.schemas.common import Body, Reply, Text

ModelId = Annotated[Text, Field(min_length=1, max_length=256)]
ModelIds = Annotated[list[ModelId], Field(max_length=MAX_MODELS)]


class FallbackBody(Body):
    """Who stands in for the model, and when. Nothing that isn't in this list ever does."""

    order: ModelIds = Field(description="Tried in this order, each once for a take")
    on: Annotated[list[Because], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: list(DEFAULT_FALLBACK_ON),
        description="`throttle`: it answers again and again that it is busy; `outage`: it fails again and again, or is"
        " gone; `filter`: its safety filter refused. A filter's refusal is never passed on unless you say so here",
    )


class ModelChoiceBody(Body):
    """What a production works with for one kind, from now on."""

    model: ModelId
    locked: bool = Field(
        default=True,
        description="Keep the model's entry as it is now, and refuse requests that name another one. false: it is the"
        " production's default, and requests may name others",
    )
    allowed: ModelIds = Field(
        default_factory=list, description="Other models that requests may name while it is locked"
    )
    fallback: FallbackBody | None = None
    renew: bool = Field(
        default=False,
        description="Keep every model's entry as the catalogue has it now; otherwise what a lock keeps already stays",
    )
    reason: Annotated[Text, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="Kept encrypted"
    )

    def to_wish(self) -> Wish:
        return Wish(
            model=self.model,
            locked=self.locked,
            allowed=self.allowed,
            fallback_order=self.fallback.order if self.fallback else (),
            fallback_on=self.fallback.on if self.fallback else (),
            reason=self.reason,
            renew=self.renew,
        )


class ModelStanding(Reply):
    """One model of a production's, as it stands today."""

    model: str
    name: str
    version: str | None = Field(description="As the model's id ends; null where it doesn't say")
    fingerprint: str = Field(
        description="Over all that decides what the model is sent, as the production keeps it: another one is another"
        " model, as far as you can tell"
    )
    lifecycle: Literal["active", "legacy", "eol"]
    eol_on: date | None
    days_left: int | None = Field(description="Until its end; null while none is known")
    successor: str | None
    in_catalogue: bool = Field(description="false: it has left the catalogue, and the production keeps it")
    changed: list[str] | None = Field(
        description="Which members of the catalogue's entry are other than the production keeps them; null where it"
        " keeps none, or the model has left the catalogue"
    )

    @classmethod
    def of_standing(cls, standing: Standing) -> "ModelStanding":
        card = standing.card
        return cls(
            model=standing.model,
            name=card.name,
            version=card.version,
            fingerprint=card.fingerprint,
            lifecycle=standing.lifecycle,
            eol_on=card.eol_on,
            days_left=standing.days_left,
            successor=card.successor,
            in_catalogue=standing.in_catalogue,
            changed=None if standing.changed is None else list(standing.changed),
        )


class FallbackReply(Reply):
    order: list[ModelStanding]
    on: list[Because]


class ProductionModel(Reply):
    """What a production works with for one kind."""

    kind: Annotated[str, Field(json_schema_extra={"enum": sorted(PURPOSES)})]
    source: Literal["locked", "chosen", "default"] = Field(
        description="default: the catalogue's, until it says otherwise"
    )
    model: ModelStanding
    allowed: list[ModelStanding] = Field(description="What requests may name beside it while it is locked")
    fallback: FallbackReply
    choice_id: UUID | None
    choice_version: int | None = Field(description="In quotes it is the ETag, for If-Match")
    chosen_by: UUID | None = Field(description="The person: see `GET /v1/people`")
    chosen_at: datetime | None
    reason: str | None
    ledger_entry_id: UUID | None

    @classmethod
    def of_view(cls, view: KindView) -> "ProductionModel":
        choice = view.choice
        source: Literal["locked", "chosen", "default"] = "default"
        if choice is not None:
            source = "locked" if choice.locked else "chosen"
        return cls(
            kind=view.purpose.value,
            source=source,
            model=ModelStanding.of_standing(view.model),
            allowed=[ModelStanding.of_standing(each) for each in view.allowed],
            fallback=FallbackReply(
                order=[ModelStanding.of_standing(each) for each in view.fallback],
                on=[Because(each) for each in choice.fallback_on] if choice and view.fallback else [],
            ),
            choice_id=choice.id if choice else None,
            choice_version=choice.version if choice else None,
            chosen_by=choice.chosen_by if choice else None,
            chosen_at=choice.created_at if choice else None,
            reason=view.reason,
            ledger_entry_id=choice.ledger_entry_id if choice else None,
        )


class ProductionModels(Reply):
    data: list[ProductionModel]
