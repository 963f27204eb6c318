"""Budgets of the studio, a production or a shot."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from circletake.domain.errors import PreconditionFailed, PreconditionRequired
from circletake.domain.people import Role
from circletake.usecases.money import keep_budgets
from circletake.usecases.money.keep_budgets import BudgetPlace, Expect
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, IfMatch, PageSize, etag, link_next, require_match
from services.api.schemas.common import Page
from services.api.schemas.money import BudgetBody, BudgetReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/budgets", tags=["budgets"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER))]


async def _read_match(
    if_match: Annotated[
        str | None, Header(description="The ETag of the budget; leave it out to make the first one")
    ] = None,
) -> str | None:
    return if_match


MatchIfThere = Annotated[str | None, Depends(_read_match)]
MADE: dict[int | str, dict[str, Any]] = {
    201: {"description": "There was none", "model": BudgetReply},
    **declared(412, 428),
}


def _expect(given: str | None) -> Expect:
    """A budget that is there is only changed by who has read it."""

    def check(version: int | None) -> None:
        if version is None and given is not None:
            raise PreconditionFailed("There is no budget to change: leave If-Match out to make one.")
        if version is not None and given is None:
            raise PreconditionRequired(
                "There is a budget already: read it, and send If-Match with its ETag to change it."
            )
        if version is not None and given is not None:
            require_match(given, version)

    return check


async def _set(
    desk: Gateway,
    who: Principal,
    place: BudgetPlace,
    body: BudgetBody,
    response: Response,
    match: str | None,
) -> BudgetReply:
    view, made = await keep_budgets.set_budget(
        desk.database,
        await seal_of(desk, who),
        place=place,
        thresholds=body.thresholds,
        note=body.note,
        actor=who.actor,
        expect=_expect(match),
    )
    response.status_code = 201 if made else 200
    response.headers["ETag"] = etag(view.budget.version)
    return BudgetReply.of(view)


async def _get(desk: Gateway, who: Principal, place: BudgetPlace, response: Response) -> BudgetReply:
    view = await keep_budgets.get_budget(desk.database, await seal_of(desk, who), place)
    response.headers["ETag"] = etag(view.budget.version)
    return BudgetReply.of(view)


async def _remove(desk: Gateway, who: Principal, place: BudgetPlace, match: str) -> None:
    await keep_budgets.remove_budget(
        desk.database, await seal_of(desk, who), place=place, actor=who.actor, expect=_expect(match)
    )


@router.get("", response_model=Page[BudgetReply])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
) -> Any:
    """List budgets, newest first; with `production_id` the production's own and its shots'."""
    views = await keep_budgets.list_budgets(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        production_id=production_id,
        limit=limit + 1,
        before=position(desk.cursors, "budgets", cursor),
    )
    following = next_cursor(desk.cursors, "budgets", [view.budget for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[BudgetReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/tenant")
async def get_of_tenant(response: Response, who: Reader, desk: Desk) -> BudgetReply:
    """Read the studio's budget: what is spent, unknown, reserved and left."""
    return await _get(desk, who, BudgetPlace(who.tenant_id), response)


@router.put("/tenant", responses=MADE)
async def set_of_tenant(
    body: BudgetBody, response: Response, who: Manager, desk: Desk, match: MatchIfThere
) -> BudgetReply:
    """Set the studio's budget. It counts all that was ever spent, and every production's takes.

    Raising it runs nothing by itself: whoever releases a hold asks for room again. Takes a person who is
    production_manager.
    """
    return await _set(desk, who, BudgetPlace(who.tenant_id), body, response, match)


@router.delete("/tenant", status_code=204, responses=declared(412, 428))
async def remove_of_tenant(who: Manager, desk: Desk, match: IfMatch) -> None:
    """Remove the studio's budget: the productions' and shots' own still hold."""
    await _remove(desk, who, BudgetPlace(who.tenant_id), match)


@router.get("/productions/{production_id}")
async def get_of_production(production_id: UUID, response: Response, who: Reader, desk: Desk) -> BudgetReply:
    """Read a production's budget: what is spent, unknown, reserved and left."""
    return await _get(desk, who, BudgetPlace(who.tenant_id, production_id), response)


@router.put("/productions/{production_id}", responses=MADE)
async def set_of_production(
    production_id: UUID,
    body: BudgetBody,
    response: Response,
    who: Manager,
    desk: Desk,
    match: MatchIfThere,
) -> BudgetReply:
    """Set a production's budget, as the studio's is set."""
    return await _set(desk, who, BudgetPlace(who.tenant_id, production_id), body, response, match)


@router.delete("/productions/{production_id}", status_code=204, responses=declared(412, 428))
async def remove_of_production(production_id: UUID, who: Manager, desk: Desk, match: IfMatch) -> None:
    """Remove a production's budget."""
    await _remove(desk, who, BudgetPlace(who.tenant_id, production_id), match)


@router.get("/shots/{shot_id}")
async def get_of_shot(shot_id: UUID, response: Response, who: Reader, desk: Desk) -> BudgetReply:
    """Read a shot's budget: what is spent, unknown, reserved and left."""
    return await _get(desk, who, BudgetPlace(who.tenant_id, shot_id=shot_id), response)


@router.put("/shots/{shot_id}", responses=MADE)
async def set_of_shot(
    shot_id: UUID, body: BudgetBody, response: Response, who: Manager, desk: Desk, match: MatchIfThere
) -> BudgetReply:
    """Set a shot's budget, as the studio's is set."""
    return await _set(desk, who, BudgetPlace(who.tenant_id, shot_id=shot_id), body, response, match)


@router.delete("/shots/{shot_id}", status_code=204, responses=declared(412, 428))
async def remove_of_shot(shot_id: UUID, who: Manager, desk: Desk, match: IfMatch) -> None:
    """Remove a shot's budget."""
    await _remove(desk, who, BudgetPlace(who.tenant_id, shot_id=shot_id), match)
