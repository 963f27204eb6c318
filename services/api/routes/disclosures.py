"""Disclosures: who was told that what they were given was made by AI."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.policy.facts import ToldRole
from circletake.usecases.idempotency import Answer
from circletake.usecases.policy import disclosures
from circletake.usecases.policy.disclosures import DisclosureView
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.disclosures import DisclosureBody, DisclosureReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/disclosures", tags=["disclosures"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(view: DisclosureView) -> Answer:
    return Answer(201, DisclosureReply.of(view).body(), f"/v1/disclosures/{view.disclosure.id}")


@router.post("", status_code=201, response_model=DisclosureReply, responses=declared(409))
async def record(body: DisclosureBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Record that somebody was told: material that they were given was made by AI, or incorporates such material. It
    can't be edited; policy packs can require it."""
    answered = await disclosures.record_disclosure(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        new=body.to_new(),
        claim=claim,
        answer=_answer,
    )
    return reply(answered)


@router.get("")
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    role: ToldRole | None = None,
    take_id: UUID | None = None,
    media_id: UUID | None = None,
    text_ref: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
) -> Page[DisclosureReply]:
    """List disclosures, newest first."""
    views = await disclosures.list_disclosures(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "disclosures", cursor),
        production_id=production_id,
        role=role,
        take_id=take_id,
        media_id=media_id,
        text_ref=text_ref,
    )
    following = next_cursor(desk.cursors, "disclosures", [view.disclosure for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[DisclosureReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/{disclosure_id}")
async def get(disclosure_id: UUID, who: Reader, desk: Desk) -> DisclosureReply:
    """Read one disclosure."""
    view = await disclosures.get_disclosure(
        desk.database, await seal_of(desk, who), who.tenant_id, disclosure_id
    )
    return DisclosureReply.of(view)
