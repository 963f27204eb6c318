"""Whether a file may be given out at full resolution, where the studio demands an approval first."""

from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict
from circletake.domain.kinds import MediaRole
from circletake.domain.review.states import VersionState
from circletake.records.generations import Take
from circletake.records.media import MediaFile
from circletake.records.review import Version
from circletake.records.session import TenantSession
from circletake.usecases.review.rules import approval_demanded


async def require_approval(session: TenantSession, file: MediaFile) -> None:
    """Raise Conflict (approval_required) for the bytes of a take without an approved version, where the studio's rules
    demand one. Bytes, not roles: a take that was declared again as a reference is the same file."""
    if not await approval_demanded(session, file.tenant_id):
        return
    takes = set(
        await session.scalars(
            select(MediaFile.take_id).where(
                MediaFile.tenant_id == file.tenant_id,
                MediaFile.sha256 == file.sha256,
                MediaFile.role == MediaRole.TAKE.value,
                MediaFile.take_id.is_not(None),
            )
        )
    )
    if not takes:
        return
    approved = await session.scalar(
        select(Version.id)
        .where(
            Version.tenant_id == file.tenant_id,
            Version.take_id.in_(takes),
            Version.state == VersionState.APPROVED.value,
        )
        .limit(1)
    )
    if approved is None:
        take_id: UUID | None = min(takes, key=str)
        raise Conflict(
            "This studio gives out a take's full-resolution file only once its version is approved: ask for a preview"
            " with `POST /v1/takes/{take_id}/preview`.",
            code="approval_required",
            take_id=str(take_id),
        )


async def forbid_while_approved(session: TenantSession, take: Take) -> None:
    """Raise Conflict while the take's version is approved: that is taken back first, by somebody who may. The take's
    row is locked, so no approval comes in between."""
    approved = await session.scalar(
        select(Version.id).where(
            Version.tenant_id == take.tenant_id,
            Version.take_id == take.id,
            Version.state == VersionState.APPROVED.value,
        )
    )
    if approved is not None:
        raise Conflict(
            "This take's version is approved: take the approval back first.",
            code="version_approved",
            version_id=str(approved),
        )
