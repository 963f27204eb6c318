"""Reads of batches: how far they are, and what became of each line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, select, text, tuple_

from circletake.domain.errors import NotFound
from circletake.records.batches import GenerationBatch
from circletake.records.context import Shot
from circletake.records.generations import Generation
from circletake.records.session import Database, TenantSession
from circletake.usecases.money.reservations import NOTHING

_TAKES = """
    coalesce(sum(t.cost_usd) filter (where t.billed = 'true'), 0) as cost,
    coalesce(sum(t.unknown_usd), 0) as unknown, coalesce(sum(t.reserved_usd), 0) as reserved,
    count(*) filter (where t.circled) as circled
"""
_PROGRESS = text(
    f"""
    select t.state, t.hold_reason, count(*) as takes, {_TAKES}
    from generations g join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id
    where g.tenant_id = :tenant and g.batch_id = :batch
    group by t.state, t.hold_reason
    """  # noqa: S608 - a constant
)
_FINISHED = text(
    "select count(*) from generations where tenant_id = :tenant and batch_id = :batch and finished_at is not null"
)
_OF_GENERATIONS = text(
    f"""
    select t.generation_id, t.state, count(*) as takes, {_TAKES},
           array_agg(t.number order by t.number) filter (where t.circled) as circled_takes
    from takes t where t.tenant_id = :tenant and t.generation_id = any(:generations)
    group by t.generation_id, t.state
    """  # noqa: S608 - a constant
).bindparams(bindparam("generations", type_=ARRAY(Uuid())))


@dataclass(slots=True)
class Tally:
    """Takes counted by their state, and what they come to in US dollars."""

    takes: dict[str, int] = field(default_factory=dict)
    cost: Decimal = NOTHING  # owed for certain
    unknown: Decimal = NOTHING  # perhaps owed beside
    reserved: Decimal = NOTHING
    circled: int = 0
    circled_takes: list[int] = field(default_factory=list)

    def add(self, row: Any) -> None:
        self.takes[row.state] = self.takes.get(row.state, 0) + row.takes
        self.cost += row.cost
        self.unknown += row.unknown
        self.reserved += row.reserved
        self.circled += row.circled


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch and how far it is. `held`: takes by the reason they wait for."""

    batch: GenerationBatch
    tally: Tally
    finished: int  # generations
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One generation of a batch, with its takes counted."""

    generation: Generation
    shot_code: str | None
    tally: Tally


async def get_batch(database: Database, tenant_id: UUID, batch_id: UUID) -> BatchView:
    """Return a batch and how far it is. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        batch = await _find(session, tenant_id, batch_id)
        of_batch = {"tenant": tenant_id, "batch": batch_id}
        tally = Tally()
        held: dict[str, int] = {}
        for row in await session.execute(_PROGRESS, of_batch):
            tally.add(row)
            if row.hold_reason is not None:
                held[row.hold_reason] = held.get(row.hold_reason, 0) + row.takes
        finished = await session.scalar(_FINISHED, of_batch)
        return BatchView(batch, tally, finished or 0, held)


async def list_batches(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    external_ref: str | None = None,
) -> Sequence[GenerationBatch]:
    """Return at most `limit` batches, newest first, older than `before` (created_at, id)."""
    query = select(GenerationBatch).where(GenerationBatch.tenant_id == tenant_id)
    if production_id is not None:
        query = query.where(GenerationBatch.production_id == production_id)
    if external_ref is not None:
        query = query.where(GenerationBatch.external_ref == external_ref)
    if before is not None:
        query = query.where(tuple_(GenerationBatch.created_at, GenerationBatch.id) < before)
    query = query.order_by(GenerationBatch.created_at.desc(), GenerationBatch.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


async def list_members(
    database: Database,
    tenant_id: UUID,
    batch_id: UUID,
    *,
    limit: int | None = None,
    after_line: int | None = None,
    state: str | None = None,
) -> Sequence[BatchMember]:
    """Return a batch's generations in the order of their lines, after that one. Raises NotFound."""
    query = (
        select(Generation, Shot.code)
        .outerjoin(Shot, (Shot.tenant_id == Generation.tenant_id) & (Shot.id == Generation.shot_id))
        .where(Generation.tenant_id == tenant_id, Generation.batch_id == batch_id)
    )
    if after_line is not None:
        query = query.where(Generation.batch_line > after_line)
    if state is not None:
        query = query.where(Generation.state == state)
    async with database.tenant(tenant_id) as session:
        await _find(session, tenant_id, batch_id)
        rows = (await session.execute(query.order_by(Generation.batch_line).limit(limit))).all()
        tallies: dict[UUID, Tally] = {generation.id: Tally() for generation, _ in rows}
        of_page = {"tenant": tenant_id, "generations": list(tallies)}
        for row in await session.execute(_OF_GENERATIONS, of_page):
            tally = tallies[row.generation_id]
            tally.add(row)
            tally.circled_takes += row.circled_takes or ()
    return [BatchMember(generation, code, tallies[generation.id]) for generation, code in rows]


async def _find(session: TenantSession, tenant_id: UUID, batch_id: UUID) -> GenerationBatch:
    batch = await session.scalar(
        select(GenerationBatch).where(GenerationBatch.tenant_id == tenant_id, GenerationBatch.id == batch_id)
    )
    if batch is None:
        raise NotFound("batch")
    return batch
