"""Features by studio: the operator opens and closes them."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from circletake.domain.beta.programme import Feature
from circletake.domain.errors import NotFound
from circletake.kit import logs
from circletake.kit.ids import new_id
from circletake.records.beta import TenantFeature
from circletake.records.session import Database
from circletake.records.tenancy import Tenant

log = logs.logger(__name__)


async def list_features(database: Database, tenant_id: UUID) -> Mapping[Feature, bool]:
    """Return for every feature whether it is open for a studio. Raises NotFound."""
    async with database.role() as session:
        return await _features(session, tenant_id)


async def set_features(
    database: Database, tenant_id: UUID, wanted: Mapping[Feature, bool], *, now: datetime
) -> Mapping[Feature, bool]:
    """Open and close features; those left out stay as they are. Gateways remember them for a few seconds. Raises
    NotFound."""
    async with database.role() as session:
        await _features(session, tenant_id)
        for feature, is_open in wanted.items():
            await session.execute(
                upsert(TenantFeature)
                .values(id=new_id(), tenant_id=tenant_id, feature=feature.value, open=is_open, changed_at=now)
                .on_conflict_do_update(
                    index_elements=["tenant_id", "feature"], set_={"open": is_open, "changed_at": now}
                )
            )
        found = await _features(session, tenant_id)
    log.info("features_set", tenant_id=tenant_id)
    return found


async def _features(session: AsyncSession, tenant_id: UUID) -> dict[Feature, bool]:
    if await session.get(Tenant, tenant_id) is None:
        raise NotFound("tenant")
    rows = await session.execute(
        select(TenantFeature.feature, TenantFeature.open).where(TenantFeature.tenant_id == tenant_id)
    )
    said = {row.feature: row.open for row in rows}
    return {feature: said.get(feature.value, True) for feature in Feature}
