"""Stage 6: a paid picture into the tenant's bucket. It exists in one process only until it is there."""

import asyncio
import random
from uuid import UUID

from sqlalchemy import update

from circletake.domain.kinds import Billed
from circletake.domain.pictures import Pictures
from circletake.domain.takes import TakeState
from circletake.kit import backoff, logs
from circletake.ports import StorageFault
from circletake.records.generations import Take
from circletake.records.session import TenantSession
from circletake.usecases.end_take import Ending
from circletake.usecases.record_call import end_invocation
from circletake.usecases.steps import add_step, end_step, hold_fence
from circletake.usecases.take_work import TakeWork, finish_with
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

KEEP_ATTEMPTS = 12  # two minutes


async def keep_picture(
    tools: Tools, work: TakeWork, invocation_id: UUID, answer: Pictures, request_id: str | None
) -> None:
    key = raw_key(work, invocation_id)
    if await _put_patiently(tools, work, key, answer):
        seed = answer.seeds[0] if answer.seeds else None
        await record_picture(
            tools, work, invocation_id, key, answer.media_type, seed=seed, request_id=request_id
        )
        return
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(
            session, invocation_id, outcome="not_kept", billed=Billed.TRUE, request_id=request_id
        )
        await hold_fence(session, work.step)
    await finish_with(tools, work, _NOT_KEPT)


_NOT_KEPT = Ending(
    TakeState.FAILED,
    Billed.TRUE,
    "result_not_kept",
    "The model answered, but its picture could not be put into the bucket. Tell the operator.",
)


def raw_key(work: TakeWork, invocation_id: UUID) -> str:
    return f"{work.staging}/{work.take.id}/{invocation_id}/raw"


async def _put_patiently(tools: Tools, work: TakeWork, key: str, answer: Pictures) -> bool:
    """Put a paid picture where it is kept. It exists in this process only, so a bucket that is away is waited for."""
    for attempt in range(1, KEEP_ATTEMPTS + 1):
        try:
            await tools.store.put(work.tenant.storage, key, answer.images[0], answer.media_type)
        except StorageFault:
            log.failure("result_put_failed", attempt=attempt)
            await asyncio.sleep(backoff.exponential(attempt, first=0.5, most=15.0, jitter=random.random()))  # noqa: S311 - spreads retries
        else:
            return True
    return False


async def record_picture(
    tools: Tools,
    work: TakeWork,
    invocation_id: UUID,
    key: str,
    media_type: str,
    *,
    seed: int | None = None,
    request_id: str | None = None,
) -> None:
    async with tools.database.tenant(work.step.tenant_id) as session:
        await _seed_used(session, work.take.id, seed)
        await end_invocation(
            session,
            invocation_id,
            outcome="answered",
            billed=Billed.TRUE,
            request_id=request_id,
            result_key=key,
            result_type=media_type,
        )
        await queue_finish(session, work, invocation_id)
        await end_step(session, work.step)


async def queue_finish(session: TenantSession, work: TakeWork, invocation_id: UUID) -> None:
    await add_step(
        session,
        work.step.tenant_id,
        kind="finish",
        lane="finish",
        generation_id=work.generation.id,
        take_id=work.take.id,
        subject_id=invocation_id,
        priority=1,
    )


async def _seed_used(session: TenantSession, take_id: UUID, seed: int | None) -> None:
    if seed is not None:
        await session.execute(update(Take).where(Take.id == take_id).values(seed_used=seed))
