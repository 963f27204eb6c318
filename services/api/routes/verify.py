"""Verification: what is known of a file. The gateway stores and hashes what is posted, and never opens it."""

import re
import tempfile
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from circletake.domain.errors import Invalid, Refused
from circletake.domain.pictures import Violation
from circletake.records.media import Verification
from circletake.usecases.find_media import get_verification
from circletake.usecases.idempotency import Answer
from circletake.usecases.request_verification import OwnFile, PostedFile, request_verification
from services.api.auth import Reader, seal_of
from services.api.bodies import spool
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Wait, claim_of, json_hash, read_key, reply, until
from services.api.schemas.media import VerificationReply, VerifyBody
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["verify"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Key = Annotated[str | None, Depends(read_key)]

_FILE_TYPE = re.compile(r"(?:image|video)/[a-z0-9][a-z0-9.+-]{0,99}|application/pdf")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/VerifyBody"}},
            "image/*": _BINARY,
            "video/*": _BINARY,
            "application/pdf": _BINARY,
        },
    }
}


class NotAFile(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "Neither JSON nor a picture or video"


@router.post(
    "/verify",
    status_code=202,
    response_model=VerificationReply,
    openapi_extra=_CONTENT,
    responses={
        200: {"model": VerificationReply, "description": "The answer, within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where the answer will be"},
        **declared(409),
    },
)
async def verify(http: Request, who: Reader, desk: Desk, key: Key, wait: Wait) -> Response:
    """Ask what is known of a file: a media file or a take of yours (JSON), or any picture or video, posted as it is
    with its own Content-Type. A posted file is deleted once it has been looked at."""
    content_type = http.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type == "application/json":
        queued = await _own(http, who, desk, key)
    elif _FILE_TYPE.fullmatch(content_type):
        queued = await _posted(http, who, desk, key, content_type)
    else:
        raise NotAFile(
            "Post JSON with media_id or take_id, or a file with its own image/… or video/… content type, or application/pdf."
        )
    if not wait:
        return reply(queued)
    verification_id = UUID((queued.location or "").rsplit("/", 1)[-1])

    async def ended() -> Verification | None:
        row = await get_verification(desk.database, who.tenant_id, verification_id)
        return row if row.state != "queued" else None

    row = await until(desk.live, str(verification_id), wait, ended)
    if row is None:
        return reply(queued)
    response = reply(Answer(200, VerificationReply.of(row).body(), queued.location, queued.replayed))
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("/verifications/{verification_id}")
async def get(verification_id: UUID, who: Reader, desk: Desk) -> VerificationReply:
    """Read the answer of a verification."""
    return VerificationReply.of(await get_verification(desk.database, who.tenant_id, verification_id))


async def _own(http: Request, who: Principal, desk: Gateway, key: str | None) -> Answer:
    body = b""
    async for chunk in http.stream():
        body += chunk
        if len(body) > desk.settings.api.max_body_bytes:
            raise HTTPException(413)
    try:
        asked = VerifyBody.model_validate_json(body)
    except ValidationError as error:
        # told as FastAPI tells it for a body that it reads itself
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        ) from error
    subject = OwnFile(media_id=asked.media_id, take_id=asked.take_id)
    return await _request(http, who, desk, key, json_hash(body), subject)


async def _posted(http: Request, who: Principal, desk: Gateway, key: str | None, media_type: str) -> Answer:
    with tempfile.NamedTemporaryFile(prefix="circletake-verify-") as kept:
        digest, size = await spool(http, kept.file, desk.settings.api.max_verify_bytes)
        if size == 0:
            raise Invalid([Violation("", "empty", "Send the file's bytes as the body.")])
        return await _request(http, who, desk, key, digest, PostedFile(Path(kept.name), media_type))


async def _request(
    http: Request,
    who: Principal,
    desk: Gateway,
    key: str | None,
    body_hash: bytes,
    subject: OwnFile | PostedFile,
) -> Answer:
    def answer(row: Verification) -> Answer:
        return Answer(202, VerificationReply.of(row).body(), f"/v1/verifications/{row.id}")

    return await request_verification(
        desk.database,
        desk.store,
        await seal_of(desk, who),
        who.storage,
        subject=subject,
        claim=claim_of(http, key, body_hash) if key is not None else None,
        answer=answer,
    )
