"""Golden shots: approved takes that are made again to see whether a model still makes them; and the rules for it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.kinds import Kind
from circletake.domain.people import Role
from circletake.usecases.golden import keep_golden, rules
from circletake.usecases.golden.keep_golden import GoldenView
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.routes.versions import the_person
from services.api.schemas.common import Page
from services.api.schemas.golden import (
    GoldenRulesBody,
    GoldenRulesReply,
    GoldenShotBody,
    GoldenShotReply,
    shots_of,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["golden shots"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Approving = Annotated[Principal, Depends(person_with(Role.REVIEWER, Role.APPROVER))]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER))]


def _answer(view: GoldenView) -> Answer:
    shown = GoldenShotReply.of(view)
    return Answer(201, shown.model_dump_json().encode(), f"/v1/golden-shots/{view.golden.id}")


@router.post(
    "/productions/{production_id}/golden-shots",
    status_code=201,
    response_model=GoldenShotReply,
    responses=declared(409),
)
async def keep(
    production_id: UUID, body: GoldenShotBody, who: Approving, desk: Desk, claim: Claim
) -> Response:
    """Make a take golden: an act of a reviewer or an approver. Its request and its picture are what runs are held
    against."""
    answer = await keep_golden.keep_golden(
        desk.database,
        await seal_of(desk, who),
        desk.catalogue,
        tenant_id=who.tenant_id,
        person=the_person(who),
        production_id=production_id,
        new=body.to_golden(),
        claim=claim,
        answer=_answer,
    )
    return reply(answer)


@router.get("/productions/{production_id}/golden-shots", response_model=Page[GoldenShotReply])
async def list_all(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    kind: Kind | None = None,
    model: Annotated[str | None, Query(max_length=300)] = None,
    retired: Annotated[bool, Query(description="Retired ones too")] = False,
) -> Any:
    """List a production's golden shots, newest first."""
    purpose = f"golden-shots:{production_id}"
    views = await keep_golden.list_goldens(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        kind=kind.value if kind else None,
        model=model,
        retired=retired,
    )
    following = next_cursor(desk.cursors, purpose, [view.golden for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=shots_of(views[:limit]), next_cursor=following)


@router.get("/golden-shots/{golden_shot_id}")
async def get(golden_shot_id: UUID, who: Reader, desk: Desk) -> GoldenShotReply:
    """Read one golden shot."""
    seal = await seal_of(desk, who)
    return GoldenShotReply.of(
        await keep_golden.get_golden(desk.database, seal, who.tenant_id, golden_shot_id)
    )


@router.delete("/golden-shots/{golden_shot_id}", status_code=204)
async def retire(golden_shot_id: UUID, who: Approving, desk: Desk) -> None:
    """Retire a golden shot: an act of a reviewer or an approver. No run makes it any more; what was judged stays."""
    await keep_golden.retire_golden(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        golden_id=golden_shot_id,
    )


@router.get("/productions/{production_id}/golden-rules")
async def get_rules(production_id: UUID, who: Reader, desk: Desk) -> GoldenRulesReply:
    """Read when a production's golden shots are made again by themselves."""
    return GoldenRulesReply.of_view(await rules.get_rules(desk.database, who.tenant_id, production_id))


@router.put("/productions/{production_id}/golden-rules")
async def set_rules(production_id: UUID, body: GoldenRulesBody, who: Manager, desk: Desk) -> GoldenRulesReply:
    """Set when a production's golden shots are made again by themselves, and what a run may cost: an act of a
    production manager. The schedule begins anew."""
    view = await rules.set_rules(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        production_id=production_id,
        on_change=body.on_change,
        every_days=body.every_days,
        max_usd=body.golden_max_usd,
    )
    return GoldenRulesReply.of_view(view)
