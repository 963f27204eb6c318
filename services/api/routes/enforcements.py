"""Enforcements: have takes made until one passes the consistency check."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.kit import clock
from circletake.records.consistency import Enforcement
from circletake.usecases import find_enforcements
from circletake.usecases.find_enforcements import EnforcementView
from circletake.usecases.idempotency import Answer
from circletake.usecases.request_enforcement import cancel_enforcement, request_enforcement
from services.api.auth import Generator, Reader, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply, until
from services.api.schemas.common import Page
from services.api.schemas.enforcements import (
    EnforcementBody,
    EnforcementReply,
    EnforcementState,
    EnforcementSummary,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/consistency-enforcements", tags=["consistency enforcements"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post(
    "",
    status_code=202,
    response_model=EnforcementSummary,
    responses={
        200: {"model": EnforcementReply, "description": "Finished within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
)
async def request(body: EnforcementBody, who: Generator, desk: Desk, claim: Claim, wait: Wait) -> Response:
    """Have a generation's takes judged, and more made by the rungs that models really serve, until one passes or a
    cap is reached. One per generation; a new generation takes `consistency` in its own request."""
    seal = await seal_of(desk, who)

    def answer(row: Enforcement) -> Answer:
        accepted = EnforcementSummary.of(row).model_dump_json().encode()
        return Answer(202, accepted, f"/v1/consistency-enforcements/{row.id}")

    accepted = await request_enforcement(
        desk.database,
        desk.rules,
        desk.catalogue,
        desk.packs,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        generation_id=body.generation_id,
        request=body.to_request(),
        claim=claim,
        now=clock.now(),
        answer=answer,
    )
    if not wait:
        return reply(accepted)
    enforcement_id = UUID((accepted.location or "").rsplit("/", 1)[-1])
    view = await _until_finished(desk, who.tenant_id, enforcement_id, wait)
    if view is None:
        return reply(accepted)
    response = Response(EnforcementReply.of_view(view).body(), 200, media_type="application/json")
    response.headers["Location"] = accepted.location or ""
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("", response_model=Page[EnforcementSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    generation_id: UUID | None = None,
    state: EnforcementState | None = None,
) -> Any:
    """List enforcements, newest first."""
    rows = await find_enforcements.list_enforcements(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "enforcements", cursor),
        production_id=production_id,
        generation_id=generation_id,
        state=state,
    )
    following = next_cursor(desk.cursors, "enforcements", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[EnforcementSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{enforcement_id}", response_model=EnforcementReply)
async def get(enforcement_id: UUID, who: Reader, desk: Desk, wait: Wait) -> Response:
    """Read one enforcement with its attempts; with `Prefer: wait=N`, once it has ended."""
    view = await find_enforcements.get_enforcement(desk.database, who.tenant_id, enforcement_id)
    if wait and not view.enforcement.finished_at:
        view = await _until_finished(desk, who.tenant_id, enforcement_id, wait) or (
            await find_enforcements.get_enforcement(desk.database, who.tenant_id, enforcement_id)
        )
    return Response(EnforcementReply.of_view(view).body(), media_type="application/json")


@router.post("/{enforcement_id}/cancel", response_model=EnforcementReply, responses=declared(409))
async def cancel(enforcement_id: UUID, who: Generator, desk: Desk) -> Response:
    """Stop it: its takes that haven't ended are canceled, nothing more is judged or made. A call that a model has
    accepted is paid all the same."""
    seal = await seal_of(desk, who)
    await cancel_enforcement(desk.database, seal, who.tenant_id, enforcement_id)
    view = await find_enforcements.get_enforcement(desk.database, who.tenant_id, enforcement_id)
    return Response(EnforcementReply.of_view(view).body(), media_type="application/json")


async def _until_finished(
    desk: Gateway, tenant_id: UUID, enforcement_id: UUID, wait: float
) -> EnforcementView | None:
    async def ended() -> EnforcementView | None:
        view = await find_enforcements.get_enforcement(desk.database, tenant_id, enforcement_id)
        return view if view.enforcement.finished_at else None

    return await until(desk.live, str(enforcement_id), wait, ended)
