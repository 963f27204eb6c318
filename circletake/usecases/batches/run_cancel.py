"""Running the cancel of a batch: one generation after another, each in its own transaction, so that nobody waits long."""

from sqlalchemy import select

from circletake.records.generations import Generation
from circletake.usecases.cancel_takes import cancel_generation
from circletake.usecases.steps import ClaimedStep, end_step
from circletake.usecases.tools import Tools


async def run_cancel(tools: Tools, step: ClaimedStep) -> None:
    """Run a `cancel_batch` step: `subject_id` is the batch. A repeat goes on where the last one was lost."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        generations = await session.scalars(
            select(Generation.id)
            .where(
                Generation.tenant_id == step.tenant_id,
                Generation.batch_id == step.subject_id,
                Generation.finished_at.is_(None),
            )
            .order_by(Generation.batch_line)
        )
        left = list(generations)
    for generation_id in left:
        await cancel_generation(tools.database, tenant.seal, step.tenant_id, generation_id)
    async with tools.database.tenant(step.tenant_id) as session:
        await end_step(session, step)
