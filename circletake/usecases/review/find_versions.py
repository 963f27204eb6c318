"""Reads of versions. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.review.states import Interested
from circletake.records.review import Version
from circletake.records.session import Database, TenantSession


async def find_version(
    session: TenantSession, tenant_id: UUID, version_id: UUID, *, lock: bool = False
) -> Version:
    """Return one version, locked if wanted. Raises NotFound."""
    query = select(Version).where(Version.tenant_id == tenant_id, Version.id == version_id)
    version = await session.scalar(query.with_for_update() if lock else query)
    if version is None:
        raise NotFound("version")
    return version


def interested_in(version: Version) -> Interested:
    """Return whose own work a version is."""
    return Interested(version.submitted_by, version.requested_by_person)


async def get_version(database: Database, tenant_id: UUID, version_id: UUID) -> Version:
    async with database.tenant(tenant_id) as session:
        return await find_version(session, tenant_id, version_id)


async def list_versions(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    take_id: UUID | None = None,
    state: str | None = None,
) -> Sequence[Version]:
    """Return at most `limit` versions, newest first, older than `before` (created_at, id)."""
    query = select(Version).where(Version.tenant_id == tenant_id)
    for column, value in (
        (Version.production_id, production_id),
        (Version.shot_id, shot_id),
        (Version.take_id, take_id),
        (Version.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Version.created_at, Version.id) < before)
    query = query.order_by(Version.created_at.desc(), Version.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))
