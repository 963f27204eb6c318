"""The daily digest: once a day a studio is told what waits for whom, in numbers.

The dispatcher keeps whose turn it is, for it alone sees every studio; a worker counts, as that studio.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from circletake.kit import clock
from circletake.records.session import Database
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.review.inbox import ROLES, WAITING
from circletake.usecases.steps import ClaimedStep, end_step

DIGEST_HOUR = 6  # UTC

_NEW_STUDIOS = text(
    """
    insert into digest_turns (tenant_id, due_at)
    select id, :next from tenants where state = 'active'
    on conflict do nothing
    """
)
_QUEUE = text(
    """
    with due as (
        update digest_turns set due_at = :next where due_at <= :now returning tenant_id)
    insert into steps (id, tenant_id, kind, lane, state, capped_by, priority, attempt, crashes, crashes_alone,
                       fence, ring_no, details)
    select gen_random_uuid(), d.tenant_id, 'digest', 'notify', 'ready', '', 0, 0, 0, 0, 0, 0, '{}'::jsonb
    from due d join tenants t on t.id = d.tenant_id where t.state = 'active'
    """
)
_COUNT = text(
    f"""
    select role, kind, count(*) as count, min(since) as since
    from ({WAITING}) w cross join lateral unnest(roles) as role
    group by role, kind order by role, kind
    """  # noqa: S608 - constants
)


def next_turn(now: datetime) -> datetime:
    """Return the first DIGEST_HOUR after `now`."""
    today = now.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


async def queue_digests(database: Database, *, now: datetime) -> None:
    """Queue the digest of every studio whose turn it is, once a day each. Runs with the dispatcher's role; a studio
    gets its first one at the hour after it came."""
    values = {"now": now, "next": next_turn(now)}
    async with database.role() as session:
        await session.execute(_NEW_STUDIOS, {"next": values["next"]})
        await session.execute(_QUEUE, values)


async def send_digest(database: Database, step: ClaimedStep) -> None:
    """Run a `digest` step: `inbox.digest` with counts by role and kind, or nothing when nothing waits."""
    async with database.tenant(step.tenant_id) as session:
        rows = (await session.execute(_COUNT, {"tenant": step.tenant_id, **ROLES})).all()
        if rows:
            now = clock.now()
            waiting: list[dict[str, Any]] = [
                {
                    "role": row.role,
                    "kind": row.kind,
                    "count": row.count,
                    "oldest_since": row.since.isoformat(),
                    "oldest_hours": int((now - row.since).total_seconds() // 3600),
                }
                for row in rows
            ]
            await record_event(session, step.tenant_id, "inbox.digest", {"waiting": waiting})
            await wake_dispatcher(session)
        await end_step(session, step)
