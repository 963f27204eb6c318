"""Sequences of a production."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.records.context import Sequence
from circletake.usecases import edit_context, find_context
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import code_position, next_code_cursor
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import Code, Page
from services.api.schemas.context import SequenceBody, SequenceEdit, SequenceReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["sequences"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(sequence: Sequence) -> Answer:
    return Answer(201, SequenceReply.model_validate(sequence).body(), f"/v1/sequences/{sequence.id}")


@router.post(
    "/productions/{production_id}/sequences",
    status_code=201,
    response_model=SequenceReply,
    responses=declared(409),
)
async def create_sequence(
    production_id: UUID, body: SequenceBody, who: Writer, desk: Desk, claim: Claim
) -> Response:
    """Make a sequence. Its code is unique in the production."""
    answer = await edit_context.create_sequence(
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


@router.get("/productions/{production_id}/sequences", response_model=Page[SequenceReply])
async def list_sequences(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    code: Code | None = None,
    episode_id: UUID | None = None,
) -> Any:
    """List a production's sequences in the order of their codes."""
    purpose = f"sequences:{production_id}"
    rows = await find_context.list_sequences(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        after=code_position(desk.cursors, purpose, cursor),
        code=code,
        episode_id=episode_id,
    )
    following = next_code_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[SequenceReply.model_validate(row) for row in rows[:limit]], next_cursor=following)


@router.get("/sequences/{sequence_id}")
async def get_sequence(sequence_id: UUID, response: Response, who: Reader, desk: Desk) -> SequenceReply:
    """Read one sequence."""
    sequence = await find_context.get_sequence(desk.database, who.tenant_id, sequence_id)
    response.headers["ETag"] = etag(sequence.version)
    return SequenceReply.model_validate(sequence)


@router.patch("/sequences/{sequence_id}", responses=declared(409, 412, 428))
async def edit_sequence(
    sequence_id: UUID, body: SequenceEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> SequenceReply:
    """Change a sequence by a JSON merge patch."""
    sequence = await edit_context.edit_sequence(
        desk.database,
        tenant_id=who.tenant_id,
        sequence_id=sequence_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(sequence.version)
    return SequenceReply.model_validate(sequence)
