"""Who calls, and who has signed in."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.usecases.people import find_people
from services.api.auth import Reader, person_with, principal, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, link_next
from services.api.schemas.common import Page
from services.api.schemas.people import PersonReply, WhoReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["people"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Caller = Annotated[Principal, Depends(principal)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER))]


@router.get("/me")
async def me(who: Caller) -> WhoReply:
    """Who am I: a key or a person, with which roles and scopes. It needs none of them."""
    return WhoReply.of(who)


@router.get("/people", response_model=Page[PersonReply])
async def list_all(
    http: Request, response: Response, who: Reader, desk: Desk, limit: PageSize = 50, cursor: Cursor = None
) -> Any:
    """List who has signed in at this studio, who came last first."""
    seal = await seal_of(desk, who)
    rows = await find_people.list_people(
        desk.database, seal, who.tenant_id, limit=limit + 1, before=position(desk.cursors, "people", cursor)
    )
    following = next_cursor(desk.cursors, "people", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[PersonReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/people/{person_id}")
async def get(person_id: UUID, who: Reader, desk: Desk) -> PersonReply:
    """Read one person, as their last token described them."""
    seal = await seal_of(desk, who)
    return PersonReply.of(await find_people.get_person(desk.database, seal, who.tenant_id, person_id))


@router.post("/people/{person_id}/suspend", responses=declared(409))
async def suspend(person_id: UUID, who: Manager, desk: Desk) -> PersonReply:
    """Take nothing from this person any more (403 `person_suspended`, within seconds), whatever their sign-in says."""
    return await _set_state(desk, who, person_id, "suspended")


@router.post("/people/{person_id}/resume", responses=declared(409))
async def resume(person_id: UUID, who: Manager, desk: Desk) -> PersonReply:
    """Let a suspended person back in."""
    return await _set_state(desk, who, person_id, "active")


async def _set_state(desk: Gateway, who: Principal, person_id: UUID, state: str) -> PersonReply:
    person = await find_people.set_person_state(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person_id=person_id,
        state=state,
        actor=who.actor,
    )
    return PersonReply.of(person)
