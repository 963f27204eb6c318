"""Takes: look, cancel, retry; circle, uncircle, reject."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from circletake.domain.people import Role
from circletake.kit import clock
from circletake.usecases import find_generations
from circletake.usecases.act_on_take import act_on_take
from circletake.usecases.cancel_takes import cancel_take
from circletake.usecases.effective_take import TakeView
from circletake.usecases.finish_circled import plan_finish
from circletake.usecases.idempotency import Answer
from circletake.usecases.people.find_acts import acts_on
from circletake.usecases.request_generation import request_generation
from circletake.usecases.retry_take import retry_take
from services.api.auth import Generator, Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, reply
from services.api.routes.generations import generation_accepted
from services.api.schemas.generations import GenerationReply
from services.api.schemas.people import ActList
from services.api.schemas.takes import ActReason, FinishBody, ModelCallList, RequiredReason, TakeReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/takes", tags=["takes"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Chooser = Annotated[Principal, Depends(person_with(Role.REVIEWER, Role.APPROVER))]


def _answer(status: int, view: TakeView) -> Answer:
    return Answer(status, TakeReply.of(view).model_dump_json().encode(), f"/v1/takes/{view.take.id}")


@router.get("/{take_id}")
async def get(take_id: UUID, who: Reader, desk: Desk) -> TakeReply:
    """Read one take."""
    return TakeReply.of(await find_generations.get_take(desk.database, who.tenant_id, take_id))


@router.get("/{take_id}/calls")
async def list_calls(take_id: UUID, who: Reader, desk: Desk) -> ModelCallList:
    """List every call to a model that was made for this take, with the body as it was sent: what a model was told,
    what it was given and what the call cost. Kept encrypted."""
    calls = await find_generations.calls_of(desk.database, await seal_of(desk, who), who.tenant_id, take_id)
    return ModelCallList.of(calls)


@router.get("/{take_id}/acts")
async def list_acts(take_id: UUID, who: Reader, desk: Desk) -> ActList:
    """List who circled, uncircled, rejected or re-routed this take, and why, the first act first."""
    return ActList.of(await acts_on(desk.database, await seal_of(desk, who), who.tenant_id, take_id))


@router.post("/{take_id}/cancel", responses=declared(409))
async def cancel(take_id: UUID, who: Generator, desk: Desk) -> TakeReply:
    """Cancel a take that hasn't ended. An enforcement at work goes on without it: cancel that to stop it."""
    seal = await seal_of(desk, who)
    return TakeReply.of(await cancel_take(desk.database, seal, who.tenant_id, take_id))


@router.post("/{take_id}/retry", status_code=202, response_model=TakeReply, responses=declared(409))
async def retry(take_id: UUID, who: Generator, desk: Desk, claim: Claim) -> Response:
    """Make a failed, filtered, canceled or expired take again, as a new take with `retry_of`; not while an enforcement
    is at work on its generation."""
    seal = await seal_of(desk, who)
    answer = await retry_take(
        desk.database,
        desk.catalogue,
        desk.packs,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        take_id=take_id,
        claim=claim,
        now=clock.now(),
        answer=lambda view: _answer(202, view),
    )
    return reply(answer)


@router.post("/{take_id}/finish", status_code=202, response_model=GenerationReply, responses=declared(409))
async def finish(take_id: UUID, who: Generator, desk: Desk, claim: Claim, body: FinishBody) -> Response:
    """Finish a circled take: a model enlarges it, and where it has a plate it is laid back at the plate's size, depth
    and format. The answer is a generation of kind `upscale`; the draft stays as it is."""
    asked = await plan_finish(
        desk.database, tenant_id=who.tenant_id, take_id=take_id, asked=body.to_request()
    )
    seal = await seal_of(desk, who)
    accepted = await request_generation(
        desk.database,
        desk.catalogue,
        desk.rules,
        desk.packs,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        request=asked,
        claim=claim,
        now=clock.now(),
        answer=generation_accepted,
    )
    return reply(accepted)


@router.post("/{take_id}/circle", responses=declared(409))
async def circle(take_id: UUID, who: Chooser, desk: Desk, body: ActReason | None = None) -> TakeReply:
    """Choose this take: an act of a person, a reviewer or an approver, never of a key. Only a succeeded take can be
    circled."""
    return await _act(desk, who, take_id, "circle", body.reason if body else None)


@router.post("/{take_id}/uncircle", responses=declared(409))
async def uncircle(take_id: UUID, who: Chooser, desk: Desk, body: ActReason | None = None) -> TakeReply:
    """Take the circle back: an act of a reviewer or an approver. Both acts stay on record."""
    return await _act(desk, who, take_id, "uncircle", body.reason if body else None)


@router.post("/{take_id}/reject", responses=declared(409))
async def reject(take_id: UUID, who: Chooser, desk: Desk, body: RequiredReason) -> TakeReply:
    """Reject this take, with the reason: an act of a reviewer or an approver."""
    return await _act(desk, who, take_id, "reject", body.reason)


async def _act(desk: Gateway, who: Principal, take_id: UUID, act: str, reason: str | None) -> TakeReply:
    seal = await seal_of(desk, who)
    view = await act_on_take(
        desk.database,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        take_id=take_id,
        act=act,
        reason=reason,
        roles=who.roles,
    )
    return TakeReply.of(view)
