"""Rights of inputs: on what ground files may be used, and which faces in them people cleared."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import clear_faces
from circletake.usecases.permission.rights import RightsView, record_rights, rights_history
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.rights import ClearedFaceReply, RightsBody, RightsHistory, RightsReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["rights"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Clearer = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(view: RightsView) -> Answer:
    return Answer(201, RightsReply.of(view).body(), f"/v1/media/{view.record.media_id}/rights-records")


@router.post(
    "/media/{media_id}/rights-records",
    status_code=201,
    response_model=RightsReply,
    responses=declared(409),
)
async def record(media_id: UUID, body: RightsBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Say on what ground a file may be used. What was said before stays on record; the newest holds. To override a
    mark of its maker takes a rights clearance manager, and a reason."""
    answer = await record_rights(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        roles=who.roles,
        media_id=media_id,
        said=body.to_said(),
        claim=claim,
        answer=_answer,
    )
    return reply(answer)


@router.get("/media/{media_id}/rights-records")
async def history(media_id: UUID, who: Reader, desk: Desk) -> RightsHistory:
    """Read everything that was ever said of a file's rights: what, by whom, when."""
    views = await rights_history(
        desk.database, await seal_of(desk, who), tenant_id=who.tenant_id, media_id=media_id
    )
    return RightsHistory(data=[RightsReply.of(view) for view in views])


@router.get("/media/{media_id}/cleared-faces")
async def list_cleared(
    media_id: UUID,
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Page[ClearedFaceReply]:
    """List the faces in a picture that people cleared, newest first; those that were taken back too."""
    views = await clear_faces.list_cleared(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        media_id=media_id,
        limit=limit + 1,
        before=position(desk.cursors, "cleared", cursor),
    )
    following = next_cursor(desk.cursors, "cleared", [view.cleared for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ClearedFaceReply.of(view) for view in views[:limit]], next_cursor=following)


@router.post("/cleared-faces/{cleared_face_id}/revoke")
async def revoke(cleared_face_id: UUID, who: Clearer, desk: Desk) -> ClearedFaceReply:
    """Take a clearing back: the next request over this picture asks about the face again."""
    view = await clear_faces.revoke_clearing(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        by=who.actor,
        clearing_id=cleared_face_id,
    )
    return ClearedFaceReply.of(view)
