"""A paused batch: nothing of it goes to a model until it is resumed. What a model has accepted is paid, and finished."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.batches import GenerationBatch
from circletake.records.generations import Generation, Take
from circletake.records.session import Database, TenantSession
from circletake.usecases.batches.complete import batch_data, state_of
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import RESTING, ClaimedStep, add_step, put_off, rest_step

# Steps that somebody has locked are passed over: whoever holds one sees at the gate that the batch is paused. One whose
# deadline has passed is left to run: it ends its take.
_REST = text(
    """
    update steps set run_at = :resting, trouble = 'paused' where id = any(array(
        select s.id from generations g
        join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id
        join steps s on s.tenant_id = t.tenant_id and s.take_id = t.id
        where g.tenant_id = :tenant and g.batch_id = :batch and g.finished_at is null
          and t.state in ('queued', 'running') and s.state = 'ready' and s.kind in ('generate', 'submit', 'matte')
          and (s.deadline_at is null or s.deadline_at > now())
        for update of s skip locked))
    """
)
_WAKE = text(
    """
    with woken as (
        update steps set run_at = now(), trouble = null where id = any(array(
            select s.id from generations g
            join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id
            join steps s on s.tenant_id = t.tenant_id and s.take_id = t.id
            where g.tenant_id = :tenant and g.batch_id = :batch and g.finished_at is null
              and s.state = 'ready' and s.run_at = :resting
            order by s.id
            for update of s skip locked))
        returning id)
    select count(*) from woken
    """
)
_RESTING = text(
    """
    select exists (
        select from generations g
        join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id
        join steps s on s.tenant_id = t.tenant_id and s.take_id = t.id
        where g.tenant_id = :tenant and g.batch_id = :batch and g.finished_at is null
          and s.state = 'ready' and s.run_at = :resting)
    """
)
_ROUNDS = 20  # whoever held a step has ended long before


async def pause_batch(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, batch_id: UUID
) -> None:
    """Let nothing more of a batch go to a model. Doing it twice is no error. Raises NotFound, Conflict when it has ended
    or is being canceled."""
    async with database.tenant(tenant_id) as session:
        batch = await lock_batch(session, tenant_id, batch_id)
        require_open(batch)
        if batch.paused_at is None:
            batch.paused_at = clock.now()
            await rest_steps(session, batch)
            await tell(session, seal, batch, actor, "batch.paused")


async def resume_batch(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, batch_id: UUID
) -> None:
    """Let a batch go on at once. Doing it twice is no error, and wakes whatever may still rest. Raises NotFound, Conflict
    when it has ended or is being canceled."""
    async with database.tenant(tenant_id) as session:
        batch = await lock_batch(session, tenant_id, batch_id)
        require_open(batch)
        if batch.paused_at is not None:
            batch.paused_at = None
            await tell(session, seal, batch, actor, "batch.resumed")
    for _ in range(_ROUNDS):
        async with database.tenant(tenant_id) as session:
            await session.execute(_WAKE, _of(tenant_id, batch_id))
            await wake_dispatcher(session)
        async with database.tenant(tenant_id) as session:
            if not await session.scalar(_RESTING, _of(tenant_id, batch_id)):
                return


async def cancel_batch(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, batch_id: UUID
) -> None:
    """Cancel what hasn't ended of a batch: nothing more goes to a model from now on, and a step cancels one generation
    after another. Doing it twice is no error. Raises NotFound, Conflict when it has ended."""
    async with database.tenant(tenant_id) as session:
        batch = await lock_batch(session, tenant_id, batch_id)
        if batch.canceled_at is not None:
            return
        require_open(batch)
        batch.canceled_at = clock.now()
        await rest_steps(session, batch)
        await add_step(session, tenant_id, kind="cancel_batch", lane="notify", subject_id=batch.id)
        await tell(session, seal, batch, actor, "batch.canceled")


async def rest_with_batch(
    session: TenantSession, step: ClaimedStep, generation: Generation, take: Take
) -> None:
    """Let a claimed step rest with its batch; when that was resumed meanwhile, it goes on at once. The batch can't be
    resumed before this commits, so that whoever wakes its steps finds this one too."""
    found = await session.execute(
        select(GenerationBatch.paused_at, GenerationBatch.canceled_at)
        .where(GenerationBatch.tenant_id == generation.tenant_id, GenerationBatch.id == generation.batch_id)
        .with_for_update(read=True)
    )
    batch = found.one()
    if batch.paused_at or (batch.canceled_at and batch.canceled_at > take.created_at):
        await rest_step(session, step, begun=take.started_at is not None)
    else:
        await put_off(session, step, seconds=0, counted=False)


async def lock_batch(session: TenantSession, tenant_id: UUID, batch_id: UUID) -> GenerationBatch:
    """Lock a batch: after generations, takes and budgets, before holds and steps. Raises NotFound."""
    batch = await session.scalar(
        select(GenerationBatch)
        .where(GenerationBatch.tenant_id == tenant_id, GenerationBatch.id == batch_id)
        .with_for_update(key_share=True)
    )
    if batch is None:
        raise NotFound("batch")
    return batch


def require_open(batch: GenerationBatch) -> None:
    """Raise Conflict when nothing of the batch is left to decide about."""
    state = state_of(batch)
    if state not in {"running", "paused"}:
        raise Conflict(f"This batch is {state}.", code="batch_ended")


async def rest_steps(session: TenantSession, batch: GenerationBatch) -> None:
    await session.flush()
    await session.execute(_REST, _of(batch.tenant_id, batch.id))


def _of(tenant_id: UUID, batch_id: UUID) -> Mapping[str, Any]:
    return {"tenant": tenant_id, "batch": batch_id, "resting": RESTING}


async def tell(
    session: TenantSession, seal: Seal, batch: GenerationBatch, actor: Actor, event_type: str
) -> None:
    """Put it on record and tell it."""
    await session.flush()
    await record_entry(
        session,
        seal,
        tenant_id=batch.tenant_id,
        kind=event_type,
        subject_id=batch.id,
        body={"batch_entry": str(batch.ledger_entry_id), **actor.for_ledger()},
    )
    await record_event(session, batch.tenant_id, event_type, batch_data(batch))
    await wake_dispatcher(session)
