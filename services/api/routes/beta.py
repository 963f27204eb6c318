"""A studio's side of the beta programme: the NDA, and feedback on takes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.kit import clock
from circletake.usecases.beta import feedback, invitations
from services.api.auth import Person, Reader, person_with, principal, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, link_next
from services.api.routes.versions import the_person
from services.api.schemas.beta import FeedbackBody, FeedbackReply, NdaAcceptanceBody, NdaReply
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["beta"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Caller = Annotated[Principal, Depends(principal)]
Signatory = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER, Role.RIGHTS_CLEARANCE_MANAGER))]


@router.get("/nda")
async def read_nda(who: Caller, desk: Desk) -> NdaReply:
    """Read under which agreement your studio was invited, and whether it was accepted; 404 when it wasn't invited."""
    return NdaReply.of(await invitations.own_invitation(desk.database, who.tenant_id, now=clock.now()))


@router.post("/nda-acceptance", responses=declared(409))
async def accept_nda(body: NdaAcceptanceBody, who: Signatory, desk: Desk) -> NdaReply:
    """Accept the agreement for your studio: an act of a production manager or a rights clearance manager, on the
    ledger."""
    view = await invitations.accept_nda(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        nda_version=body.nda_version,
        now=clock.now(),
    )
    desk.beta.forget(who.tenant_id)
    return NdaReply.of(view)


@router.post("/takes/{take_id}/feedback", status_code=201, responses=declared(409))
async def give_feedback(take_id: UUID, body: FeedbackBody, who: Person, desk: Desk) -> FeedbackReply:
    """Say what you think of a take. Again replaces what you said of it before."""
    view = await feedback.give_feedback(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        take_id=take_id,
        new=body.to_feedback(),
        now=clock.now(),
    )
    return FeedbackReply.of(view)


@router.get("/takes/{take_id}/feedback")
async def list_feedback(
    http: Request,
    response: Response,
    take_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Page[FeedbackReply]:
    """List what your studio's people think of a take, newest first."""
    purpose = f"feedback:{take_id}"
    views = await feedback.list_feedback(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        take_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, [view.feedback for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[FeedbackReply.of(view) for view in views[:limit]], next_cursor=following)
