"""Script breakdowns: what a language model makes of a page, what people make of that, and the shots of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.language.words import LanguageTask, RequestState
from circletake.domain.people import Role
from circletake.usecases.idempotency import Answer
from circletake.usecases.language import apply_breakdown, edit_breakdown, find_language, request_language
from circletake.usecases.language.text_policy import Asker
from circletake.usecases.language.values import LanguageView
from services.api.auth import Generator, Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.language import ended_request
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import (
    Claim,
    Cursor,
    IfMatch,
    PageSize,
    Wait,
    etag,
    link_next,
    reply,
    require_match,
)
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.context import ImportReply
from services.api.schemas.language import (
    BreakdownShotsBody,
    ScriptBreakdownBody,
    ScriptBreakdownEdit,
    ScriptBreakdownReply,
    ScriptBreakdownSummary,
)
from services.api.wiring import Gateway, gateway

TASK = LanguageTask.SCRIPT_BREAKDOWN

router = APIRouter(prefix="/v1/script-breakdowns", tags=["script breakdowns"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Editor = Annotated[Principal, Depends(person_with(Role.REQUESTER, Role.APPROVER, Role.PRODUCTION_MANAGER))]
Maker = Annotated[Principal, Depends(person_with(Role.REQUESTER, Role.APPROVER))]


def _whole(view: LanguageView, status: int = 200) -> Response:
    response = Response(ScriptBreakdownReply.of(view).body(), status, media_type="application/json")
    response.headers["ETag"] = etag(view.row.version)
    return response


@router.post(
    "",
    status_code=202,
    response_model=ScriptBreakdownSummary,
    responses={
        200: {"model": ScriptBreakdownReply, "description": "Finished within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
)
async def request(
    body: ScriptBreakdownBody, who: Generator, desk: Desk, claim: Claim, wait: Wait
) -> Response:
    """Have a language model break a script page down into scenes, characters, props, locations and shots. A person
    edits what it writes, and decides which shots are made of it."""
    seal = await seal_of(desk, who)

    def answer(view: LanguageView) -> Answer:
        accepted = ScriptBreakdownSummary.of_row(view.row)
        return Answer(202, accepted.body(), f"/v1/script-breakdowns/{view.row.id}")

    accepted = await request_language.request_breakdown(
        desk.database,
        desk.catalogue,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        asker=Asker(desk.packs, who.roles),
        asked=body.to_asked(),
        claim=claim,
        answer=answer,
    )
    if not wait:
        return reply(accepted)
    request_id = UUID((accepted.location or "").rsplit("/", 1)[-1])
    view = await ended_request(desk, who, TASK, request_id, wait)
    if view is None:
        return reply(accepted)
    response = _whole(view)
    response.headers["Location"] = accepted.location or ""
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("")
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    state: RequestState | None = None,
    external_ref: ExternalRef | None = None,
) -> Page[ScriptBreakdownSummary]:
    """List script breakdowns, newest first, without their texts."""
    rows = await find_language.list_requests(
        desk.database,
        who.tenant_id,
        TASK,
        limit=limit + 1,
        before=position(desk.cursors, TASK.value, cursor),
        production_id=production_id,
        state=state,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, TASK.value, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ScriptBreakdownSummary.of_row(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{script_breakdown_id}", response_model=ScriptBreakdownReply)
async def get(script_breakdown_id: UUID, who: Reader, desk: Desk, wait: Wait) -> Response:
    """Read one script breakdown; with `Prefer: wait=N`, once it has ended."""
    view = None
    if wait:
        view = await ended_request(desk, who, TASK, script_breakdown_id, wait)
    if view is None:
        seal = await seal_of(desk, who)
        view = await find_language.get_request(desk.database, seal, who.tenant_id, TASK, script_breakdown_id)
    return _whole(view)


@router.patch(
    "/{script_breakdown_id}", response_model=ScriptBreakdownReply, responses=declared(409, 412, 428)
)
async def edit(
    script_breakdown_id: UUID, body: ScriptBreakdownEdit, who: Editor, desk: Desk, match: IfMatch
) -> Response:
    """Edit a script breakdown, list by list. It takes a person who is a requester, an approver or a production
    manager; what the model wrote stays beside it."""
    view = await edit_breakdown.edit_breakdown(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        request_id=script_breakdown_id,
        parts=body.parts(),
        expect=lambda version: require_match(match, version),
    )
    return _whole(view)


@router.post("/{script_breakdown_id}/cancel", response_model=ScriptBreakdownReply, responses=declared(409))
async def cancel(script_breakdown_id: UUID, who: Generator, desk: Desk) -> Response:
    """Stop a script breakdown that hasn't ended. A call that is under way is paid for all the same."""
    view = await find_language.cancel_request(
        desk.database, await seal_of(desk, who), who.tenant_id, TASK, script_breakdown_id
    )
    return _whole(view)


@router.post("/{script_breakdown_id}/shots", response_model=ImportReply, responses=declared(409, 412, 428))
async def make_shots(
    script_breakdown_id: UUID,
    body: BreakdownShotsBody,
    who: Maker,
    desk: Desk,
    match: IfMatch,
    claim: Claim,
    dry_run: Annotated[bool, Query(description="Report, and write nothing")] = False,
) -> Response:
    """Make the production's shots from a script breakdown, all that are named or none. It takes a person who is a
    requester or an approver, and the ETag of the version that they looked at. Lines of the report count the shots of
    the breakdown."""
    answered = await apply_breakdown.apply_breakdown(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        request_id=script_breakdown_id,
        codes=body.shots,
        sequence=body.sequence,
        episode=body.episode,
        dry_run=dry_run,
        expect=lambda version: require_match(match, version),
        claim=claim,
        answer=lambda report: Answer(200, ImportReply.of(report).body()),
        describe=lambda report: ImportReply.of(report).model_dump(mode="json"),
    )
    return reply(answered)
