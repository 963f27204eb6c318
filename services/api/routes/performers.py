"""Performers, and what they were paid."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission import find_performers, keep_performers, record_compensation
from circletake.usecases.permission.find_performers import PerformerView
from circletake.usecases.permission.record_compensation import CompensationView
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.performers import (
    CompensationBody,
    CompensationReply,
    PerformerBody,
    PerformerEdit,
    PerformerReply,
    PerformerSummary,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/performers", tags=["performers"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(view: PerformerView) -> Answer:
    return Answer(201, PerformerReply.of_view(view).body(), f"/v1/performers/{view.performer.id}")


def _paid(view: CompensationView) -> Answer:
    return Answer(201, CompensationReply.of_view(view).body())


@router.post("", status_code=201, response_model=PerformerReply, responses=declared(409))
async def create(body: PerformerBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Put a performer on record. Name, contact and guardian are kept encrypted."""
    answer = await keep_performers.create_performer(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        values=body.model_dump(),
        claim=claim,
        answer=_answer,
    )
    response = reply(answer)
    response.headers["ETag"] = etag(1)
    return response


@router.get("", response_model=Page[PerformerSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List the studio's performers, newest first; deleted ones aren't among them."""
    views = await find_performers.list_performers(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "performers", cursor),
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "performers", [each.performer for each in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[PerformerSummary.of(each) for each in views[:limit]], next_cursor=following)


@router.get("/{performer_id}")
async def get(performer_id: UUID, response: Response, who: Reader, desk: Desk) -> PerformerReply:
    """Read one performer, with contact and guardian. A deleted one keeps its id."""
    seal = await seal_of(desk, who)
    view = await find_performers.get_performer(desk.database, seal, who.tenant_id, performer_id)
    response.headers["ETag"] = etag(view.performer.version)
    return PerformerReply.of_view(view)


@router.patch("/{performer_id}", responses=declared(409, 412, 428))
async def edit(
    performer_id: UUID, body: PerformerEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> PerformerReply:
    """Change a performer by a JSON merge patch. Who may sign for them (is_minor, deceased, guardian) is changed by a
    person who is rights clearance manager."""
    view = await keep_performers.edit_performer(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        performer_id=performer_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
        may_change_standing=Role.RIGHTS_CLEARANCE_MANAGER in who.roles,
    )
    response.headers["ETag"] = etag(view.performer.version)
    return PerformerReply.of_view(view)


@router.delete("/{performer_id}")
async def delete(performer_id: UUID, who: Manager, desk: Desk) -> PerformerReply:
    """Forget a performer. Name, contact, guardian and whatever wasn't granted go at once. Granted consents are revoked
    and stay as legal records; the characters they stood for can't be made until they are recast."""
    view = await keep_performers.delete_performer(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        performer_id=performer_id,
    )
    return PerformerReply.of_view(view)


@router.post(
    "/{performer_id}/compensation-events",
    status_code=201,
    response_model=CompensationReply,
    responses=declared(409),
)
async def record_payment(
    performer_id: UUID, body: CompensationBody, who: Writer, desk: Desk, claim: Claim
) -> Response:
    """Put on record what a performer was paid for the use of their likeness. It stays as it is: a mistake is corrected
    by another event with a negative amount."""
    answer = await record_compensation.record_compensation(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        performer_id=performer_id,
        values=body.model_dump() | {"basis": body.basis.value},
        claim=claim,
        answer=_paid,
    )
    return reply(answer)


@router.get("/{performer_id}/compensation-events", response_model=Page[CompensationReply])
async def list_payments(
    http: Request,
    response: Response,
    performer_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    consent_id: UUID | None = None,
) -> Any:
    """List what a performer was paid, newest record first."""
    purpose = f"compensation:{performer_id}"
    views = await record_compensation.list_compensation(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        performer_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        production_id=production_id,
        consent_id=consent_id,
    )
    following = next_cursor(desk.cursors, purpose, [each.event for each in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[CompensationReply.of_view(each) for each in views[:limit]], next_cursor=following)
