"""Exemptions: alterations of a recording that need no consent, stated by a person."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import keep_exemptions
from circletake.usecases.permission.keep_exemptions import ExemptionView
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.consents import ExemptionBody, ExemptionReply, ExemptionSummary
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["exemptions"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(view: ExemptionView) -> Answer:
    return Answer(201, ExemptionReply.of_view(view).body(), f"/v1/exemptions/{view.exemption.id}")


@router.post(
    "/characters/{character_id}/exemptions",
    status_code=201,
    response_model=ExemptionReply,
    responses=declared(409),
)
async def create(character_id: UUID, body: ExemptionBody, who: Manager, desk: Desk, claim: Claim) -> Response:
    """State that some alterations of what was recorded of a performer need no consent, and why. It never allows a
    digital replica. By a person who is rights clearance manager."""
    answer = await keep_exemptions.record_exemption(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        character_id=character_id,
        stated=body.stated(),
        claim=claim,
        answer=_answer,
    )
    return reply(answer)


@router.get("/productions/{production_id}/exemptions", response_model=Page[ExemptionSummary])
async def list_all(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    character_id: UUID | None = None,
) -> Any:
    """List a production's exemptions, newest first, ended ones too."""
    purpose = f"exemptions:{production_id}"
    rows = await keep_exemptions.list_exemptions(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        character_id=character_id,
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ExemptionSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/exemptions/{exemption_id}")
async def get(exemption_id: UUID, who: Reader, desk: Desk) -> ExemptionReply:
    """Read one exemption, with its explanation."""
    seal = await seal_of(desk, who)
    view = await keep_exemptions.get_exemption(desk.database, seal, who.tenant_id, exemption_id)
    return ExemptionReply.of_view(view)


@router.post("/exemptions/{exemption_id}/end")
async def end(exemption_id: UUID, who: Manager, desk: Desk) -> ExemptionReply:
    """Take an exemption back, from now on. By a person who is rights clearance manager."""
    view = await keep_exemptions.end_exemption(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        exemption_id=exemption_id,
    )
    return ExemptionReply.of_view(view)
