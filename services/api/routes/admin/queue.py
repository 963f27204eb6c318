"""The queue: depth by lane, steps, dead letters."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.kit import clock
from circletake.kit.paging import BadCursor
from circletake.records.steps import Step
from circletake.usecases import requeue_step, watch_queue
from circletake.usecases.effective_take import TakeView
from circletake.usecases.idempotency import Answer
from services.api.auth import operator
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, link_next, reply
from services.api.schemas.admin_queue import QueueReply, RequeuedReply, StepReply, StepState
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/admin/v1", tags=["queue"], dependencies=[Depends(operator)], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Name = Annotated[str | None, Query(max_length=40, pattern="^[a-z_]+$")]


@router.get("/queue")
async def view_queue(desk: Desk) -> QueueReply:
    """Count the queue by lane, with the age of the oldest due step and the workers that are alive."""
    return QueueReply.of(await watch_queue.view_queue(desk.operator_database))


@router.get("/steps", response_model=Page[StepReply])
async def list_steps(
    http: Request,
    response: Response,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    state: StepState | None = None,
    lane: Name = None,
    kind: Name = None,
    tenant_id: UUID | None = None,
) -> Any:
    """List steps, newest first. They carry ids, never content."""
    rows = await watch_queue.list_steps(
        desk.operator_database,
        limit=limit + 1,
        before=_position(desk, "steps", cursor),
        state=state,
        lane=lane,
        kind=kind,
        tenant_id=tenant_id,
    )
    return _page(desk, "steps", rows, limit, http, response)


@router.get("/dead-letters", response_model=Page[StepReply])
async def list_dead_letters(
    http: Request,
    response: Response,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    tenant_id: UUID | None = None,
) -> Any:
    """List steps that were given up: their worker was lost twice, and twice again with nothing beside them."""
    rows = await watch_queue.list_steps(
        desk.operator_database,
        limit=limit + 1,
        before=_position(desk, "dead-letters", cursor),
        state="dead",
        tenant_id=tenant_id,
    )
    return _page(desk, "dead-letters", rows, limit, http, response)


@router.post(
    "/dead-letters/{step_id}/requeue",
    status_code=202,
    response_model=RequeuedReply,
    responses=declared(409),
)
async def requeue_dead_letter(step_id: UUID, desk: Desk) -> Response:
    """Make a dead letter's take again, as a new take with `retry_of`. The model is called, and paid, again.

    A repeat makes nothing twice. The failed take stays as it is; the letter is put away.
    """

    def answer(view: TakeView) -> Answer:
        take = view.take
        made = RequeuedReply(
            step_id=step_id, generation_id=take.generation_id, take_id=take.id, retry_of=take.retry_of
        )
        return Answer(202, made.model_dump_json().encode())

    return reply(
        await requeue_step.requeue_dead_letter(
            desk.operator_database,
            desk.database,
            desk.catalogue,
            desk.packs,
            desk.vault,
            step_id=step_id,
            now=clock.now(),
            answer=answer,
        )
    )


@router.post("/dead-letters/{step_id}/discard", status_code=204, responses=declared(409))
async def discard_dead_letter(step_id: UUID, desk: Desk) -> None:
    """Put a dead letter away. Its take stays failed; the studio can still retry that itself."""
    await requeue_step.discard_dead_letter(desk.operator_database, desk.database, step_id=step_id)


def _position(desk: Gateway, purpose: str, cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    parts = desk.cursors.read(purpose, cursor)
    if len(parts) != 1:
        raise BadCursor("not a position in this list")
    return UUID(parts[0])


def _page(
    desk: Gateway, purpose: str, rows: Sequence[Step], limit: int, http: Request, response: Response
) -> Page[StepReply]:
    shown = rows[:limit]
    following = desk.cursors.write(purpose, str(shown[-1].id)) if len(rows) > limit else None
    response.headers.update(link_next(http, following))
    return Page(data=[StepReply.model_validate(row) for row in shown], next_cursor=following)
