"""Media files: declare, upload, complete, look, download, withdraw. The bytes never pass through the gateway."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.kinds import MediaRole
from circletake.records.media import MediaFile
from circletake.usecases import find_media
from circletake.usecases.complete_upload import complete_upload
from circletake.usecases.grant_download import grant_download
from circletake.usecases.grant_upload import renew_upload
from circletake.usecases.request_upload import request_upload
from circletake.usecases.withdraw_media import withdraw_media
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, until
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.media import (
    DownloadReply,
    MediaBody,
    MediaReply,
    MediaState,
    MediaUploadReply,
    Sha256,
    UploadUrlsBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/media", tags=["media"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]

SETTLED = frozenset({"ready", "refused", "withdrawn"})


def _place(media_id: UUID) -> str:
    return f"/v1/media/{media_id}"


def _json(status: int, shown: MediaReply, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(shown.model_dump_json().encode(), status, headers=named, media_type="application/json")


@router.post(
    "",
    status_code=201,
    response_model=MediaUploadReply,
    responses={
        200: {"model": MediaUploadReply, "description": "This very file is here already: nothing to upload"},
        201: {"description": "Recorded; `upload` says where the bytes go"},
        **declared(409),
    },
)
async def declare(body: MediaBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Declare a file and get presigned URLs to put its bytes straight into your bucket. Known bytes aren't sent twice."""
    seal = await seal_of(desk, who)
    answer = await request_upload(
        desk.database,
        desk.store,
        seal,
        who.storage,
        actor=who.actor,
        request=body.to_request(),
        claim=claim,
        location=_place,
    )
    replayed = {"Idempotent_Replayed": "true"} if answer.replayed else {}
    shown = MediaUploadReply.of_upload(answer.file, answer.offer)
    return _json(answer.status, shown, Location=_place(answer.file.id), **replayed)


@router.get("", response_model=Page[MediaReply])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    role: MediaRole | None = None,
    state: MediaState | None = None,
    sha256: Sha256 | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List media files, newest first; outputs are among them."""
    rows = await find_media.list_media(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "media", cursor),
        production_id=production_id,
        shot_id=shot_id,
        role=role.value if role else None,
        state=state,
        sha256=sha256,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "media", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[MediaReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{media_id}")
async def get(media_id: UUID, who: Reader, desk: Desk, wait: Wait) -> MediaReply:
    """Read one media file; with `Prefer: wait=N`, once it has been inspected."""
    file = await find_media.get_media(desk.database, who.tenant_id, media_id)
    if wait and file.state not in SETTLED:
        file = await _settled(desk, file, wait) or file
    return MediaReply.of(file)


@router.post(
    "/{media_id}/upload-urls",
    responses=declared(409),
)
async def renew(
    media_id: UUID, who: Writer, desk: Desk, body: UploadUrlsBody | None = None
) -> MediaUploadReply:
    """Get fresh URLs for an upload that was interrupted, and learn which parts have arrived."""
    file, offer = await renew_upload(
        desk.database,
        desk.store,
        who.storage,
        actor=who.actor,
        media_id=media_id,
        parts=body.parts if body else None,
    )
    return MediaUploadReply.of_upload(file, offer)


@router.post(
    "/{media_id}/complete",
    status_code=202,
    response_model=MediaReply,
    responses={
        200: {"model": MediaReply, "description": "Inspected: `state` is ready or refused"},
        202: {"description": "Being inspected"},
        **declared(409),
    },
)
async def complete(media_id: UUID, who: Writer, desk: Desk, wait: Wait) -> Response:
    """Say that the bytes are there. They are checked against size, SHA-256 and type and decoded, then published or
    refused with the reason. Asking again changes nothing."""
    file = await complete_upload(desk.database, desk.store, who.storage, media_id=media_id)
    applied = {}
    if wait and file.state not in SETTLED:
        file = await _settled(desk, file, wait) or file
        applied = {"Preference_Applied": f"wait={int(wait)}"}
    status = 200 if file.state in SETTLED else 202
    return _json(status, MediaReply.of(file), Location=_place(file.id), **applied)


@router.post("/{media_id}/download", responses=declared(409))
async def download(media_id: UUID, who: Reader, desk: Desk) -> DownloadReply:
    """Get a URL to download a ready file straight from your bucket, for at most 15 minutes."""
    url, expires_at = await grant_download(
        desk.database, desk.store, who.storage, actor=who.actor, media_id=media_id
    )
    return DownloadReply(url=url, expires_at=expires_at)


@router.delete("/{media_id}", responses=declared(409))
async def withdraw(media_id: UUID, who: Writer, desk: Desk) -> MediaReply:
    """Withdraw a file that no generation used. Its object and what was seen in it go, its record stays. A reference
    set that was approved with it is superseded: the look needs a new one."""
    file = await withdraw_media(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        media_id=media_id,
    )
    return MediaReply.of(file)


async def _settled(desk: Gateway, file: MediaFile, wait: float) -> MediaFile | None:
    async def look() -> MediaFile | None:
        now = await find_media.get_media(desk.database, file.tenant_id, file.id)
        return now if now.state in SETTLED else None

    return await until(desk.live, str(file.id), wait, look)
