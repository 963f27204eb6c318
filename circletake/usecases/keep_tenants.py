"""Tenants as the operator keeps them: look, change their share, suspend and resume."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from circletake.domain.errors import Conflict, NotFound
from circletake.kit import logs
from circletake.records.session import Database
from circletake.records.tenancy import Tenant
from circletake.usecases.keep_keys import lock_tenant

log = logs.logger(__name__)


async def get_tenant(database: Database, tenant_id: UUID) -> Tenant:
    async with database.role() as session:
        tenant = await session.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFound("tenant")
    return tenant


async def list_tenants(
    database: Database,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    state: str | None = None,
) -> Sequence[Tenant]:
    """Return at most `limit` tenants, newest first, older than `before` (created_at, id)."""
    query = select(Tenant)
    if state is not None:
        query = query.where(Tenant.state == state)
    if before is not None:
        query = query.where(tuple_(Tenant.created_at, Tenant.id) < before)
    async with database.role() as session:
        return list(
            await session.scalars(query.order_by(Tenant.created_at.desc(), Tenant.id.desc()).limit(limit))
        )


async def edit_tenant(
    database: Database, tenant_id: UUID, changes: Mapping[str, Any], *, allow: Callable[[Tenant], None]
) -> Tenant:
    """Write `changes` (name, weight, max_running) when `allow`, which sees the locked row, raises nothing."""
    async with database.role() as session:
        tenant = await lock_tenant(session, tenant_id)
        allow(tenant)
        return await change_tenant(session, tenant_id, **changes) if changes else tenant


async def suspend_tenant(database: Database, tenant_id: UUID) -> Tenant:
    """Refuse the tenant's keys and ring none of its queued steps; calls already running end. Raises Conflict
    for a tenant that isn't provisioned yet."""
    return await _set_state(database, tenant_id, "suspended")


async def resume_tenant(database: Database, tenant_id: UUID) -> Tenant:
    """Open a suspended tenant again: its queue goes on where it stood."""
    return await _set_state(database, tenant_id, "active")


async def _set_state(database: Database, tenant_id: UUID, state: str) -> Tenant:
    async with database.role() as session:
        tenant = await lock_tenant(session, tenant_id)
        if tenant.state == "provisioning":
            raise Conflict(
                "This tenant isn't provisioned yet: finish that first.", code="provisioning_incomplete"
            )
        if tenant.state != state:
            tenant = await change_tenant(session, tenant_id, state=state)
    log.info("tenant_state_set", tenant_id=tenant_id, state=state)
    return tenant


async def change_tenant(session: AsyncSession, tenant_id: UUID, **columns: Any) -> Tenant:
    """Write columns and return the row as it is then."""
    tenant: Tenant = (
        await session.scalars(
            update(Tenant)
            .where(Tenant.id == tenant_id)
            .values(**columns, updated_at=func.now())
            .returning(Tenant)
            .execution_options(populate_existing=True, synchronize_session=False)
        )
    ).one()
    return tenant
