"""Reads of performers and portrayals. Every query names the tenant, beside row-level security.

Lock order: the character, the performer, its portrayals, its consents by id, then what `steps` says of the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.ports import Seal
from circletake.records.performers import Performer, Portrayal
from circletake.records.session import Database, TenantSession
from circletake.usecases.sealed_text import open_text

Position = tuple[datetime, UUID]
Lock = Literal["share", "update"]


@dataclass(frozen=True, slots=True)
class PerformerView:
    """A performer with what is sealed, opened. A deleted one has no name."""

    performer: Performer
    name: str | None = field(repr=False)
    contact: str | None = field(repr=False)
    guardian: str | None = field(repr=False)


def place_of(column: str, performer_id: UUID) -> str:
    return f"performers.{column}:{performer_id}"


def name_of(seal: Seal, performer_id: UUID, sealed: bytes | None) -> str | None:
    return open_text(seal, sealed, place_of("name", performer_id))


def performer_view(seal: Seal, performer: Performer) -> PerformerView:
    return PerformerView(
        performer,
        name_of(seal, performer.id, performer.name),
        open_text(seal, performer.contact, place_of("contact", performer.id)),
        open_text(seal, performer.guardian, place_of("guardian", performer.id)),
    )


async def find_performer(
    session: TenantSession, tenant_id: UUID, performer_id: UUID, *, lock: Lock | None = None
) -> Performer:
    """Return a performer, deleted ones too, locked if wanted. Raises NotFound."""
    query = select(Performer).where(Performer.tenant_id == tenant_id, Performer.id == performer_id)
    if lock is not None:
        query = query.with_for_update(read=lock == "share").execution_options(populate_existing=True)
    found = await session.scalar(query)
    if found is None:
        raise NotFound("performer")
    return found


async def find_portrayal(session: TenantSession, tenant_id: UUID, portrayal_id: UUID) -> Portrayal:
    """Return a portrayal, ended ones too, locked. Raises NotFound."""
    found = await session.scalar(
        select(Portrayal)
        .where(Portrayal.tenant_id == tenant_id, Portrayal.id == portrayal_id)
        .with_for_update()
    )
    if found is None:
        raise NotFound("portrayal")
    return found


async def get_performer(database: Database, seal: Seal, tenant_id: UUID, performer_id: UUID) -> PerformerView:
    async with database.tenant(tenant_id) as session:
        return performer_view(seal, await find_performer(session, tenant_id, performer_id))


async def list_performers(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    external_ref: str | None = None,
) -> Sequence[PerformerView]:
    """Return the studio's performers, newest first, without deleted ones."""
    query = select(Performer).where(Performer.tenant_id == tenant_id, Performer.deleted_at.is_(None))
    if external_ref is not None:
        query = query.where(Performer.external_ref == external_ref)
    if before is not None:
        query = query.where(tuple_(Performer.created_at, Performer.id) < before)
    query = query.order_by(Performer.created_at.desc(), Performer.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return [performer_view(seal, each) for each in await session.scalars(query)]


async def list_portrayals(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    production_id: UUID | None = None,
    character_id: UUID | None = None,
    performer_id: UUID | None = None,
    ended: bool = False,
) -> Sequence[Portrayal]:
    """Return portrayals, newest first: the ones that hold, or those that have ended."""
    query = select(Portrayal).where(
        Portrayal.tenant_id == tenant_id,
        Portrayal.ended_at.is_not(None) if ended else Portrayal.ended_at.is_(None),
    )
    for column, value in (
        (Portrayal.production_id, production_id),
        (Portrayal.character_id, character_id),
        (Portrayal.performer_id, performer_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Portrayal.created_at, Portrayal.id) < before)
    query = query.order_by(Portrayal.created_at.desc(), Portrayal.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))
