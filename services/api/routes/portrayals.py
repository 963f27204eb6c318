"""Portrayals: which performers stand for which characters."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.records.performers import Portrayal
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import keep_portrayals
from circletake.usecases.permission.find_performers import list_portrayals
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.performers import PortrayalBody, PortrayalReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["portrayals"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(portrayal: Portrayal) -> Answer:
    return Answer(201, PortrayalReply.of(portrayal).body())


@router.post(
    "/characters/{character_id}/portrayals",
    status_code=201,
    response_model=PortrayalReply,
    responses=declared(409),
)
async def create(character_id: UUID, body: PortrayalBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Say that a performer stands for a character. From now on no model is shown or asked for the character without
    permission; a reference set made from somebody's photographs is their likeness too."""
    answer = await keep_portrayals.create_portrayal(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        character_id=character_id,
        performer_id=body.performer_id,
        kind=body.kind,
        since=body.since,
        reference_set_id=body.reference_set_id,
        media_id=body.media_id,
        claim=claim,
        answer=_answer,
    )
    return reply(answer)


@router.get("/portrayals", response_model=Page[PortrayalReply])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    character_id: UUID | None = None,
    performer_id: UUID | None = None,
    ended: bool = False,
) -> Any:
    """List the portrayals that hold, or those that have ended, newest first."""
    rows = await list_portrayals(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "portrayals", cursor),
        production_id=production_id,
        character_id=character_id,
        performer_id=performer_id,
        ended=ended,
    )
    following = next_cursor(desk.cursors, "portrayals", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[PortrayalReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.post("/portrayals/{portrayal_id}/end")
async def end(portrayal_id: UUID, who: Manager, desk: Desk) -> PortrayalReply:
    """Say that a performer doesn't stand for a character any more: their permission isn't asked for what comes. By a
    person who is rights clearance manager."""
    portrayal = await keep_portrayals.end_portrayal(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        portrayal_id=portrayal_id,
    )
    return PortrayalReply.of(portrayal)
