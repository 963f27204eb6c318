"""What the operator sees of the queue: depth and age by lane, steps, dead letters. Ids only, no content."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text

from circletake.domain.errors import NotFound
from circletake.records.session import Database
from circletake.records.steps import Step
from circletake.usecases.dispatch_steps import BEAT_SECONDS

DISPATCHER_LANE = "dispatcher"  # the leading dispatcher beats here, with no slots
LANES = ("generate", "async", "finish", "judge", "notify", "inspect", "isolation")


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane now. `ready` may run at once, `deferred` waits for its time; `rung` and `running` hold a slot."""

    lane: str
    ready: int = 0
    deferred: int = 0
    rung: int = 0
    running: int = 0
    external: int = 0
    dead: int = 0
    oldest_ready_seconds: float | None = None
    workers: int = 0
    slots: int = 0


@dataclass(frozen=True, slots=True)
class QueueView:
    lanes: Sequence[LaneView]
    dispatcher_alive: bool


# one arm per partial index: finished steps, which are nearly all of them, are never read
_LANES = text(
    """
    with waiting as (
        select lane, count(*) filter (where run_at <= now()) as ready,
               count(*) filter (where run_at > now()) as deferred,
               extract(epoch from now() - min(run_at) filter (where run_at <= now()))::float as age
        from steps where state = 'ready' group by lane),
    flight as (
        select lane, count(*) filter (where state = 'rung') as rung,
               count(*) filter (where state = 'running') as running,
               count(*) filter (where state = 'external') as external
        from steps where state in ('rung', 'running', 'external') group by lane),
    given_up as (select lane, count(*) as dead from steps where state = 'dead' group by lane),
    alive as (
        select lane, count(*) as workers, sum(slots) as slots
        from worker_beats where seen_at > now() - make_interval(secs => :beat) group by lane),
    names as (
        select unnest(cast(:lanes as text[])) as lane
        union select lane from waiting union select lane from flight union select lane from given_up
        union select lane from alive)
    select lane, coalesce(ready, 0) as ready, coalesce(deferred, 0) as deferred, coalesce(rung, 0) as rung,
           coalesce(running, 0) as running, coalesce(external, 0) as external, coalesce(dead, 0) as dead,
           age as oldest_ready_seconds, coalesce(workers, 0) as workers, coalesce(slots, 0) as slots
    from names left join waiting using (lane) left join flight using (lane) left join given_up using (lane)
    left join alive using (lane)
    order by array_position(cast(:lanes as text[]), lane), lane
    """
)


async def view_queue(database: Database) -> QueueView:
    """Count the queue by lane. Reads only what is open: its cost doesn't grow with what is done."""
    async with database.role() as session:
        rows = (await session.execute(_LANES, {"beat": BEAT_SECONDS, "lanes": list(LANES)})).all()
    views = [LaneView(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    dispatchers = sum(view.workers for view in views if view.lane == DISPATCHER_LANE)
    return QueueView([view for view in views if view.lane != DISPATCHER_LANE], dispatchers > 0)


async def list_steps(
    database: Database,
    *,
    limit: int,
    before: UUID | None = None,
    state: str | None = None,
    lane: str | None = None,
    kind: str | None = None,
    tenant_id: UUID | None = None,
) -> Sequence[Step]:
    """Return at most `limit` steps by falling id, which is newest first, for ids carry their time."""
    query = select(Step)
    for column, value in (
        (Step.state, state),
        (Step.lane, lane),
        (Step.kind, kind),
        (Step.tenant_id, tenant_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(Step.id < before)
    async with database.role() as session:
        return list(await session.scalars(query.order_by(Step.id.desc()).limit(limit)))


async def find_step(database: Database, step_id: UUID) -> Step:
    async with database.role() as session:
        step = await session.scalar(select(Step).where(Step.id == step_id))
    if step is None:
        raise NotFound("step")
    return step
