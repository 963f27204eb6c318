"""Batches of generations: ask for hundreds at once, follow them, pause, resume and cancel them."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse

from circletake.domain.batches.files import LISTED, read_batch_csv, read_batch_lines
from circletake.domain.batches.rows import MAX_BATCH_TAKES, MAX_ROWS, BatchFile
from circletake.domain.batches.timeline import read_batch_timeline
from circletake.domain.kinds import Kind, Quality
from circletake.domain.row_files import decode
from circletake.domain.takes import GenerationState
from circletake.kit import clock
from circletake.usecases.batches import find_batches, pause
from circletake.usecases.batches.check_batch import Checks
from circletake.usecases.batches.request_batch import BatchAccepted, BatchAsked, request_batch
from circletake.usecases.idempotency import Answer
from services.api.auth import Generator, Reader, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, claim_of, link_next, read_key, reply
from services.api.row_bodies import reader_of, whole_body
from services.api.schemas.batches import (
    BatchChecked,
    BatchGeneration,
    BatchReply,
    BatchSummary,
    batch_lines,
    report_csv,
)
from services.api.schemas.common import ExternalRef, Page, WrittenMoment
from services.api.schemas.takes import Seed
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/generation-batches", tags=["generation batches"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]

MAX_BATCH_BYTES = 16 * 1024 * 1024
CSV = "text/csv"

READERS: dict[str, tuple[str, Callable[[str], BatchFile]]] = {
    CSV: ("csv", read_batch_csv),
    "application/jsonl": ("jsonl", read_batch_lines),
    "application/x-ndjson": ("jsonl", read_batch_lines),
    "application/vnd.opentimelineio+json": ("otio", read_batch_timeline),
    "application/json": ("otio", read_batch_timeline),
}


async def _defaults(
    kind: Kind | None = None,
    model: Annotated[str | None, Query(max_length=256)] = None,
    quality: Quality | None = None,
    takes: Annotated[int | None, Query(description="1 to 20")] = None,
    seed: Seed | None = None,
    strict: bool | None = None,
    deadline: WrittenMoment | None = None,
) -> Mapping[str, Any]:
    """What holds for every row that doesn't say otherwise. Text isn't among it: addresses are written to logs."""
    given = {
        "kind": kind.value if kind else None,
        "model": model,
        "quality": quality.value if quality else None,
        "takes": takes,
        "seed": seed,
        "strict": strict,
        "deadline": deadline.isoformat() if deadline else None,
    }
    return {name: value for name, value in given.items() if value is not None}


@router.post(
    "",
    status_code=202,
    response_model=BatchChecked,
    responses={
        200: {"model": BatchChecked, "description": "A dry run: nothing was written"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in READERS},
        }
    },
    description=(
        f"Ask for takes of up to {MAX_ROWS} shots, {MAX_BATCH_TAKES} takes, in one call: JSON lines, CSV or an"
        " OpenTimelineIO timeline.\n\nEvery row is checked exactly as `POST /v1/generations` checks one, and reported."
        " A refused row refuses the whole batch (`rows_refused`, with the report), unless `skip_refused`. What needs a"
        " person first is accepted and held. All of it is written in one transaction; a dry run writes nothing.\n\n"
        "JSON lines hold one object per line with the fields of `POST /v1/generations`; `shot` is the shot's code,"
        " inputs may be media's `external_ref`, `depicts` characters' script names or `external_ref`. A first line"
        f' `{{"defaults": {{…}}}}` holds for every row. CSV needs a header row; the columns, in any order, are {LISTED}.'
        " `depicts` is separated by semicolons, an empty cell leaves the default. A timeline has one row per clip: its"
        " name holds the shot's code, `metadata.circletake` a row's fields, that of the timeline `defaults`."
    ),
)
async def request(
    http: Request,
    who: Generator,
    desk: Desk,
    key: Annotated[str | None, Depends(read_key)],
    production_id: UUID,
    defaults: Annotated[Mapping[str, Any], Depends(_defaults)],
    external_ref: ExternalRef | None = None,
    dry_run: Annotated[bool, Query(description="Report and quote, and write nothing")] = False,
    skip_refused: Annotated[
        bool, Query(description="Leave refused rows out instead of refusing all")
    ] = False,
) -> Response:
    content_type, (form, read) = reader_of(http, READERS)
    body = await whole_body(http, MAX_BATCH_BYTES)
    lines = await asyncio.to_thread(lambda: batch_lines(production_id, read(decode(body)), defaults))
    digest = hashlib.sha256(body).hexdigest()
    claim = None
    if key is not None:
        # the same file with another question is another request
        asked = f"{content_type} {sorted(http.query_params.multi_items())} {digest}"
        claim = claim_of(http, key, hashlib.sha256(asked.encode()).digest())
    return reply(
        await request_batch(
            desk.database,
            Checks(desk.catalogue, desk.rules, desk.packs, await seal_of(desk, who)),
            tenant_id=who.tenant_id,
            actor=who.actor,
            asked=BatchAsked(production_id, form, digest, lines, external_ref, dry_run, skip_refused),
            claim=claim,
            now=clock.now(),
            answer=_answer,
            describe=lambda said: BatchChecked.of_accepted(said).model_dump(mode="json"),
        )
    )


def _answer(said: BatchAccepted) -> Answer:
    body = BatchChecked.of_accepted(said).body()
    if said.batch is None:
        return Answer(200, body)
    return Answer(202, body, f"/v1/generation-batches/{said.batch.id}")


@router.get("", response_model=Page[BatchSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List batches, newest first."""
    rows = await find_batches.list_batches(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "generation-batches", cursor),
        production_id=production_id,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "generation-batches", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[BatchSummary.of_batch(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{batch_id}", response_model=BatchReply)
async def get(batch_id: UUID, who: Reader, desk: Desk) -> Response:
    """Read one batch and how far it is: takes by state, what waits for people, and what it came to so far."""
    return await _now(desk, who.tenant_id, batch_id)


@router.get("/{batch_id}/generations", response_model=Page[BatchGeneration])
async def list_generations(
    http: Request,
    response: Response,
    batch_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    state: GenerationState | None = None,
) -> Any:
    """List a batch's generations in the order of its lines, each with its takes counted."""
    purpose = f"generation-batches:{batch_id}"
    after = None if cursor is None else int(desk.cursors.read(purpose, cursor)[0])
    members = await find_batches.list_members(
        desk.database,
        who.tenant_id,
        batch_id,
        limit=limit + 1,
        after_line=after,
        state=state.value if state else None,
    )
    following = None
    if len(members) > limit:
        following = desk.cursors.write(purpose, str(members[limit - 1].generation.batch_line))
    response.headers.update(link_next(http, following))
    return Page(data=[BatchGeneration.of_member(each) for each in members[:limit]], next_cursor=following)


class CsvReport(PlainTextResponse):
    media_type = CSV


@router.get("/{batch_id}/report.csv", response_class=CsvReport)
async def get_report(batch_id: UUID, who: Reader, desk: Desk) -> CsvReport:
    """Read what became of each line as a table: its generation, its takes by state, which are circled, the cost."""
    members = await find_batches.list_members(desk.database, who.tenant_id, batch_id)
    text = await asyncio.to_thread(report_csv, members)
    return CsvReport(text, headers={"Content-Disposition": f'attachment; filename="batch-{batch_id}.csv"'})


@router.post("/{batch_id}/pause", response_model=BatchReply, responses=declared(409))
async def pause_batch(batch_id: UUID, who: Generator, desk: Desk) -> Response:
    """Let nothing more of a batch go to a model until it is resumed. What a model has accepted is finished."""
    await pause.pause_batch(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        batch_id=batch_id,
    )
    return await _now(desk, who.tenant_id, batch_id)


@router.post("/{batch_id}/resume", response_model=BatchReply, responses=declared(409))
async def resume_batch(batch_id: UUID, who: Generator, desk: Desk) -> Response:
    """Let a paused batch go on."""
    await pause.resume_batch(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        batch_id=batch_id,
    )
    return await _now(desk, who.tenant_id, batch_id)


@router.post("/{batch_id}/cancel", response_model=BatchReply, responses=declared(409))
async def cancel_batch(batch_id: UUID, who: Generator, desk: Desk) -> Response:
    """Cancel every take of a batch that hasn't ended. Nothing more goes to a model from now on; a call that a model has
    accepted is paid all the same. It is `canceling` until every generation has ended."""
    await pause.cancel_batch(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        batch_id=batch_id,
    )
    return await _now(desk, who.tenant_id, batch_id)


async def _now(desk: Gateway, tenant_id: UUID, batch_id: UUID) -> Response:
    view = await find_batches.get_batch(desk.database, tenant_id, batch_id)
    return Response(BatchReply.of_view(view).body(), media_type="application/json")
