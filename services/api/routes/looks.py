"""Looks of a character, and the shots they hold for."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.usecases import edit_characters, find_characters, forget_character
from circletake.usecases.find_characters import LookView, look_view
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import code_position, next_code_cursor, next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.characters import (
    LookBody,
    LookEdit,
    LookReply,
    LookShotReply,
    LookShotsBody,
    LookSummary,
)
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["looks"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(view: LookView) -> Answer:
    return Answer(201, LookReply.of_view(view).body(), f"/v1/looks/{view.look.id}")


@router.post(
    "/characters/{character_id}/looks", status_code=201, response_model=LookReply, responses=declared(409)
)
async def create(character_id: UUID, body: LookBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Make a look of a character. Its name is unique for the character."""
    answer = await edit_characters.create_look(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        character_id=character_id,
        name=body.name,
        details=body.details(),
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("/characters/{character_id}/looks", response_model=Page[LookSummary])
async def list_all(
    http: Request,
    response: Response,
    character_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a character's looks, newest first; deleted ones aren't among them."""
    purpose = f"looks:{character_id}"
    rows = await find_characters.list_looks(
        desk.database,
        who.tenant_id,
        character_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[LookSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/looks/{look_id}")
async def get(look_id: UUID, response: Response, who: Reader, desk: Desk) -> LookReply:
    """Read one look, with its details. A deleted one keeps its id."""
    seal = await seal_of(desk, who)
    view = await find_characters.get_look(desk.database, seal, who.tenant_id, look_id)
    response.headers["ETag"] = etag(view.look.version)
    return LookReply.of_view(view)


@router.patch("/looks/{look_id}", responses=declared(409, 412, 428))
async def edit(
    look_id: UUID, body: LookEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> LookReply:
    """Change a look by a JSON merge patch."""
    view = await edit_characters.edit_look(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        look_id=look_id,
        name=body.name or None,
        details=body.details(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(view.look.version)
    return LookReply.of_view(view)


@router.delete("/looks/{look_id}", responses=declared(409))
async def delete(look_id: UUID, who: Writer, desk: Desk) -> LookReply:
    """Delete a look for good, with its references and what evaluators saw of it. Ids, verdicts and scores stay."""
    seal = await seal_of(desk, who)
    look = await forget_character.delete_look(
        desk.database, seal, tenant_id=who.tenant_id, actor=who.actor, look_id=look_id
    )
    return LookReply.of_view(look_view(seal, look))


@router.put("/looks/{look_id}/shots", responses=declared(409, 412, 428))
async def set_shots(
    look_id: UUID, body: LookShotsBody, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> LookSummary:
    """Say for which shots the look holds: there the character is expected, in this look. A shot that another look
    of the character holds for is refused."""
    look = await edit_characters.set_look_shots(
        desk.database,
        tenant_id=who.tenant_id,
        look_id=look_id,
        shot_ids=body.shot_ids,
        sequence_ids=body.sequence_ids,
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(look.version)
    return LookSummary.of(look)


@router.get("/looks/{look_id}/shots", response_model=Page[LookShotReply])
async def list_shots(
    http: Request,
    response: Response,
    look_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List the shots that a look holds for, in the order of their codes."""
    purpose = f"look-shots:{look_id}"
    rows = await find_characters.list_look_shots(
        desk.database,
        who.tenant_id,
        look_id,
        limit=limit + 1,
        after=code_position(desk.cursors, purpose, cursor),
    )
    following = next_code_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[LookShotReply.of(row) for row in rows[:limit]], next_cursor=following)
