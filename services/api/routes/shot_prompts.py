"""Proposed prompts: what a language model would write from the notes on a shot, for a person to read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.language.words import LanguageTask, RequestState
from circletake.usecases.idempotency import Answer
from circletake.usecases.language import find_language, request_language
from circletake.usecases.language.text_policy import Asker
from circletake.usecases.language.values import LanguageView
from services.api.auth import Generator, Reader, seal_of
from services.api.language import ended_request
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.language import ShotPromptBody, ShotPromptReply, ShotPromptSummary
from services.api.wiring import Gateway, gateway

TASK = LanguageTask.SHOT_PROMPT

router = APIRouter(prefix="/v1/shot-prompts", tags=["shot prompts"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post(
    "",
    status_code=202,
    response_model=ShotPromptSummary,
    responses={
        200: {"model": ShotPromptReply, "description": "Finished within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
)
async def request(body: ShotPromptBody, who: Generator, desk: Desk, claim: Claim, wait: Wait) -> Response:
    """Have a language model propose a prompt from the notes on a shot. Nothing is generated from it: a person reads
    it, changes it, and asks for a generation."""
    seal = await seal_of(desk, who)

    def answer(view: LanguageView) -> Answer:
        accepted = ShotPromptSummary.of_row(view.row)
        return Answer(202, accepted.body(), f"/v1/shot-prompts/{view.row.id}")

    accepted = await request_language.request_prompt(
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
    response = Response(ShotPromptReply.of(view).body(), 200, media_type="application/json")
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
    shot_id: UUID | None = None,
    state: RequestState | None = None,
    external_ref: ExternalRef | None = None,
) -> Page[ShotPromptSummary]:
    """List proposed prompts, newest first, without their texts."""
    rows = await find_language.list_requests(
        desk.database,
        who.tenant_id,
        TASK,
        limit=limit + 1,
        before=position(desk.cursors, TASK.value, cursor),
        production_id=production_id,
        shot_id=shot_id,
        state=state,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, TASK.value, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ShotPromptSummary.of_row(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{shot_prompt_id}")
async def get(shot_prompt_id: UUID, who: Reader, desk: Desk, wait: Wait) -> ShotPromptReply:
    """Read one proposed prompt; with `Prefer: wait=N`, once it has ended."""
    view = None
    if wait:
        view = await ended_request(desk, who, TASK, shot_prompt_id, wait)
    if view is None:
        seal = await seal_of(desk, who)
        view = await find_language.get_request(desk.database, seal, who.tenant_id, TASK, shot_prompt_id)
    return ShotPromptReply.of(view)


@router.post("/{shot_prompt_id}/cancel", responses=declared(409))
async def cancel(shot_prompt_id: UUID, who: Generator, desk: Desk) -> ShotPromptReply:
    """Stop a proposed prompt that hasn't ended. A call that is under way is paid for all the same."""
    view = await find_language.cancel_request(
        desk.database, await seal_of(desk, who), who.tenant_id, TASK, shot_prompt_id
    )
    return ShotPromptReply.of(view)
