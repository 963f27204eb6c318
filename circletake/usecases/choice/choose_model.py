"""Which model makes a kind for a production: the one asked for, the one it chose, or the catalogue's default."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select

from circletake.dialects.abilities import serves
from circletake.dialects.registry import DIALECTS
from circletake.domain.availability import refusal
from circletake.domain.cards import card_from
from circletake.domain.choice.choices import (
    PURPOSES,
    Because,
    Choice,
    Fallback,
    Purpose,
    locked_violation,
)
from circletake.domain.choice.kept import in_effect
from circletake.domain.kinds import InputSlot, Kind, Quality
from circletake.domain.pictures import ModelCard, Violation
from circletake.ports import ModelCatalogue
from circletake.records.choice import ModelChoice
from circletake.records.session import TenantSession


@dataclass(frozen=True, slots=True)
class ProductionModels:
    """What a production chose, by kind."""

    choices: Mapping[str, Choice] = field(default_factory=dict)

    def of(self, purpose: Purpose) -> Choice | None:
        return self.choices.get(purpose.value)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model, or why there is none. `lock_id`: the production's choice that it is of."""

    card: ModelCard | None
    lock_id: UUID | None = None
    violations: Sequence[Violation] = ()


async def production_models(session: TenantSession, tenant_id: UUID, production_id: UUID) -> ProductionModels:
    """Read what the production has chosen now."""
    rows = await session.scalars(
        select(ModelChoice).where(
            ModelChoice.tenant_id == tenant_id,
            ModelChoice.production_id == production_id,
            ModelChoice.superseded_at.is_(None),
        )
    )
    return ProductionModels({row.kind: as_choice(row) for row in rows if row.kind in PURPOSES})


def as_choice(row: ModelChoice) -> Choice:
    return Choice(
        id=row.id,
        purpose=PURPOSES[row.kind],
        model=row.model_id,
        locked=row.locked,
        allowed=tuple(row.allowed),
        fallback=Fallback(tuple(row.fallback_order), frozenset(Because(each) for each in row.fallback_on)),
        cards=row.cards,
    )


def choose_model(
    catalogue: ModelCatalogue,
    models: ProductionModels,
    *,
    kind: Purpose,
    asked: str | None,
    quality: Quality,
    on: date,
    slots: Collection[InputSlot] = (),
    prompted: bool = False,
) -> Chosen:
    """Choose the model for a kind, or a language task, on a day. Reads nothing: `models` are loaded once."""
    choice = models.of(kind)
    lock_id = choice.id if choice else None
    if choice is not None and asked is not None and choice.locked and asked not in choice.may_be_named:
        return Chosen(None, lock_id, [locked_violation(choice)])
    draft = _draft_model(catalogue, choice, kind, slots, prompted) if quality is Quality.DRAFT else None
    wanted = asked or draft or (choice.model if choice else catalogue.default_for(kind).id)
    card = card_under(catalogue, choice, wanted)
    if card is None:
        unknown = Violation("/model", "unknown_model", "There is no such model: GET /v1/models lists them.")
        return Chosen(None, lock_id, [unknown])
    refused = refusal(card, kind, on)
    return Chosen(card, lock_id, [refused] if refused else [])


def _draft_model(
    catalogue: ModelCatalogue,
    choice: Choice | None,
    kind: Purpose,
    slots: Collection[InputSlot],
    prompted: bool,
) -> str | None:
    """The catalogue's model for drafts, as far as a lock allows it and it can make what is asked for."""
    if not isinstance(kind, Kind):
        return None
    card = catalogue.get(catalogue.draft_for(kind).model or "")
    if card is None or not serves(card, kind, slots, prompted=prompted):
        return None
    return card.id if choice is None or not choice.locked or card.id in choice.may_be_named else None


def card_under(catalogue: ModelCatalogue, choice: Choice | None, model_id: str) -> ModelCard | None:
    """Return a model's card as a production has it: while the choice is locked, as it was kept; else the catalogue's,
    and the kept one where the model has left it. None: nothing knows the model."""
    newest = catalogue.get(model_id)
    document = choice.cards.get(model_id) if choice else None
    if choice is None or document is None or (not choice.locked and newest is not None):
        return newest
    kept = card_from(document)
    if isinstance(choice.purpose, Kind) and kept.dialect not in DIALECTS:
        return newest  # this version of the product no longer speaks what was kept
    return in_effect(kept, newest)
