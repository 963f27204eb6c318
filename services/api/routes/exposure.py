"""Small doses: what of a take a model drew, the meter, and limits on it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from circletake.domain.people import Role
from circletake.records.exposure import ExposureLimit
from circletake.usecases.exposure import keep_limits
from circletake.usecases.exposure.keep_limits import LimitWish
from circletake.usecases.exposure.measure_production import measure_production
from circletake.usecases.exposure.record_exposure import get_exposure
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, reply
from services.api.schemas.exposure import ExposureReply, LimitBody, LimitList, LimitReply, MeterReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["exposure"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER))]


@router.get("/takes/{take_id}/exposure")
async def get_of_take(take_id: UUID, who: Reader, desk: Desk) -> ExposureReply:
    """Read what of a take's frames a model drew. A take without a picture has none."""
    return ExposureReply.of(await get_exposure(desk.database, who.tenant_id, take_id))


@router.get("/productions/{production_id}/exposure")
async def get_of_production(
    production_id: UUID,
    who: Reader,
    desk: Desk,
    sequence_id: Annotated[UUID | None, Query(description="Measure this sequence only")] = None,
    shot_id: Annotated[UUID | None, Query(description="Measure this shot only")] = None,
    every: Annotated[bool, Query(alias="all", description="Show a line for shots without AI, too")] = False,
) -> MeterReply:
    """Read the meter: how many shots and how much of the time on screen have AI in them, and how much of the frame.
    It goes by the cut that counts; where there is none, by circled takes and the shots' frame ranges."""
    measured = await measure_production(
        desk.database, who.tenant_id, production_id, sequence_id=sequence_id, shot_id=shot_id
    )
    return MeterReply.of(production_id, measured, every=every)


@router.get("/productions/{production_id}/exposure-limits")
async def list_limits(production_id: UUID, who: Reader, desk: Desk) -> LimitList:
    """List the limits of a production, its sequences and shots."""
    rows = await keep_limits.get_limits(desk.database, who.tenant_id, production_id)
    return LimitList(data=[LimitReply.of(row) for row in rows])


def _answer(limit: ExposureLimit) -> Answer:
    place = f"/v1/productions/{limit.production_id}/exposure-limits"
    return Answer(201, LimitReply.of(limit).body(), place)


@router.post(
    "/productions/{production_id}/exposure-limits",
    status_code=201,
    response_model=LimitReply,
    responses=declared(409),
)
async def set_limit(production_id: UUID, body: LimitBody, who: Manager, desk: Desk, claim: Claim) -> Response:
    """Limit how much AI there may be. Takes a person who is production_manager."""
    wish = LimitWish(production_id, body.metric, body.value, body.action, body.sequence_id, body.shot_id)
    return reply(
        await keep_limits.set_limit(
            desk.database,
            await seal_of(desk, who),
            tenant_id=who.tenant_id,
            wish=wish,
            actor=who.actor,
            claim=claim,
            answer=_answer,
        )
    )


@router.delete("/exposure-limits/{limit_id}", status_code=204)
async def end_limit(limit_id: UUID, who: Manager, desk: Desk) -> None:
    """End a limit; it stays on the ledger. Takes a person who is production_manager."""
    await keep_limits.end_limit(
        desk.database, await seal_of(desk, who), tenant_id=who.tenant_id, limit_id=limit_id, actor=who.actor
    )
