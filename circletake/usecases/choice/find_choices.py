"""What a production works with for every kind: its choice or the catalogue's default, and how long that will last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.availability import lifecycle_on
from circletake.domain.cards import card_from
from circletake.domain.choice.choices import PURPOSES, Purpose
from circletake.domain.choice.endings import days_left
from circletake.domain.choice.kept import differences
from circletake.domain.pictures import ModelCard
from circletake.ports import ModelCatalogue, Seal
from circletake.records.choice import ModelChoice
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.choose_model import as_choice, card_under
from circletake.usecases.choice.keep_choice import purpose_of, reason_place
from circletake.usecases.find_context import find_production
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class Standing:
    """One model of a production's, as it stands today. `changed`: the fields in which the catalogue has another entry
    than the production keeps; None where it keeps none, or the model has left the catalogue."""

    model: str
    card: ModelCard
    lifecycle: Literal["active", "legacy", "eol"]
    days_left: int | None
    in_catalogue: bool
    changed: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class KindView:
    """What a production asks for one kind. `choice` None: the catalogue's default."""

    purpose: Purpose
    model: Standing
    choice: ModelChoice | None
    allowed: Sequence[Standing] = ()
    fallback: Sequence[Standing] = ()
    reason: str | None = field(default=None, repr=False)


async def list_models(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    tenant_id: UUID,
    production_id: UUID,
    *,
    now: datetime,
) -> Sequence[KindView]:
    """Return every kind and language task. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        rows = await _standing_rows(session, tenant_id, production_id)
    by_kind = {row.kind: row for row in rows}
    return [_view(catalogue, seal, purpose, by_kind.get(kind), now) for kind, purpose in PURPOSES.items()]


async def get_model(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    tenant_id: UUID,
    production_id: UUID,
    kind: str,
    *,
    now: datetime,
) -> KindView:
    """Return one kind. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        purpose = purpose_of(kind)
        rows = await _standing_rows(session, tenant_id, production_id)
    row = next((each for each in rows if each.kind == kind), None)
    return _view(catalogue, seal, purpose, row, now)


async def _standing_rows(
    session: TenantSession, tenant_id: UUID, production_id: UUID
) -> Sequence[ModelChoice]:
    rows = await session.scalars(
        select(ModelChoice).where(
            ModelChoice.tenant_id == tenant_id,
            ModelChoice.production_id == production_id,
            ModelChoice.superseded_at.is_(None),
        )
    )
    return rows.all()


def _view(
    catalogue: ModelCatalogue, seal: Seal, purpose: Purpose, row: ModelChoice | None, now: datetime
) -> KindView:
    if row is None:
        card = catalogue.default_for(purpose)
        return KindView(purpose, _standing(catalogue, card.id, card, None, now), None)

    def standing(model: str) -> Standing:
        kept = card_from(row.cards[model])
        return _standing(catalogue, model, card_under(catalogue, as_choice(row), model) or kept, kept, now)

    return KindView(
        purpose,
        standing(row.model_id),
        row,
        [standing(model) for model in row.allowed],
        [standing(model) for model in row.fallback_order],
        open_text(seal, row.reason, reason_place(row.id)),
    )


def _standing(
    catalogue: ModelCatalogue, model: str, card: ModelCard, kept: ModelCard | None, now: datetime
) -> Standing:
    newest = catalogue.get(model)
    return Standing(
        model,
        card,
        lifecycle_on(card, now.date()),
        None if card.eol_on is None else days_left(card.eol_on, now.date()),
        newest is not None,
        differences(kept, newest) if kept is not None and newest is not None else None,
    )
