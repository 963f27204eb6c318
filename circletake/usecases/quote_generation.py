"""What a request would cost and how it would be sent: a dry run of the same checks. Nothing is recorded."""

from datetime import datetime
from uuid import UUID

from circletake.ports import ModelCatalogue
from circletake.records.session import Database
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_generation


async def quote_generation(
    database: Database,
    catalogue: ModelCatalogue,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> Plan:
    """Return the plan that the request would be accepted with. Raises Invalid, exactly as the request would."""
    async with database.tenant(tenant_id) as session:
        return await plan_generation(session, catalogue, tenant_id, request, now=now)
