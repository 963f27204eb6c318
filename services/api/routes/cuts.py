"""Cuts: which takes are in the picture. The gateway keeps what is posted and never parses it."""

import hashlib
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.errors import Invalid, Refused
from circletake.domain.exposure.rates import parse_rate, rate_violation
from circletake.domain.pictures import Violation
from circletake.records.exposure import Cut
from circletake.usecases.exposure import find_cuts
from circletake.usecases.exposure.find_cuts import CutView
from circletake.usecases.exposure.post_cut import PostedCut, post_cut
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, seal_of
from services.api.bodies import spool
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, Wait, claim_of, link_next, read_key, reply, until
from services.api.schemas.common import Page
from services.api.schemas.exposure import CutClipReply, CutReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["cuts"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Key = Annotated[str | None, Depends(read_key)]
CutForm = Literal["otio", "edl"]

MAX_CUT_BYTES = 16 * 1024 * 1024
_FORMS: dict[str, CutForm] = {
    "application/json": "otio",
    "application/vnd.opentimelineio+json": "otio",
    "text/plain": "edl",
    "application/x-edl": "edl",
}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"description": "OpenTimelineIO JSON, as it is"}},
            "application/vnd.opentimelineio+json": _FILE,
            "text/plain": _FILE,
            "application/x-edl": _FILE,
            "application/octet-stream": _FILE,
        },
    }
}


class NotACut(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "Neither OTIO nor an EDL"


@router.post(
    "/productions/{production_id}/cuts",
    status_code=202,
    response_model=CutReply,
    openapi_extra=_CONTENT,
    responses={
        200: {"model": CutReply, "description": "Read, or refused, within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where the cut will be"},
        **declared(409),
    },
)
async def post(
    http: Request,
    production_id: UUID,
    who: Writer,
    desk: Desk,
    key: Key,
    wait: Wait,
    form: Annotated[
        CutForm | None, Query(alias="format", description="What it is, where the content type doesn't say")
    ] = None,
    rate: Annotated[
        str | None,
        Query(
            max_length=20,
            description="Frames per second of a file that doesn't say its own, as 24 or 24000/1001; an EDL never"
            " does. By default the production's.",
        ),
    ] = None,
) -> Response:
    """Post an editor's timeline, OpenTimelineIO JSON or a CMX 3600 EDL of up to 16 MiB, as it is. Once it is read it
    is the cut that counts: the meter goes by what it shows, and says so."""
    chosen = form or _FORMS.get(http.headers.get("content-type", "").split(";")[0].strip().lower())
    if chosen is None:
        raise NotACut(
            "Post OTIO as application/json or an EDL as text/plain, or say which with ?format=otio or ?format=edl."
        )
    with tempfile.NamedTemporaryFile(prefix="circletake-cut-") as kept:
        digest, size = await spool(http, kept.file, MAX_CUT_BYTES)
        if size == 0:
            raise Invalid([Violation("", "empty", "Send the file's bytes as the body.")])
        posted = PostedCut(Path(kept.name), chosen, size, digest.hex(), _rate(rate))
        asked = hashlib.sha256(f"{chosen} {rate} ".encode() + digest).digest()
        queued = await post_cut(
            desk.database,
            desk.store,
            await seal_of(desk, who),
            who.storage,
            actor=who.actor,
            production_id=production_id,
            posted=posted,
            claim=claim_of(http, key, asked) if key is not None else None,
            answer=_answer,
        )
    return await _waited(desk, who.tenant_id, queued, wait) if wait else reply(queued)


def _answer(cut: Cut) -> Answer:
    return Answer(202, CutReply.of(CutView(cut)).body(), f"/v1/cuts/{cut.id}")


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    violation = rate_violation("query.rate", text)
    if violation is not None:
        raise Invalid([violation])
    return parse_rate(text)


async def _waited(desk: Gateway, tenant_id: UUID, queued: Answer, wait: float) -> Response:
    cut_id = UUID((queued.location or "").rsplit("/", 1)[-1])

    async def ended() -> CutView | None:
        view = await find_cuts.get_cut(desk.database, tenant_id, cut_id)
        return view if view.cut.state != "queued" else None

    view = await until(desk.live, str(cut_id), wait, ended)
    if view is None:
        return reply(queued)
    response = reply(Answer(200, CutReply.of(view).body(), queued.location, queued.replayed))
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("/productions/{production_id}/cuts", response_model=Page[CutReply])
async def list_of_production(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a production's cuts, newest first."""
    purpose = f"cuts:{production_id}"
    views = await find_cuts.list_cuts(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, [view.cut for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[CutReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/cuts/{cut_id}")
async def get(cut_id: UUID, who: Reader, desk: Desk) -> CutReply:
    """Read one cut."""
    return CutReply.of(await find_cuts.get_cut(desk.database, who.tenant_id, cut_id))


@router.get("/cuts/{cut_id}/clips", response_model=Page[CutClipReply])
async def list_clips(
    http: Request,
    response: Response,
    cut_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    matched: Annotated[
        bool | None, Query(description="Only clips that are something known, or only the unknown")
    ] = None,
    take_id: UUID | None = None,
    shot_id: UUID | None = None,
) -> Any:
    """List a cut's clips in the order of the file: where each stands, what is seen of it, and which take or shot it
    is."""
    purpose = f"clips:{cut_id}"
    views = await find_cuts.list_clips(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        cut_id,
        limit=limit + 1,
        after=None if cursor is None else int(desk.cursors.read(purpose, cursor)[0]),
        matched=matched,
        take_id=take_id,
        shot_id=shot_id,
    )
    more = len(views) > limit
    following = desk.cursors.write(purpose, str(views[limit - 1].clip.number)) if more else None
    response.headers.update(link_next(http, following))
    return Page(data=[CutClipReply.of(view) for view in views[:limit]], next_cursor=following)


@router.post("/cuts/{cut_id}/activate", responses=declared(409))
async def activate(cut_id: UUID, who: Writer, desk: Desk) -> CutReply:
    """Let this cut be the one that counts."""
    return CutReply.of(
        await find_cuts.activate_cut(
            desk.database, await seal_of(desk, who), tenant_id=who.tenant_id, cut_id=cut_id, actor=who.actor
        )
    )
