"""Notices of synthetic performers: human characters whom nobody portrays."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import synthetic_notices
from circletake.usecases.permission.synthetic_notices import NoticeView
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import Page
from services.api.schemas.performers import NoticeBody, NoticeEdit, NoticeReply, NoticeSummary
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["synthetic performers"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(view: NoticeView) -> Answer:
    place = f"/v1/synthetic-performer-notices/{view.notice.id}"
    return Answer(201, NoticeReply.of_view(view).body(), place)


@router.post(
    "/characters/{character_id}/synthetic-performer-notices",
    status_code=201,
    response_model=NoticeReply,
    responses=declared(409),
)
async def create(character_id: UUID, body: NoticeBody, who: Manager, desk: Desk, claim: Claim) -> Response:
    """Put on record that the union was told of a synthetic performer, and what value the character adds. By a person who
    is rights clearance manager."""
    answer = await synthetic_notices.record_notice(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        character_id=character_id,
        value_statement=body.value_statement,
        notice_on=body.notice_on,
        bargaining_status=body.bargaining_status.value,
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("/productions/{production_id}/synthetic-performer-notices", response_model=Page[NoticeSummary])
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
    """List a production's notices, newest first."""
    purpose = f"notices:{production_id}"
    rows = await synthetic_notices.list_notices(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        character_id=character_id,
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[NoticeSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/synthetic-performer-notices/{notice_id}")
async def get(notice_id: UUID, response: Response, who: Reader, desk: Desk) -> NoticeReply:
    """Read one notice, with its value statement."""
    seal = await seal_of(desk, who)
    view = await synthetic_notices.get_notice(desk.database, seal, who.tenant_id, notice_id)
    response.headers["ETag"] = etag(view.notice.version)
    return NoticeReply.of_view(view)


@router.patch("/synthetic-performer-notices/{notice_id}", responses=declared(412, 428))
async def edit(
    notice_id: UUID, body: NoticeEdit, response: Response, who: Manager, desk: Desk, match: IfMatch
) -> NoticeReply:
    """Say how bargaining stands. By a person who is rights clearance manager."""
    view = await synthetic_notices.edit_notice(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        notice_id=notice_id,
        bargaining_status=body.bargaining_status.value,
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(view.notice.version)
    return NoticeReply.of_view(view)
