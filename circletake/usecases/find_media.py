"""Reads of media files and verifications. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.records.media import MediaFile, Verification
from circletake.records.session import Database, TenantSession


async def find_file(
    session: TenantSession, tenant_id: UUID, media_id: UUID, *, lock: bool = False
) -> MediaFile:
    """Return one media file, locked if wanted. Raises NotFound."""
    query = select(MediaFile).where(MediaFile.tenant_id == tenant_id, MediaFile.id == media_id)
    file = await session.scalar(query.with_for_update() if lock else query)
    if file is None:
        raise NotFound("media file")
    return file


async def get_media(database: Database, tenant_id: UUID, media_id: UUID) -> MediaFile:
    async with database.tenant(tenant_id) as session:
        return await find_file(session, tenant_id, media_id)


async def list_media(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    role: str | None = None,
    state: str | None = None,
    sha256: str | None = None,
    external_ref: str | None = None,
) -> Sequence[MediaFile]:
    """Return at most `limit` media files, newest first, older than `before` (created_at, id)."""
    query = select(MediaFile).where(MediaFile.tenant_id == tenant_id)
    for column, value in (
        (MediaFile.production_id, production_id),
        (MediaFile.shot_id, shot_id),
        (MediaFile.role, role),
        (MediaFile.state, state),
        (MediaFile.sha256, sha256),
        (MediaFile.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(MediaFile.created_at, MediaFile.id) < before)
    query = query.order_by(MediaFile.created_at.desc(), MediaFile.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


async def get_verification(database: Database, tenant_id: UUID, verification_id: UUID) -> Verification:
    async with database.tenant(tenant_id) as session:
        found = await session.scalar(
            select(Verification).where(
                Verification.tenant_id == tenant_id, Verification.id == verification_id
            )
        )
    if found is None:
        raise NotFound("verification")
    return found
