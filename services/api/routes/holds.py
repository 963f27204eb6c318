"""Holds: what waits for a person, and their decision. And the switch that holds a whole production."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.domain.permission.holds import HoldReason, HoldState
from circletake.kit import clock
from circletake.usecases.permission import find_holds
from circletake.usecases.permission.clear_faces import FaceDecision, present_faces
from circletake.usecases.permission.decide_hold import decide_hold
from circletake.usecases.permission.labour_action import switch_labour_action
from services.api.auth import Person, Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, link_next
from services.api.schemas.common import Page
from services.api.schemas.holds import (
    DecisionBody,
    HoldDetail,
    HoldReply,
    LabourActionBody,
    LabourActionReply,
    ReleaseBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["holds"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER, Role.RIGHTS_CLEARANCE_MANAGER))]


@router.get("/holds")
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    generation_id: UUID | None = None,
    reason: HoldReason | None = None,
    state: HoldState | None = None,
) -> Page[HoldReply]:
    """List holds, newest first."""
    rows = await find_holds.list_holds(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "holds", cursor),
        production_id=production_id,
        generation_id=generation_id,
        reason=reason.value if reason else None,
        state=state.value if state else None,
    )
    following = next_cursor(desk.cursors, "holds", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[HoldReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/holds/{hold_id}")
async def get(hold_id: UUID, who: Reader, desk: Desk) -> HoldDetail:
    """Read one hold: why it stands, and who can release it."""
    return await _detail(desk, who, hold_id)


@router.post("/holds/{hold_id}/release", responses=declared(409))
async def release(hold_id: UUID, who: Person, desk: Desk, body: ReleaseBody | None = None) -> HoldDetail:
    """Let it go: what only this hold kept runs, once. By a person with one of its roles, never the requester. Consents,
    labour actions and budgets can't be waved away: their cause has to be gone."""
    faces = [each.to_decision() for each in body.faces] if body else []
    return await _decide(desk, who, hold_id, HoldState.RELEASED, body, faces)


@router.post("/holds/{hold_id}/decline", responses=declared(409))
async def decline(hold_id: UUID, who: Person, desk: Desk, body: DecisionBody | None = None) -> HoldDetail:
    """Decline what waits. What only this hold kept is canceled, and costs nothing unless a model had been paid before."""
    return await _decide(desk, who, hold_id, HoldState.DECLINED, body)


async def _decide(
    desk: Gateway,
    who: Principal,
    hold_id: UUID,
    decision: HoldState,
    body: DecisionBody | None,
    faces: Sequence[FaceDecision] = (),
) -> HoldDetail:
    await decide_hold(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        roles=who.roles,
        hold_id=hold_id,
        decision=decision,
        note=body.note if body else None,
        now=clock.now(),
        faces=faces,
    )
    return await _detail(desk, who, hold_id)


async def _detail(desk: Gateway, who: Principal, hold_id: UUID) -> HoldDetail:
    seal = await seal_of(desk, who)
    hold, note, people = await find_holds.get_hold(desk.database, seal, who.tenant_id, hold_id)
    faces = await present_faces(
        desk.database, desk.store, who.storage, by=who.actor, hold=hold, urls=who.person is not None
    )
    return HoldDetail.of_one(hold, note, people, faces)


@router.put("/productions/{production_id}/labour-action")
async def labour_action(
    production_id: UUID, body: LabourActionBody, who: Manager, desk: Desk
) -> LabourActionReply:
    """Hold everything of a production during a labour action, or let go what is held for nothing else. What is with a
    model already is held before it is published."""
    production = await switch_labour_action(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        production_id=production_id,
        on=body.on,
        now=clock.now(),
    )
    since = production.labour_action_since
    return LabourActionReply(production_id=production.id, on=since is not None, since=since)
