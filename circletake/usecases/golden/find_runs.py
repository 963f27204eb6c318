"""Reads of golden runs. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.ports import Seal
from circletake.records.golden import GoldenResult, GoldenRun, GoldenShot
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_production
from circletake.usecases.golden.keep_golden import name_of


@dataclass(frozen=True, slots=True)
class ResultView:
    result: GoldenResult
    golden: GoldenShot
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its results, in the order of their shots."""

    run: GoldenRun
    results: Sequence[ResultView]


async def find_run(session: TenantSession, tenant_id: UUID, run_id: UUID, *, lock: bool = False) -> GoldenRun:
    query = select(GoldenRun).where(GoldenRun.tenant_id == tenant_id, GoldenRun.id == run_id)
    run = await session.scalar(query.with_for_update() if lock else query)
    if run is None:
        raise NotFound("golden run")
    return run


async def view_of(session: TenantSession, seal: Seal, run: GoldenRun) -> RunView:
    rows = await session.execute(
        select(GoldenResult, GoldenShot)
        .join(GoldenShot, GoldenShot.id == GoldenResult.golden_id)
        .where(GoldenResult.tenant_id == run.tenant_id, GoldenResult.run_id == run.id)
        .order_by(GoldenResult.position)
    )
    return RunView(run, [ResultView(result, golden, name_of(seal, golden)) for result, golden in rows])


async def get_run(database: Database, seal: Seal, tenant_id: UUID, run_id: UUID) -> RunView:
    """Return one run with its results. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        return await view_of(session, seal, await find_run(session, tenant_id, run_id))


async def list_runs(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> Sequence[GoldenRun]:
    """Return a production's runs without their results, newest first. Raises NotFound."""
    query = select(GoldenRun).where(
        GoldenRun.tenant_id == tenant_id, GoldenRun.production_id == production_id
    )
    if before is not None:
        query = query.where(tuple_(GoldenRun.created_at, GoldenRun.id) < before)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(
            await session.scalars(
                query.order_by(GoldenRun.created_at.desc(), GoldenRun.id.desc()).limit(limit)
            )
        )
