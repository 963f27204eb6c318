"""Shots of a production, one by one and by the file."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.shot_files import COLUMNS, MAX_ROWS, ShotRow, decode, read_csv, read_json_lines
from circletake.usecases import edit_context, find_context, import_shots
from circletake.usecases.find_context import ShotView
from circletake.usecases.idempotency import Answer
from circletake.usecases.import_shots import ImportReport
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import code_position, next_code_cursor
from services.api.problems import ALWAYS, declared
from services.api.requests import (
    Claim,
    Cursor,
    IfMatch,
    PageSize,
    claim_of,
    etag,
    link_next,
    read_key,
    reply,
    require_match,
)
from services.api.row_bodies import reader_of, whole_body
from services.api.schemas.common import Code, ExternalRef, Page
from services.api.schemas.context import ImportReply, ShotBody, ShotEdit, ShotReply, ShotSummary
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["shots"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]

MAX_IMPORT_BYTES = 2_000_000

Read = Callable[[str], list[ShotRow]]
READERS: dict[str, Read] = {
    "text/csv": read_csv,
    "application/jsonl": read_json_lines,
    "application/x-ndjson": read_json_lines,
}


def _answer(view: ShotView) -> Answer:
    return Answer(201, ShotReply.of_view(view).body(), f"/v1/shots/{view.shot.id}")


@router.post(
    "/productions/{production_id}/shots",
    status_code=201,
    response_model=ShotReply,
    responses=declared(409),
)
async def create_shot(production_id: UUID, body: ShotBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Make a shot. Its code is unique in the production."""
    answer = await edit_context.create_shot(
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


@router.get("/productions/{production_id}/shots", response_model=Page[ShotSummary])
async def list_shots(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    code: Code | None = None,
    sequence_id: UUID | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List a production's shots in the order of their codes."""
    purpose = f"shots:{production_id}"
    rows = await find_context.list_shots(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        after=code_position(desk.cursors, purpose, cursor),
        code=code,
        sequence_id=sequence_id,
        external_ref=external_ref,
    )
    following = next_code_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ShotSummary.model_validate(row) for row in rows[:limit]], next_cursor=following)


@router.get("/shots/{shot_id}")
async def get_shot(shot_id: UUID, response: Response, who: Reader, desk: Desk) -> ShotReply:
    """Read one shot, with its notes."""
    seal = await seal_of(desk, who)
    view = await find_context.get_shot(desk.database, seal, who.tenant_id, shot_id)
    response.headers["ETag"] = etag(view.shot.version)
    return ShotReply.of_view(view)


@router.patch("/shots/{shot_id}", responses=declared(409, 412, 428))
async def edit_shot(
    shot_id: UUID, body: ShotEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> ShotReply:
    """Change a shot by a JSON merge patch."""
    view = await edit_context.edit_shot(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        shot_id=shot_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(view.shot.version)
    return ShotReply.of_view(view)


@router.post(
    "/productions/{production_id}/shots/import",
    response_model=ImportReply,
    responses=declared(409),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                content_type: {"schema": {"type": "string", "format": "binary"}} for content_type in READERS
            },
        }
    },
    description=(
        f"Make and change up to {MAX_ROWS} shots by their codes, and report every row.\n\n"
        f"CSV needs a header row; the columns, in any order, are `{'`, `'.join(COLUMNS)}`; only `code` is"
        " required. JSON lines hold one object per line with the same names. What is left out stays as it is; an"
        " empty cell or null clears. `sequence` and `episode` are codes; those that the production doesn't have"
        " are made. A refused row leaves the others alone, unless `atomic`: then nothing is written, and the"
        " problem (`rows_refused`) carries the report."
    ),
)
async def import_production_shots(
    http: Request,
    production_id: UUID,
    who: Writer,
    desk: Desk,
    key: Annotated[str | None, Depends(read_key)],
    dry_run: Annotated[bool, Query(description="Report, and write nothing")] = False,
    atomic: Annotated[bool, Query(description="One refused row refuses all")] = False,
) -> Response:
    content_type, read = reader_of(http, READERS)
    body = await whole_body(http, MAX_IMPORT_BYTES)
    rows = await asyncio.to_thread(lambda: read(decode(body)))
    claim = None
    if key is not None:
        # the same file with another question is another request
        asked = f"{content_type} atomic={atomic} ".encode() + body
        claim = claim_of(http, key, hashlib.sha256(asked).digest())
    answer = await import_shots.import_shots(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        production_id=production_id,
        rows=rows,
        dry_run=dry_run,
        atomic=atomic,
        claim=claim,
        answer=lambda report: Answer(200, ImportReply.of(report).body()),
        describe=_describe,
    )
    return reply(answer)


def _describe(report: ImportReport) -> dict[str, Any]:
    return ImportReply.of(report).model_dump(mode="json")
