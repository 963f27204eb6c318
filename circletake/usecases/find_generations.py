"""Reads of generations, takes and events. Every query names the tenant, beside row-level security."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.kinds import InputSlot
from circletake.ports import Seal
from circletake.records.consistency import Enforcement
from circletake.records.events import Event
from circletake.records.generations import Generation, GenerationInput, Invocation, Take
from circletake.records.holds import Hold
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.clearances import clearances_at
from circletake.usecases.effective_take import TakeView
from circletake.usecases.generation_rows import GenerationView
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call to a model, with what was sent: each picture as its size and SHA-256."""

    record: Invocation
    wire_body: dict[str, Any] = field(repr=False)


async def get_generation(
    database: Database, seal: Seal, tenant_id: UUID, generation_id: UUID
) -> GenerationView:
    """Return one generation with its content opened. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        return await load_view(session, seal, tenant_id, generation_id)


async def load_view(
    session: TenantSession, seal: Seal, tenant_id: UUID, generation_id: UUID
) -> GenerationView:
    generation = await find_generation(session, tenant_id, generation_id)
    takes = await session.scalars(
        select(Take)
        .where(Take.tenant_id == tenant_id, Take.generation_id == generation_id)
        .order_by(Take.number)
    )
    inputs = await session.execute(
        select(GenerationInput.slot, GenerationInput.media_id).where(
            GenerationInput.tenant_id == tenant_id, GenerationInput.generation_id == generation_id
        )
    )
    metadata = open_text(seal, generation.client_metadata, f"generations.client_metadata:{generation_id}")
    return GenerationView(
        generation,
        list(takes),
        {InputSlot(slot): media_id for slot, media_id in inputs},
        open_text(seal, generation.prompt, f"generations.prompt:{generation_id}"),
        open_text(seal, generation.negative_prompt, f"generations.negative_prompt:{generation_id}"),
        open_text(seal, generation.search_prompt, f"generations.search_prompt:{generation_id}"),
        None if metadata is None else json.loads(metadata),
        await session.scalar(
            select(Enforcement.id).where(
                Enforcement.tenant_id == tenant_id, Enforcement.generation_id == generation_id
            )
        ),
        list(
            await session.scalars(
                select(Hold)
                .where(Hold.tenant_id == tenant_id, Hold.generation_id == generation_id)
                .order_by(Hold.id)
            )
        ),
        [
            clearance.id
            for clearance in await clearances_at(
                session, tenant_id, generation.shot_id, generation.created_at
            )
        ],
    )


async def find_generation(session: TenantSession, tenant_id: UUID, generation_id: UUID) -> Generation:
    generation = await session.scalar(
        select(Generation).where(Generation.tenant_id == tenant_id, Generation.id == generation_id)
    )
    if generation is None:
        raise NotFound("generation")
    return generation


async def find_take(session: TenantSession, tenant_id: UUID, take_id: UUID) -> Take:
    take = await session.scalar(select(Take).where(Take.tenant_id == tenant_id, Take.id == take_id))
    if take is None:
        raise NotFound("take")
    return take


async def get_take(database: Database, tenant_id: UUID, take_id: UUID) -> TakeView:
    async with database.tenant(tenant_id) as session:
        take = await find_take(session, tenant_id, take_id)
        return TakeView(await find_generation(session, tenant_id, take.generation_id), take)


async def calls_of(database: Database, seal: Seal, tenant_id: UUID, take_id: UUID) -> Sequence[ModelCall]:
    """Return every call to a model that was made for a take, the first one first, with the body as it was sent.

    Raises NotFound.
    """
    async with database.tenant(tenant_id) as session:
        await find_take(session, tenant_id, take_id)
        rows = await session.scalars(
            select(Invocation)
            .where(Invocation.tenant_id == tenant_id, Invocation.take_id == take_id)
            .order_by(Invocation.id)
        )
        return [ModelCall(row, _wire_body(seal, row)) for row in rows]


def _wire_body(seal: Seal, row: Invocation) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(open_text(seal, row.body, f"invocations.body:{row.id}") or "{}")
    return body


async def list_generations(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    kind: str | None = None,
    state: str | None = None,
    external_ref: str | None = None,
) -> Sequence[Generation]:
    """Return at most `limit` generations, newest first, older than `before` (created_at, id)."""
    query = select(Generation).where(Generation.tenant_id == tenant_id)
    for column, value in (
        (Generation.production_id, production_id),
        (Generation.shot_id, shot_id),
        (Generation.kind, kind),
        (Generation.state, state),
        (Generation.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Generation.created_at, Generation.id) < before)
    query = query.order_by(Generation.created_at.desc(), Generation.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


async def events_after(
    database: Database, tenant_id: UUID, generation_id: UUID, sequence: int, *, limit: int = 200
) -> Sequence[Event]:
    """Return a generation's events in order; sequences are given under its lock, so none comes late."""
    async with database.tenant(tenant_id) as session:
        return list(
            await session.scalars(
                select(Event)
                .where(
                    Event.tenant_id == tenant_id,
                    Event.generation_id == generation_id,
                    Event.seq > sequence,
                )
                .order_by(Event.seq)
                .limit(limit)
            )
        )


async def events_across(
    database: Database, tenant_id: UUID, *, after: tuple[int, UUID] | None, limit: int
) -> Sequence[Event]:
    """Return the tenant's events in commit-safe order: only those older than every running transaction."""
    query = select(Event).where(
        Event.tenant_id == tenant_id,
        Event.txid < func.pg_snapshot_xmin(func.pg_current_snapshot()),
    )
    if after is not None:
        query = query.where(text("(events.txid, events.id) > (cast(:txid as xid8), :event_id)")).params(
            txid=after[0], event_id=after[1]
        )
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query.order_by(Event.txid, Event.id).limit(limit)))
