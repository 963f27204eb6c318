"""Productions."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.records.context import Production
from circletake.usecases import edit_context, find_context
from circletake.usecases.idempotency import Answer
from circletake.usecases.permission.time_zones import set_time_zone
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import code_position, next_code_cursor
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, IfMatch, PageSize, etag, link_next, reply, require_match
from services.api.schemas.common import Code, ExternalRef, Page
from services.api.schemas.context import ProductionBody, ProductionEdit, ProductionReply, TimeZoneBody
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/productions", tags=["productions"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER, Role.RIGHTS_CLEARANCE_MANAGER))]


def _answer(production: Production) -> Answer:
    body = ProductionReply.model_validate(production).body()
    return Answer(201, body, f"/v1/productions/{production.id}")


@router.post("", status_code=201, response_model=ProductionReply, responses=declared(409))
async def create_production(body: ProductionBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Make a production. Its code is unique in your studio."""
    answer = await edit_context.create_production(
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


@router.get("", response_model=Page[ProductionReply])
async def list_productions(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    code: Code | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List productions in the order of their codes."""
    rows = await find_context.list_productions(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        after=code_position(desk.cursors, "productions", cursor),
        code=code,
        external_ref=external_ref,
    )
    following = next_code_cursor(desk.cursors, "productions", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ProductionReply.model_validate(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{production_id}")
async def get_production(production_id: UUID, response: Response, who: Reader, desk: Desk) -> ProductionReply:
    """Read one production."""
    production = await find_context.get_production(desk.database, who.tenant_id, production_id)
    response.headers["ETag"] = etag(production.version)
    return ProductionReply.model_validate(production)


@router.patch("/{production_id}", responses=declared(409, 412, 428))
async def edit_production(
    production_id: UUID, body: ProductionEdit, response: Response, who: Writer, desk: Desk, match: IfMatch
) -> ProductionReply:
    """Change a production by a JSON merge patch."""
    production = await edit_context.edit_production(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        roles=who.roles,
        production_id=production_id,
        values=body.values(),
        expect=lambda version: require_match(match, version),
    )
    response.headers["ETag"] = etag(production.version)
    return ProductionReply.model_validate(production)


@router.put("/{production_id}/time-zone")
async def move_production(
    production_id: UUID, body: TimeZoneBody, response: Response, who: Manager, desk: Desk
) -> ProductionReply:
    """Move a production to another time zone: from now on terms of consents end at midnight there. By a person who is
    production manager or rights clearance manager."""
    production = await set_time_zone(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        production_id=production_id,
        time_zone=body.time_zone,
    )
    response.headers["ETag"] = etag(production.version)
    return ProductionReply.model_validate(production)
