"""The gate before models that judge: they are sent crops of performers' faces, so they need a consent like any other."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from circletake.domain.permission.consents import Permission, Use
from circletake.records.context import Production, Shot
from circletake.records.session import TenantSession
from circletake.usecases.permission.consent_gate import permission_for
from circletake.usecases.permission.refusals import consent_required

JUDGING = "consistency_check"  # the kind that a consent has to cover


async def judging_permission(
    session: TenantSession,
    production: Production,
    *,
    shot_id: UUID | None,
    characters: Collection[UUID],
    asked_at: datetime,
    now: datetime,
) -> Permission:
    """Say whether pictures of these characters may be sent to a model that compares them."""
    shot = await session.get(Shot, shot_id) if shot_id else None
    return await permission_for(
        session,
        tenant_id=production.tenant_id,
        use=Use(
            production_id=production.id,
            shot_id=shot_id,
            sequence_id=shot.sequence_id if shot else None,
            kind=JUDGING,
            media=None,
            territory=None,
            requested_at=asked_at,
            at=now,
            time_zone=production.time_zone,
            alters_recording=False,
        ),
        characters=characters,
    )


async def require_judging_permission(
    session: TenantSession,
    production_id: UUID,
    *,
    shot_id: UUID | None,
    characters: Collection[UUID],
    now: datetime,
) -> None:
    """Raise Conflict `consent_required` unless it may be asked now."""
    production = await session.get_one(Production, production_id)
    permission = await judging_permission(
        session, production, shot_id=shot_id, characters=characters, asked_at=now, now=now
    )
    if permission.missing:
        raise consent_required(permission)
