"""Consents: drafted and sent out by whoever may write, decided by a person."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from circletake.domain.errors import Refused
from circletake.domain.people import Role
from circletake.domain.permission.consents import ConsentState
from circletake.domain.permission.documents import DOCUMENT_TYPES, MAX_DOCUMENT_BYTES
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import consent_documents, decide_consents, find_consents, keep_consents
from circletake.usecases.permission.find_consents import ConsentView
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.consents import (
    ConsentBody,
    ConsentDecision,
    ConsentEdit,
    ConsentReply,
    ConsentSummary,
    GrantBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["consents"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PAPER: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys(DOCUMENT_TYPES, _BINARY)}
}
_OPENED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The paper", "content": dict.fromkeys(DOCUMENT_TYPES, _BINARY)}
}


class NotAPaper(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "Not a kind of file that is kept as a document"


def _answer(view: ConsentView) -> Answer:
    return Answer(201, ConsentReply.of_view(view).body(), f"/v1/consents/{view.consent.id}")


def _shown(view: ConsentView, response: Response) -> ConsentReply:
    response.headers["ETag"] = etag(view.consent.version)
    return ConsentReply.of_view(view)


@router.post(
    "/performers/{performer_id}/consents",
    status_code=201,
    response_model=ConsentReply,
    responses=declared(409),
)
async def create(performer_id: UUID, body: ConsentBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Draft a performer's consent. It allows nothing until a person has granted it."""
    answer = await keep_consents.create_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        performer_id=performer_id,
        values=body.values(),
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("/consents", response_model=Page[ConsentSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    performer_id: UUID | None = None,
    production_id: UUID | None = None,
    state: ConsentState | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List consents, newest first."""
    rows = await find_consents.list_consents(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "consents", cursor),
        performer_id=performer_id,
        production_id=production_id,
        state=state,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "consents", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ConsentSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/consents/{consent_id}")
async def get(consent_id: UUID, response: Response, who: Reader, desk: Desk) -> ConsentReply:
    """Read one consent, with its description."""
    seal = await seal_of(desk, who)
    return _shown(await find_consents.get_consent(desk.database, seal, who.tenant_id, consent_id), response)


@router.patch("/consents/{consent_id}", responses=declared(409, 412, 428))
async def edit(
    consent_id: UUID, body: ConsentEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> ConsentReply:
    """Change a draft by a JSON merge patch."""
    view = await keep_consents.edit_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        consent_id=consent_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    return _shown(view, response)


@router.post("/consents/{consent_id}/request", responses=declared(409))
async def request(consent_id: UUID, response: Response, who: Writer, desk: Desk) -> ConsentReply:
    """Send a draft out to be signed: it can't be edited any more. It has to say everything: description, productions,
    kinds, media, territories and the term."""
    view = await keep_consents.request_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
    )
    return _shown(view, response)


@router.post("/consents/{consent_id}/grant", responses=declared(409, 412, 428))
async def grant(
    consent_id: UUID,
    response: Response,
    who: Manager,
    desk: Desk,
    match: IfMatch,
    body: GrantBody | None = None,
) -> ConsentReply:
    """Put on record that it was signed. From now on it covers what is requested, within its scope and term. By a person
    who is rights clearance manager and has read this version of it."""
    view = await decide_consents.grant_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
        signature=body.signature() if body else {},
        note=body.note if body else None,
        expect=lambda version: require_match(match, version),
    )
    return _shown(view, response)


@router.post("/consents/{consent_id}/decline", responses=declared(409))
async def decline(
    consent_id: UUID, response: Response, who: Manager, desk: Desk, body: ConsentDecision | None = None
) -> ConsentReply:
    """Put on record that it wasn't given. By a person who is rights clearance manager."""
    view = await decide_consents.decline_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
        note=body.note if body else None,
    )
    return _shown(view, response)


@router.post("/consents/{consent_id}/revoke", responses=declared(409))
async def revoke(
    consent_id: UUID, response: Response, who: Manager, desk: Desk, body: ConsentDecision | None = None
) -> ConsentReply:
    """Take a granted consent back. What relies on it and hasn't reached a model yet is held. By a person who is rights
    clearance manager."""
    view = await decide_consents.revoke_consent(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
        note=body.note if body else None,
    )
    return _shown(view, response)


@router.put("/consents/{consent_id}/document", openapi_extra=_PAPER, responses=declared(409, 412, 428))
async def put_document(
    http: Request, consent_id: UUID, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> ConsentReply:
    """Keep the signed paper: a PDF, PNG or JPEG of at most 10 MiB, as it is. It is kept encrypted, and its SHA-256 goes
    into every take that relies on the consent. Once the consent is decided, it stays as it is."""
    media_type = http.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in DOCUMENT_TYPES:
        raise NotAPaper(f"Send the paper with its own Content-Type: {', '.join(DOCUMENT_TYPES)}.")
    view = await consent_documents.put_document(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
        media_type=media_type,
        content=await _read(http),
        expect=lambda version: require_match(match, version),
    )
    return _shown(view, response)


@router.get("/consents/{consent_id}/document", response_class=Response, responses=_OPENED)
async def get_document(consent_id: UUID, who: Manager, desk: Desk) -> Response:
    """Read the signed paper. That you did goes on record. By a person who is rights clearance manager."""
    paper = await consent_documents.read_document(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        consent_id=consent_id,
    )
    suffix = paper.media_type.rsplit("/", 1)[-1]
    headers = {
        "Content-Disposition": f'attachment; filename="consent-{consent_id}.{suffix}"',
        "Cache-Control": "no-store",
        "ETag": f'"{paper.sha256}"',
    }
    return Response(paper.content, media_type=paper.media_type, headers=headers)


async def _read(http: Request) -> bytes:
    content = bytearray()
    async for chunk in http.stream():
        content += chunk
        if len(content) > MAX_DOCUMENT_BYTES:
            raise HTTPException(413)
    return bytes(content)
