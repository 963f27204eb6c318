"""How a studio stands in the beta programme. Asked for every call, so it is one query."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from circletake.domain.beta.programme import Standing, invitation_state
from circletake.records.session import Database

_STANDING = text(
    """
    select i.expires_at, i.revoked_at is not null as revoked,
           exists (select from nda_acceptances a where a.tenant_id = :tenant and a.invitation_id = i.id) as accepted,
           array(select feature from tenant_features f where f.tenant_id = :tenant and not f.open) as closed
    from (select 1) always
    left join lateral (
        select * from invitations where tenant_id = :tenant order by created_at desc, id desc limit 1) i on true
    """
)


async def standing_of(database: Database, tenant_id: UUID, *, now: datetime) -> Standing:
    async with database.tenant(tenant_id) as session:
        row = (await session.execute(_STANDING, {"tenant": tenant_id})).one()
    invitation = None
    if row.expires_at is not None:
        invitation = invitation_state(
            accepted=row.accepted, expires_at=row.expires_at, revoked=row.revoked, now=now
        )
    return Standing(invitation, frozenset(row.closed))
