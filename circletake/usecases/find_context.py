"""Reads of the film context. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound
from circletake.ports import Seal
from circletake.records.context import Episode, Production, Shot
from circletake.records.context import Sequence as ShotSequence
from circletake.records.session import Database, TenantSession
from circletake.usecases.language.written_text import ai_text_used
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class ShotView:
    """A shot with its opened notes, and whether a language model wrote them word for word."""

    shot: Shot
    notes: str | None = field(repr=False)
    notes_ai_generated: bool = False


def notes_place(shot_id: UUID) -> str:
    return f"shots.notes:{shot_id}"


async def shot_view(session: TenantSession, seal: Seal, shot: Shot) -> ShotView:
    notes = open_text(seal, shot.notes, notes_place(shot.id))
    return ShotView(shot, notes, await ai_text_used(session, seal, shot.tenant_id, notes))


async def get_production(database: Database, tenant_id: UUID, production_id: UUID) -> Production:
    async with database.tenant(tenant_id) as session:
        return await find_production(session, tenant_id, production_id)


async def get_episode(database: Database, tenant_id: UUID, episode_id: UUID) -> Episode:
    async with database.tenant(tenant_id) as session:
        return await find_episode(session, tenant_id, episode_id)


async def get_sequence(database: Database, tenant_id: UUID, sequence_id: UUID) -> ShotSequence:
    async with database.tenant(tenant_id) as session:
        return await find_sequence(session, tenant_id, sequence_id)


async def get_shot(database: Database, seal: Seal, tenant_id: UUID, shot_id: UUID) -> ShotView:
    async with database.tenant(tenant_id) as session:
        return await shot_view(session, seal, await find_shot(session, tenant_id, shot_id))


async def list_productions(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    after: str | None = None,
    code: str | None = None,
    external_ref: str | None = None,
) -> Sequence[Production]:
    """Return at most `limit` productions in the order of their codes, after the code `after`."""
    query = select(Production).where(Production.tenant_id == tenant_id)
    if after is not None:
        query = query.where(Production.code > after)
    if code is not None:
        query = query.where(Production.code == code)
    if external_ref is not None:
        query = query.where(Production.external_ref == external_ref)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query.order_by(Production.code).limit(limit)))


async def list_episodes(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    after: str | None = None,
    code: str | None = None,
) -> Sequence[Episode]:
    """Return a production's episodes in the order of their codes. Raises NotFound."""
    query = select(Episode).where(Episode.tenant_id == tenant_id, Episode.production_id == production_id)
    if after is not None:
        query = query.where(Episode.code > after)
    if code is not None:
        query = query.where(Episode.code == code)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query.order_by(Episode.code).limit(limit)))


async def list_sequences(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    after: str | None = None,
    code: str | None = None,
    episode_id: UUID | None = None,
) -> Sequence[ShotSequence]:
    """Return a production's sequences in the order of their codes. Raises NotFound."""
    query = select(ShotSequence).where(
        ShotSequence.tenant_id == tenant_id, ShotSequence.production_id == production_id
    )
    if after is not None:
        query = query.where(ShotSequence.code > after)
    if code is not None:
        query = query.where(ShotSequence.code == code)
    if episode_id is not None:
        query = query.where(ShotSequence.episode_id == episode_id)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query.order_by(ShotSequence.code).limit(limit)))


async def list_shots(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    after: str | None = None,
    code: str | None = None,
    sequence_id: UUID | None = None,
    external_ref: str | None = None,
) -> Sequence[Shot]:
    """Return a production's shots in the order of their codes; their notes stay sealed. Raises NotFound."""
    query = select(Shot).where(Shot.tenant_id == tenant_id, Shot.production_id == production_id)
    if after is not None:
        query = query.where(Shot.code > after)
    if code is not None:
        query = query.where(Shot.code == code)
    if sequence_id is not None:
        query = query.where(Shot.sequence_id == sequence_id)
    if external_ref is not None:
        query = query.where(Shot.external_ref == external_ref)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query.order_by(Shot.code).limit(limit)))


async def find_production(session: TenantSession, tenant_id: UUID, production_id: UUID) -> Production:
    production = await session.scalar(
        select(Production).where(Production.tenant_id == tenant_id, Production.id == production_id)
    )
    if production is None:
        raise NotFound("production")
    return production


async def find_episode(session: TenantSession, tenant_id: UUID, episode_id: UUID) -> Episode:
    episode = await session.scalar(
        select(Episode).where(Episode.tenant_id == tenant_id, Episode.id == episode_id)
    )
    if episode is None:
        raise NotFound("episode")
    return episode


async def find_sequence(session: TenantSession, tenant_id: UUID, sequence_id: UUID) -> ShotSequence:
    sequence = await session.scalar(
        select(ShotSequence).where(ShotSequence.tenant_id == tenant_id, ShotSequence.id == sequence_id)
    )
    if sequence is None:
        raise NotFound("sequence")
    return sequence


async def find_shot(session: TenantSession, tenant_id: UUID, shot_id: UUID) -> Shot:
    shot = await session.scalar(select(Shot).where(Shot.tenant_id == tenant_id, Shot.id == shot_id))
    if shot is None:
        raise NotFound("shot")
    return shot
