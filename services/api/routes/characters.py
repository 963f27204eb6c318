"""Characters of a production."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.consistency.words import CharacterKind
from circletake.usecases import edit_characters, find_characters, forget_character
from circletake.usecases.find_characters import CharacterView, character_view
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.characters import (
    CharacterBody,
    CharacterEdit,
    CharacterReply,
    CharacterSummary,
    ScriptName,
)
from services.api.schemas.common import ExternalRef, Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["characters"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(view: CharacterView) -> Answer:
    return Answer(201, CharacterReply.of_view(view).body(), f"/v1/characters/{view.character.id}")


@router.post(
    "/productions/{production_id}/characters",
    status_code=201,
    response_model=CharacterReply,
    responses=declared(409),
)
async def create(production_id: UUID, body: CharacterBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Make a character. Its script name is unique in the production."""
    answer = await edit_characters.create_character(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        production_id=production_id,
        values=body.model_dump(mode="json"),
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("/productions/{production_id}/characters", response_model=Page[CharacterSummary])
async def list_all(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    kind: CharacterKind | None = None,
    script_name: ScriptName | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List a production's characters, newest first; deleted ones aren't among them."""
    purpose = f"characters:{production_id}"
    rows = await find_characters.list_characters(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        kind=kind.value if kind else None,
        script_name=script_name,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[CharacterSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/characters/{character_id}")
async def get(character_id: UUID, response: Response, who: Reader, desk: Desk) -> CharacterReply:
    """Read one character, with its description. A deleted one keeps its id."""
    seal = await seal_of(desk, who)
    view = await find_characters.get_character(desk.database, seal, who.tenant_id, character_id)
    response.headers["ETag"] = etag(view.character.version)
    return CharacterReply.of_view(view)


@router.patch("/characters/{character_id}", responses=declared(409, 412, 428))
async def edit(
    character_id: UUID, body: CharacterEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> CharacterReply:
    """Change a character by a JSON merge patch."""
    view = await edit_characters.edit_character(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        character_id=character_id,
        values=body.model_dump(mode="json", exclude_unset=True),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(view.character.version)
    return CharacterReply.of_view(view)


@router.delete("/characters/{character_id}", responses=declared(409))
async def delete(character_id: UUID, who: Writer, desk: Desk) -> CharacterReply:
    """Delete a character for good. Its biometric data goes at once: what evaluators saw in the files it was in, the
    crops of its judgements, its references. Ids, verdicts and scores stay readable; your files stay yours."""
    seal = await seal_of(desk, who)
    character = await forget_character.delete_character(
        desk.database,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        character_id=character_id,
    )
    return CharacterReply.of_view(character_view(seal, character))
