"""What an enforcement has spent beside its takes: on models that judge them."""

from decimal import Decimal

from sqlalchemy import case, func, select

from circletake.domain.kinds import Billed
from circletake.records.consistency import (
    ConsistencyCheck,
    Enforcement,
    EnforcementAttempt,
    EvaluatorCall,
)
from circletake.records.generations import Take
from circletake.records.session import TenantSession
from circletake.usecases.attempt_values import at_most
from circletake.usecases.steps import lock_generation


async def judging_cost(session: TenantSession, enforcement: Enforcement) -> Decimal:
    """Return what the models that judge for it may have cost: what isn't known counts whole."""
    owed = case(
        (EvaluatorCall.billed == Billed.FALSE.value, 0),
        else_=func.coalesce(EvaluatorCall.cost_usd, EvaluatorCall.estimate_usd),
    )
    total = await session.scalar(
        select(func.sum(owed)).where(
            EvaluatorCall.tenant_id == enforcement.tenant_id, EvaluatorCall.check_id == enforcement.check_id
        )
    )
    return Decimal(total or 0)


async def judging_fits(session: TenantSession, check: ConsistencyCheck, usd: Decimal) -> bool:
    """Say whether a paid look at a take fits the cap of the enforcement that the check serves; a check of its own has
    none. Locks the generation, so that looks and takes that begin at once are counted one after the other."""
    if check.generation_id is None:
        return True
    await lock_generation(session, check.tenant_id, check.generation_id)
    enforcement = await session.scalar(
        select(Enforcement).where(Enforcement.tenant_id == check.tenant_id, Enforcement.check_id == check.id)
    )
    if enforcement is None:
        return True
    takes = await session.scalars(
        select(Take)
        .join(EnforcementAttempt, EnforcementAttempt.take_id == Take.id)
        .where(Take.tenant_id == check.tenant_id, EnforcementAttempt.enforcement_id == enforcement.id)
    )
    spent = sum((at_most(take) for take in takes), await judging_cost(session, enforcement))
    return spent + usd <= enforcement.max_cost_usd
