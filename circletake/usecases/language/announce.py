"""What is told of a language request: ids and words of ours, nothing of its text."""

from typing import Any

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
