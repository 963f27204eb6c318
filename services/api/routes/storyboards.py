"""Storyboards and their panels."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.usecases.idempotency import Answer
from circletake.usecases.storyboards import edit_panels, edit_storyboards, find_storyboards
from circletake.usecases.storyboards.find_storyboards import StoryboardView
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.storyboards import (
    StoryboardBody,
    StoryboardEdit,
    StoryboardPanelEdit,
    StoryboardPanelReply,
    StoryboardPanelsBody,
    StoryboardPanelsReply,
    StoryboardReply,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/storyboards", tags=["storyboards"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]

MAX_PANELS_BYTES = 8 * 1024 * 1024  # 500 panels, every one full of words


def _answer(view: StoryboardView) -> Answer:
    return Answer(201, StoryboardReply.of(view).body(), f"/v1/storyboards/{view.board.id}")


@router.post("", status_code=201, response_model=StoryboardReply, responses=declared(409))
async def create(body: StoryboardBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Make a storyboard of a production, with the production's next number: without panels, or with one for each shot
    of a script breakdown."""
    values = body.model_dump(exclude={"production_id"})
    answer = await edit_storyboards.create_storyboard(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        production_id=body.production_id,
        values=values,
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("", response_model=Page[StoryboardReply])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    sequence_id: UUID | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List storyboards, newest first; deleted ones aren't among them."""
    views = await find_storyboards.list_storyboards(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "storyboards", cursor),
        production_id=production_id,
        sequence_id=sequence_id,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "storyboards", [view.board for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[StoryboardReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/{storyboard_id}")
async def get(storyboard_id: UUID, response: Response, who: Reader, desk: Desk) -> StoryboardReply:
    """Read one storyboard, without its panels."""
    view = await find_storyboards.get_storyboard(
        desk.database, await seal_of(desk, who), who.tenant_id, storyboard_id
    )
    response.headers["ETag"] = etag(view.board.version)
    return StoryboardReply.of(view)


@router.patch("/{storyboard_id}", responses=declared(409, 412, 428))
async def edit(
    storyboard_id: UUID, body: StoryboardEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> StoryboardReply:
    """Change a storyboard by a JSON merge patch."""
    view = await edit_storyboards.edit_storyboard(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        storyboard_id=storyboard_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(view.board.version)
    return StoryboardReply.of(view)


@router.delete("/{storyboard_id}", status_code=204, responses=declared(409, 412, 428))
async def delete(storyboard_id: UUID, who: Writer, desk: Desk, match: IfMatch) -> Response:
    """Delete a storyboard with its panels and words. What was drawn from it stays among the production's files."""
    await edit_storyboards.delete_storyboard(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        storyboard_id=storyboard_id,
        expect=lambda version: require_match(match, version),
    )
    return Response(status_code=204)


@router.put("/{storyboard_id}/panels", responses=declared(409, 412, 428))
async def put_panels(
    storyboard_id: UUID,
    body: StoryboardPanelsBody,
    response: Response,
    who: Writer,
    desk: Desk,
    match: IfMatch,
) -> StoryboardPanelsReply:
    """Set all panels of a storyboard at once, in their order; they are numbered from 1. Whatever is wrong with a row
    is told with a pointer to it, and then nothing is changed."""
    board, views = await edit_panels.put_panels(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        storyboard_id=storyboard_id,
        drafts=[panel.draft() for panel in body.panels],
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(board.version)
    return StoryboardPanelsReply(
        storyboard_id=board.id,
        version=board.version,
        panels=[StoryboardPanelReply.of(view) for view in views],
    )


@router.get("/{storyboard_id}/panels", response_model=Page[StoryboardPanelReply])
async def list_panels(
    http: Request,
    response: Response,
    storyboard_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a storyboard's panels in their order, with the storyboard's ETag."""
    purpose = f"panels:{storyboard_id}"
    after = 0 if cursor is None else int(desk.cursors.read(purpose, cursor)[0])
    board, views = await find_storyboards.list_panels(
        desk.database, await seal_of(desk, who), who.tenant_id, storyboard_id, limit=limit + 1, after=after
    )
    more = len(views) > limit
    following = desk.cursors.write(purpose, str(views[limit - 1].panel.number)) if more else None
    response.headers.update(link_next(http, following))
    response.headers["ETag"] = etag(board.version)
    return Page(data=[StoryboardPanelReply.of(view) for view in views[:limit]], next_cursor=following)


@router.patch("/{storyboard_id}/panels/{panel_id}", responses=declared(409, 412, 428))
async def edit_panel(
    storyboard_id: UUID,
    panel_id: UUID,
    body: StoryboardPanelEdit,
    response: Response,
    who: Writer,
    desk: Desk,
    match: IfMatch,
) -> StoryboardPanelReply:
    """Change one panel by a JSON merge patch, where it stands. If-Match takes the storyboard's ETag."""
    board, view = await edit_panels.edit_panel(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        storyboard_id=storyboard_id,
        panel_id=panel_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(board.version)
    return StoryboardPanelReply.of(view)
