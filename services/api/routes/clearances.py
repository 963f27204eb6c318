"""What shots are cleared to show, and takes that are made on another model because one refused."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from circletake.domain.people import Role
from circletake.kit import clock
from circletake.usecases.choice import clearances
from circletake.usecases.choice.clearances import ClearanceView
from circletake.usecases.choice.reroute import find_routes, reroute_take
from circletake.usecases.effective_take import TakeView
from circletake.usecases.idempotency import Answer
from services.api.auth import Generator, Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, reply
from services.api.schemas.clearances import (
    ClearanceBody,
    ClearanceList,
    ClearanceReply,
    RerouteBody,
    RouteList,
)
from services.api.schemas.takes import TakeReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/shots/{shot_id}/clearances", tags=["clearances"], responses=ALWAYS)
takes = APIRouter(prefix="/v1/takes/{take_id}", tags=["takes"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Clearer = Annotated[Principal, Depends(person_with(Role.RIGHTS_CLEARANCE_MANAGER, Role.APPROVER))]


def _answer(view: ClearanceView) -> Answer:
    clearance = view.clearance
    place = f"/v1/shots/{clearance.shot_id}/clearances/{clearance.id}"
    return Answer(201, ClearanceReply.of_view(view).body(), place)


@router.post("", status_code=201, response_model=ClearanceReply, responses=declared(409))
async def state(shot_id: UUID, body: ClearanceBody, who: Clearer, desk: Desk, claim: Claim) -> Response:
    """State what the production may show in this shot: an act of a rights_clearance_manager or approver.

    It is kept with the shot and shown beside what a filter refuses. It never reaches a model: no prompt is changed by it,
    and no filter is told of it.
    """
    answer = await clearances.clear_shot(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        shot_id=shot_id,
        subjects=body.subjects,
        statement=body.statement,
        claim=claim,
        now=clock.now(),
        answer=_answer,
    )
    return reply(answer)


@router.get("")
async def list_all(shot_id: UUID, who: Reader, desk: Desk) -> ClearanceList:
    """List a shot's clearances, newest first, ended ones too."""
    seal = await seal_of(desk, who)
    return ClearanceList.of(await clearances.list_clearances(desk.database, seal, who.tenant_id, shot_id))


@router.delete("/{clearance_id}", status_code=204)
async def end(shot_id: UUID, clearance_id: UUID, who: Clearer, desk: Desk) -> None:
    """Take a clearance back, from now on. It stays on record, with its end."""
    await clearances.end_clearance(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        shot_id=shot_id,
        clearance_id=clearance_id,
        now=clock.now(),
    )


@takes.get("/reroutes", responses=declared(409))
async def list_reroutes(take_id: UUID, who: Reader, desk: Desk) -> RouteList:
    """List the models of the production that would take what a model refused or couldn't make, each with its price,
    what becomes of every control, and what would differ."""
    found = await find_routes(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        who.tenant_id,
        take_id,
        now=clock.now(),
    )
    return RouteList.of_routes(found)


@takes.post("/reroute", status_code=202, response_model=TakeReply, responses=declared(409))
async def reroute(take_id: UUID, body: RerouteBody, who: Generator, desk: Desk, claim: Claim) -> Response:
    """Make a filtered take, or one that a model couldn't make, on another model of the production, as a new take with
    `retry_of`. Nothing of the request is changed."""

    def answer_with(view: TakeView) -> Answer:
        return Answer(202, TakeReply.of(view).model_dump_json().encode(), f"/v1/takes/{view.take.id}")

    answer = await reroute_take(
        desk.database,
        desk.catalogue,
        desk.packs,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        take_id=take_id,
        model=body.model,
        reason=body.reason,
        claim=claim,
        now=clock.now(),
        answer=answer_with,
    )
    return reply(answer)
