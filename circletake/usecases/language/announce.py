"""What is told of a language request - ids and words of ours, nothing of its text - and what is told to it."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from circletake.domain.language.words import LanguageTask
from circletake.records.language import LanguageRequest
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_waiters


def request_data(row: LanguageRequest) -> dict[str, Any]:
    return {
        f"{row.task}_id": str(row.id),
        "production_id": str(row.production_id),
        "shot_id": str(row.shot_id) if row.shot_id else None,
        "external_ref": row.external_ref,
        "model": row.model_id,
        "state": row.state,
        "code": row.failure_code,
        "ai_generated": True,
    }


async def announce_end(session: TenantSession, row: LanguageRequest) -> None:
    """Record that a request has ended, and wake who waits for it. The caller wakes the dispatcher."""
    await record_event(session, row.tenant_id, f"{LanguageTask(row.task).value}.finished", request_data(row))
    await wake_waiters(session, row.id)


_LOOK_AGAIN = text(
    """
    update steps s set run_at = now()
    from language_requests r
    where r.tenant_id = :tenant and r.production_id = :production and r.state = 'waiting'
      and s.tenant_id = r.tenant_id and s.subject_id = r.id and s.kind = 'language' and s.lane = 'judge'
      and s.state = 'ready'
    """
)


async def look_again(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    """Let a production's requests that wait look again at once. The caller wakes the dispatcher."""
    await session.execute(_LOOK_AGAIN, {"tenant": tenant_id, "production": production_id})
