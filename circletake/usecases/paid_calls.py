"""What is known of the bill of a take's calls."""

from uuid import UUID

from sqlalchemy import func, select

from circletake.domain.kinds import Billed
from circletake.records.generations import Invocation
from circletake.records.session import TenantSession


async def paid_so_far(session: TenantSession, take_id: UUID) -> Billed:
    """What the take's calls cost: one that was answered is paid; one that began and has no end may be."""
    outcomes = set(
        await session.scalars(
            select(func.coalesce(Invocation.billed, Billed.UNKNOWN.value)).where(
                Invocation.take_id == take_id, Invocation.call_started_at.is_not(None)
            )
        )
    )
    for billed in (Billed.TRUE, Billed.UNKNOWN):
        if billed.value in outcomes:
            return billed
    return Billed.FALSE
