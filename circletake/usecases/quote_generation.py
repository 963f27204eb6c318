"""What a request would cost and how it would be sent: a dry run of the same checks. Nothing is recorded."""

from datetime import datetime
from uuid import UUID

from circletake.domain.consistency.rules import JudgingRules
from circletake.ports import ModelCatalogue
from circletake.records.session import Database
from circletake.usecases.plan_enforcement import EnforcementPlan
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation


async def quote_generation(
    database: Database,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> tuple[Plan, EnforcementPlan | None]:
    """Return the plan that the request would be accepted with, and its enforcement's when it asks for one.

    Raises Invalid, exactly as the request would.
    """
    async with database.tenant(tenant_id) as session:
        plan = await plan_generation(session, catalogue, tenant_id, request, now=now)
        return plan, await plan_consistency(session, catalogue, rules, request, plan, now=now)
