"""The end of a batch: told once, when the last of its generations has finished for the first time."""

from typing import Any

from sqlalchemy import select, text

from circletake.kit import clock
from circletake.records.batches import GenerationBatch
from circletake.records.generations import Generation
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event

_LEFT = text(
    """
    select exists (select from generations
                   where tenant_id = :tenant and batch_id = :batch and finished_at is null)
    """
)
_COUNTS = text(
    """
    select t.state, count(*) as takes, count(*) filter (where t.billed = 'unknown') as unknown
    from generations g join takes t on t.tenant_id = g.tenant_id and t.generation_id = g.id
    where g.tenant_id = :tenant and g.batch_id = :batch
    group by t.state
    """
)


async def generation_finished(session: TenantSession, generation: Generation) -> None:
    """Record `batch.completed` if this was the batch's last. The generation and its takes are locked, and written.

    Whoever comes here holds the batch until it commits, so that of two last ones the second sees the first. Not its key:
    whoever writes a generation twice holds that already.
    """
    if generation.batch_id is None:
        return
    batch = (
        await session.scalars(
            select(GenerationBatch)
            .where(
                GenerationBatch.tenant_id == generation.tenant_id, GenerationBatch.id == generation.batch_id
            )
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    ).one()
    of_batch = {"tenant": generation.tenant_id, "batch": batch.id}
    if batch.completed_at is not None or await session.scalar(_LEFT, of_batch):
        return
    batch.completed_at = clock.now()
    batch.paused_at = None  # nothing is left to wait: a retry of one of its takes runs
    await session.flush()
    rows = (await session.execute(_COUNTS, of_batch)).all()
    takes = {row.state: row.takes for row in rows}
    await record_event(
        session,
        generation.tenant_id,
        "batch.completed",
        batch_data(batch, takes=takes, unknown_bills=sum(row.unknown for row in rows)),
    )


def state_of(batch: GenerationBatch) -> str:
    """What a batch is doing: a cancel takes a while, and a canceled batch has an end like any other."""
    if batch.canceled_at is not None:
        return "canceled" if batch.completed_at is not None else "canceling"
    if batch.completed_at is not None:
        return "completed"
    return "running" if batch.paused_at is None else "paused"


def batch_data(batch: GenerationBatch, **more: Any) -> dict[str, Any]:
    """What every event of a batch carries: ids, counts, and the studio's own reference."""
    return {
        "batch_id": str(batch.id),
        "production_id": str(batch.production_id),
        "external_ref": batch.external_ref,
        "state": state_of(batch),
        "generations": batch.rows,
        **more,
    }
