"""Episodes of a production."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.records.context import Episode
from circletake.usecases import edit_context, find_context
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import code_position, next_code_cursor
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import Code, Page
from services.api.schemas.context import EpisodeBody, EpisodeEdit, EpisodeReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["episodes"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(episode: Episode) -> Answer:
    return Answer(201, EpisodeReply.model_validate(episode).body(), f"/v1/episodes/{episode.id}")


@router.post(
    "/productions/{production_id}/episodes",
    status_code=201,
    response_model=EpisodeReply,
    responses=declared(409),
)
async def create_episode(
    production_id: UUID, body: EpisodeBody, who: Writer, desk: Desk, claim: Claim
) -> Response:
    """Make an episode. Its code is unique in the production."""
    answer = await edit_context.create_episode(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        production_id=production_id,
        values=body.model_dump(),
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("/productions/{production_id}/episodes", response_model=Page[EpisodeReply])
async def list_episodes(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    code: Code | None = None,
) -> Any:
    """List a production's episodes in the order of their codes."""
    purpose = f"episodes:{production_id}"
    rows = await find_context.list_episodes(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        after=code_position(desk.cursors, purpose, cursor),
        code=code,
    )
    following = next_code_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[EpisodeReply.model_validate(row) for row in rows[:limit]], next_cursor=following)


@router.get("/episodes/{episode_id}")
async def get_episode(episode_id: UUID, response: Response, who: Reader, desk: Desk) -> EpisodeReply:
    """Read one episode."""
    episode = await find_context.get_episode(desk.database, who.tenant_id, episode_id)
    response.headers["ETag"] = etag(episode.version)
    return EpisodeReply.model_validate(episode)


@router.patch("/episodes/{episode_id}", responses=declared(409, 412, 428))
async def edit_episode(
    episode_id: UUID, body: EpisodeEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> EpisodeReply:
    """Change an episode by a JSON merge patch."""
    episode = await edit_context.edit_episode(
        desk.database,
        tenant_id=who.tenant_id,
        episode_id=episode_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(episode.version)
    return EpisodeReply.model_validate(episode)
