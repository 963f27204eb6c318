"""Reads of language requests, and stopping one. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import defer

from circletake.domain.errors import Conflict
from circletake.domain.language.words import OPEN_STATES, LanguageTask, RequestState
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.language import LanguageRequest
from circletake.records.session import Database
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.language.announce import announce_end
from circletake.usecases.language.values import LanguageView, calls_of, find_request, view_of


async def get_request(
    database: Database, seal: Seal, tenant_id: UUID, task: LanguageTask, request_id: UUID
) -> LanguageView:
    """Return one request with its content opened. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        row = await find_request(session, tenant_id, task, request_id)
        return view_of(seal, row, await calls_of(session, row))


async def list_requests(
    database: Database,
    tenant_id: UUID,
    task: LanguageTask,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    state: RequestState | None = None,
    external_ref: str | None = None,
) -> Sequence[LanguageRequest]:
    """Return at most `limit` requests of a task, newest first; their content stays sealed."""
    query = select(LanguageRequest).where(
        LanguageRequest.tenant_id == tenant_id, LanguageRequest.task == task.value
    )
    for column, value in (
        (LanguageRequest.production_id, production_id),
        (LanguageRequest.shot_id, shot_id),
        (LanguageRequest.state, state.value if state else None),
        (LanguageRequest.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(LanguageRequest.created_at, LanguageRequest.id) < before)
    query = query.order_by(LanguageRequest.created_at.desc(), LanguageRequest.id.desc()).limit(limit)
    query = query.options(*(defer(each) for each in (LanguageRequest.input, LanguageRequest.result)))
    query = query.options(defer(LanguageRequest.edited))
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


async def cancel_request(
    database: Database, seal: Seal, tenant_id: UUID, task: LanguageTask, request_id: UUID
) -> LanguageView:
    """Stop a request. A call that is under way is paid for all the same; its answer is thrown away.

    Raises NotFound, or Conflict when it has ended.
    """
    async with database.tenant(tenant_id) as session:
        row = await find_request(session, tenant_id, task, request_id, lock=True)
        if row.state not in OPEN_STATES:
            raise Conflict(f"This request is {row.state} already.", code="request_ended")
        row.state, row.finished_at = RequestState.CANCELED.value, clock.now()
        row.waiting_for = None
        await session.flush()
        await announce_end(session, row)
        await wake_dispatcher(session)
        return view_of(seal, row, await calls_of(session, row))
