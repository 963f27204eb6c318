"""Dead letters: make the take again, as a new take, or put the letter away. The dead step itself never runs again."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from circletake.domain.errors import Conflict
from circletake.domain.people import PLATFORM
from circletake.kit import logs
from circletake.ports import ModelCatalogue, Vault
from circletake.ports.policies import PolicyShelf
from circletake.records.session import Database
from circletake.records.steps import Step
from circletake.usecases.effective_take import TakeView
from circletake.usecases.idempotency import Answer, IdempotencyClaim
from circletake.usecases.keep_tenants import get_tenant
from circletake.usecases.retry_take import retry_take
from circletake.usecases.watch_queue import find_step

log = logs.logger(__name__)


async def requeue_dead_letter(
    operator_database: Database,
    database: Database,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    vault: Vault,
    *,
    step_id: UUID,
    now: datetime,
    answer: Callable[[TakeView], Answer],
) -> Answer:
    """Add a new take for a dead step's take, inside that tenant, and put the dead step away.

    A repeat makes nothing twice: the step's own id is the idempotency key. Raises NotFound, Conflict
    `not_a_dead_letter`, `nothing_to_requeue`, `take_not_retriable` and what a retry raises.
    """
    step = await _dead(operator_database, step_id)
    if step.take_id is None:
        raise Conflict(
            f"A dead {step.kind} step belongs to no take, and what it was for has ended: discard it.",
            code="nothing_to_requeue",
        )
    tenant = await get_tenant(operator_database, step.tenant_id)
    seal = await vault.seal(tenant.storage, tenant.wrapped_data_key or b"")
    made = await retry_take(
        database,
        catalogue,
        packs,
        seal,
        tenant_id=step.tenant_id,
        actor=PLATFORM,
        take_id=step.take_id,
        claim=IdempotencyClaim(str(step_id), "dead-letters/requeue", b""),
        now=now,
        answer=answer,
    )
    # after the take: a crash in between leaves the letter, and a repeat finds the same take
    await _put_away(database, step, "requeued")
    log.info("dead_letter_requeued", step_id=step_id, tenant_id=step.tenant_id, take_id=step.take_id)
    return made


async def discard_dead_letter(operator_database: Database, database: Database, *, step_id: UUID) -> None:
    """Put a dead step away without doing anything; its take stays failed. Raises NotFound, Conflict."""
    step = await _dead(operator_database, step_id)
    await _put_away(database, step, "discarded")
    log.info("dead_letter_discarded", step_id=step_id, tenant_id=step.tenant_id)


async def _dead(operator_database: Database, step_id: UUID) -> Step:
    step = await find_step(operator_database, step_id)
    if step.state != "dead":
        raise Conflict(f"This step is {step.state}, not a dead letter.", code="not_a_dead_letter")
    return step


async def _put_away(database: Database, step: Step, trouble: str) -> None:
    async with database.tenant(step.tenant_id) as session:
        await session.execute(
            update(Step)
            .where(Step.tenant_id == step.tenant_id, Step.id == step.id, Step.state == "dead")
            .values(state="done", trouble=trouble)
        )
