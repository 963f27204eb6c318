"""Consistency checks: ask whether a character is still the same, and read what was found."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.consistency.words import Verdict
from circletake.kit.paging import BadCursor
from circletake.records.consistency import ConsistencyCheck
from circletake.usecases import find_checks
from circletake.usecases.find_checks import CheckView
from circletake.usecases.idempotency import Answer
from circletake.usecases.request_check import request_check
from services.api.auth import Generator, Reader, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply, until
from services.api.schemas.checks import CheckBody, CheckReply, CheckState, CheckSummary, MaterialReply
from services.api.schemas.common import ExternalRef, Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/consistency-checks", tags=["consistency checks"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post(
    "",
    status_code=202,
    response_model=CheckSummary,
    responses={
        200: {"model": CheckReply, "description": "Finished within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
)
async def request(body: CheckBody, who: Generator, desk: Desk, claim: Claim, wait: Wait) -> Response:
    """Ask whether characters are the same in this material. What was judged before costs nothing."""
    seal = await seal_of(desk, who)

    def answer(check: ConsistencyCheck) -> Answer:
        accepted = CheckSummary(**CheckSummary.fields_of(check))
        return Answer(202, accepted.model_dump_json().encode(), f"/v1/consistency-checks/{check.id}")

    accepted = await request_check(
        desk.database,
        desk.rules,
        desk.catalogue,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        request=body.to_request(),
        claim=claim,
        answer=answer,
    )
    if not wait:
        return reply(accepted)
    check_id = UUID((accepted.location or "").rsplit("/", 1)[-1])
    view = await _until_finished(desk, who.tenant_id, check_id, wait)
    if view is None:
        return reply(accepted)
    response = Response(CheckReply.of_view(view).body(), 200, media_type="application/json")
    response.headers["Location"] = accepted.location or ""
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("", response_model=Page[CheckSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    state: CheckState | None = None,
    verdict: Verdict | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List checks, newest first."""
    rows = await find_checks.list_checks(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "checks", cursor),
        production_id=production_id,
        state=state,
        verdict=verdict.value if verdict else None,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "checks", rows, limit)
    response.headers.update(link_next(http, following))
    data = [CheckSummary(**CheckSummary.fields_of(row)) for row in rows[:limit]]
    return Page(data=data, next_cursor=following)


@router.get("/{check_id}", response_model=CheckReply)
async def get(check_id: UUID, who: Reader, desk: Desk, wait: Wait) -> Response:
    """Read one check; with `Prefer: wait=N`, once it has finished."""
    view = await find_checks.get_check(desk.database, who.tenant_id, check_id)
    if wait and not view.check.finished_at:
        view = await _until_finished(desk, who.tenant_id, check_id, wait) or (
            await find_checks.get_check(desk.database, who.tenant_id, check_id)
        )
    return Response(CheckReply.of_view(view).body(), media_type="application/json")


async def _until_finished(desk: Gateway, tenant_id: UUID, check_id: UUID, wait: float) -> CheckView | None:
    async def ended() -> CheckView | None:
        now = await find_checks.get_check(desk.database, tenant_id, check_id)
        return now if now.check.finished_at else None

    return await until(desk.live, str(check_id), wait, ended)


@router.get("/{check_id}/results", response_model=Page[MaterialReply])
async def list_results(
    http: Request,
    response: Response,
    check_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    verdict: Verdict | None = None,
    frames: Annotated[bool, Query(description="With every frame that was looked at")] = False,
) -> Any:
    """List a check's files in story order with what was judged; those with a `verdict`, when it is given."""
    purpose = f"results:{check_id}"
    rows = await find_checks.list_results(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        check_id,
        limit=limit + 1,
        after=_after(desk, purpose, cursor),
        verdict=verdict.value if verdict else None,
        frames=frames,
    )
    following = None
    if len(rows) > limit:
        following = desk.cursors.write(purpose, str(rows[limit - 1].material.position))
    response.headers.update(link_next(http, following))
    data = [MaterialReply.of(row, frames=frames) for row in rows[:limit]]
    return Page(data=data, next_cursor=following)


def _after(desk: Gateway, purpose: str, cursor: str | None) -> int:
    if cursor is None:
        return -1
    [part] = desk.cursors.read(purpose, cursor)
    if not part.isdigit():
        raise BadCursor("not a position in a list")
    return int(part)


@router.post("/{check_id}/cancel", response_model=CheckReply, responses=declared(409))
async def cancel(check_id: UUID, who: Generator, desk: Desk) -> Response:
    """Stop a check. What is judged already stays on record."""
    await find_checks.cancel_check(desk.database, who.tenant_id, check_id)
    view = await find_checks.get_check(desk.database, who.tenant_id, check_id)
    return Response(CheckReply.of_view(view).body(), media_type="application/json")
