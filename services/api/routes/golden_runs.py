"""Golden runs: golden shots made again and held against what was approved."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.usecases.golden import find_runs, start_run
from circletake.usecases.golden.find_runs import RunView
from circletake.usecases.idempotency import Answer
from services.api.auth import Generator, Reader, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply, until
from services.api.schemas.common import Page
from services.api.schemas.golden import (
    GoldenQuoteReply,
    GoldenRunBody,
    GoldenRunReply,
    GoldenRunSummary,
    GoldenScopeBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["golden runs"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(view: RunView) -> Answer:
    shown = GoldenRunReply.of_view(view)
    return Answer(202, shown.model_dump_json().encode(), f"/v1/golden-runs/{view.run.id}")


@router.post("/productions/{production_id}/golden-quotes", responses=declared(409))
async def quote(production_id: UUID, body: GoldenScopeBody, who: Reader, desk: Desk) -> GoldenQuoteReply:
    """Price a golden run before it begins. Nothing is recorded, reserved or sent."""
    quoted = await start_run.quote_run(
        desk.database,
        desk.catalogue,
        tenant_id=who.tenant_id,
        production_id=production_id,
        scope=body.scope(),
    )
    return GoldenQuoteReply.of_quote(quoted)


@router.post(
    "/productions/{production_id}/golden-runs",
    status_code=202,
    response_model=GoldenRunReply,
    responses=declared(409),
)
async def start(
    production_id: UUID, body: GoldenRunBody, who: Generator, desk: Desk, claim: Claim
) -> Response:
    """Make golden shots again, each with its own request and seed, and judge new against old. The takes are ordinary
    ones: gated, budgeted, on the ledger."""
    answer = await start_run.start_run(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        production_id=production_id,
        scope=body.scope(),
        max_usd=body.max_usd,
        claim=claim,
        answer=_answer,
    )
    return reply(answer)


@router.get("/productions/{production_id}/golden-runs", response_model=Page[GoldenRunSummary])
async def list_all(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a production's golden runs, newest first."""
    purpose = f"golden-runs:{production_id}"
    rows = await find_runs.list_runs(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[GoldenRunSummary.of_run(row) for row in rows[:limit]], next_cursor=following)


@router.get("/golden-runs/{golden_run_id}")
async def get(golden_run_id: UUID, who: Reader, desk: Desk, wait: Wait) -> GoldenRunReply:
    """Read one golden run with its results; with `Prefer: wait=N`, once it has finished."""
    seal = await seal_of(desk, who)
    view = await find_runs.get_run(desk.database, seal, who.tenant_id, golden_run_id)
    if wait and view.run.finished_at is None:

        async def ended() -> RunView | None:
            now = await find_runs.get_run(desk.database, seal, who.tenant_id, golden_run_id)
            return now if now.run.finished_at else None

        found = await until(desk.live, str(golden_run_id), wait, ended)
        view = found or await find_runs.get_run(desk.database, seal, who.tenant_id, golden_run_id)
    return GoldenRunReply.of_view(view)
