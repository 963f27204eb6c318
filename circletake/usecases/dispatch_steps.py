"""Stage 3 and the repairs: what runs next, and what stalled. Run by the dispatcher's own database role.

Weighted max-min fairness: the next step is of the tenant with the least in flight for its weight, inside the caps
of the tenant, of the model (or webhook endpoint) and of the fleet's lanes. One dispatcher leads at a time, so the
counts that a pick reads are exact.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from circletake.kit import clock
from circletake.ports import ModelCatalogue
from circletake.records.session import Database
from circletake.usecases.choice.tell_endings import queue_endings
from circletake.usecases.golden.notice_changes import queue_golden_watches
from circletake.usecases.review.digest import queue_digests

# a worker that hasn't beaten for this long has no slots
BEAT_SECONDS = 15
CRASHES_TO_ISOLATION = 2
CRASHES_ALONE_TO_DEAD = 2

Bells = Mapping[str, Sequence[tuple[UUID, UUID, int]]]

# `any(array(…))`: whatever the planner believes of the tables beside it, the few rows are then found by their key
_PICK = text(
    """
    with recursive
    lanes as (
        select b.lane, sum(b.slots) - coalesce(max(u.used), 0) as room
        from worker_beats b
        left join (select lane, count(*) used from steps where state in ('rung', 'running') group by lane) u
            on u.lane = b.lane
        where b.seen_at > now() - make_interval(secs => :beat)
        group by b.lane),
    flight as (
        select tenant_id, capped_by, count(*) n from steps
        where state in ('rung', 'running', 'external') group by tenant_id, capped_by),
    tenant_rooms as (
        select t.id, t.weight, t.max_running - coalesce(sum(f.n), 0) as room,
               coalesce(sum(f.n), 0)::numeric / t.weight as load
        from tenants t left join flight f on f.tenant_id = t.id
        where t.state = 'active' group by t.id),
    groups as (
        (select lane, capped_by, tenant_id from steps where state = 'ready'
         order by lane, capped_by, tenant_id limit 1)
        union all
        select n.lane, n.capped_by, n.tenant_id from groups g, lateral (
            select s.lane, s.capped_by, s.tenant_id from steps s
            where s.state = 'ready' and (s.lane, s.capped_by, s.tenant_id) > (g.lane, g.capped_by, g.tenant_id)
            order by s.lane, s.capped_by, s.tenant_id limit 1) n),
    rooms as (
        select g.*, l.room as lane_room, t.room as tenant_room, t.weight, t.load,
               case when g.capped_by = '' then :limit
                    else floor(coalesce(q.cap, :endpoint_cap))
                         - coalesce((select sum(n) from flight f where f.capped_by = g.capped_by), 0)
               end as cap_room
        from groups g
        join lanes l on l.lane = g.lane
        join tenant_rooms t on t.id = g.tenant_id
        left join model_quotas q on q.model_id = g.capped_by),
    candidates as (
        select s.id, s.priority, r.*
        from rooms r cross join lateral (
            select id, priority from steps s
            where s.state = 'ready' and s.lane = r.lane and s.capped_by = r.capped_by
              and s.tenant_id = r.tenant_id and s.run_at <= now()
            order by s.priority desc, s.id
            limit greatest(0, least(r.lane_room, r.tenant_room, r.cap_room, :limit))
            for update skip locked) s),
    fair as (
        select c.*, c.load + (row_number() over (partition by tenant_id order by priority desc, id) - 1)::numeric
                    / c.weight as turn
        from candidates c),
    in_cap as (
        select * from (select f.*, row_number() over (partition by capped_by order by turn, id) as n from fair f) x
        where capped_by = '' or n <= cap_room),
    in_tenant as (
        select * from (select f.*, row_number() over (partition by tenant_id order by turn, id) as nt from in_cap f) x
        where nt <= tenant_room),
    picked as (
        select id from (select f.*, row_number() over (partition by lane order by turn, id) as nl from in_tenant f) x
        where nl <= lane_room order by turn, id limit :limit)
    update steps set state = 'rung', ring_no = ring_no + 1, rung_at = now()
    where id = any(array(select id from picked))
    returning steps.lane, steps.tenant_id, steps.id, steps.ring_no
    """
)

# polls of invocations under way keep their place at the model: only the fleet's room counts
_PICK_WAITING = text(
    """
    with lanes as (
        select b.lane, sum(b.slots) - coalesce(max(u.used), 0) as room
        from worker_beats b
        left join (select lane, count(*) used from steps where state in ('rung', 'running') group by lane) u
            on u.lane = b.lane
        where b.seen_at > now() - make_interval(secs => :beat)
        group by b.lane),
    due as (
        select s.id from lanes l cross join lateral (
            select id from steps
            where state = 'external' and run_at <= now() and lane = l.lane
            order by run_at limit greatest(0, least(l.room, :limit))
            for update skip locked) s)
    update steps set state = 'rung', ring_no = ring_no + 1, rung_at = now()
    where id = any(array(select id from due))
    returning steps.lane, steps.tenant_id, steps.id, steps.ring_no
    """
)

_RERING = text(
    """
    update steps set ring_no = ring_no + 1, rung_at = now()
    where id in (select id from steps where state = 'rung' and rung_at < now() - make_interval(secs => :after)
                 limit :limit for update skip locked)
    returning lane, tenant_id, id, ring_no
    """
)

# A crash takes innocent neighbours with it: the second one sends the step to a lane with one slot, and only
# crashes there, alone, condemn it. The step is locked before its lease, as workers do; one that a worker is just
# ending is left to it. A poll goes back to waiting: its place at the model is taken all the same.
_REAP = text(
    """
    with expired as (
        select s.id from step_leases l join steps s on s.id = l.step_id
        where l.lease_until < now() for update of s skip locked),
    freed as (
        delete from step_leases l using expired e
        where l.step_id = e.id and l.lease_until < now() returning l.step_id, l.fence),
    crashed as (
        update steps s set
            crashes = s.crashes + 1,
            crashes_alone = s.crashes_alone + (s.lane = 'isolation')::int,
            state = case when s.crashes_alone + (s.lane = 'isolation')::int >= :dead then 'dead'
                         when s.kind = 'poll' then 'external' else 'ready' end,
            lane = case when s.crashes + 1 >= :isolate then 'isolation' else s.lane end,
            run_at = now(), rung_at = null, trouble = 'worker_lost',
            finished_at = case when s.crashes_alone + (s.lane = 'isolation')::int >= :dead then now() end
        from freed f where s.id = f.step_id and s.fence = f.fence and s.state = 'running'
        returning s.*)
    select id, tenant_id, state, kind, generation_id, take_id, subject_id from crashed
    """
)

_BURY = text(
    """
    insert into steps (id, tenant_id, kind, lane, state, capped_by, priority, attempt, crashes, crashes_alone,
                       fence, ring_no, generation_id, take_id, subject_id, details)
    values (gen_random_uuid(), :tenant_id, 'bury', 'inspect', 'ready', '', 0, 0, 0, 0, 0, 0,
            :generation_id, :take_id, :id, jsonb_build_object('kind', cast(:kind as text)))
    """
)

# What is overdue and was never begun costs nothing to end: it need not wait for the model's cap, nor for its batch to be
# resumed. What was begun may call the model again, so it keeps to the cap.
_UNCAP_OVERDUE = text(
    """
    update steps set capped_by = '', priority = 100, run_at = least(run_at, now())
    where id in (select id from steps where state = 'ready' and deadline_at <= now() and capped_by <> '' and fence = 0
                 order by id limit 1000 for update skip locked)
    """
)

_RAISE_CAPS = text(
    """
    update model_quotas set cap = least(max_running, cap + 1), raised_at = now()
    where cap < max_running and raised_at < now() - interval '2 seconds'
    """
)

_FORGET_WORKERS = text("delete from worker_beats where seen_at < now() - interval '10 minutes'")

_SEED_QUOTA = text(
    """
    insert into model_quotas (model_id, max_running, cap)
    values (:model_id, cast(:max_running as integer), cast(:max_running as integer))
    on conflict (model_id) do nothing
    """
)


@dataclass(frozen=True, slots=True)
class Reaped:
    """What a repair found: steps whose worker was lost, and those of them that are given up."""

    lost: int
    dead: int


async def pick_steps(database: Database, *, limit: int, endpoint_cap: int) -> Bells:
    """T2: `ready` becomes `rung`. The bells may be rung once this has committed."""
    async with database.role() as session:
        waiting = (await session.execute(_PICK_WAITING, {"limit": limit, "beat": BEAT_SECONDS})).all()
        picked = (
            await session.execute(_PICK, {"limit": limit, "beat": BEAT_SECONDS, "endpoint_cap": endpoint_cap})
        ).all()
    return _by_lane([*waiting, *picked])


async def rering_steps(database: Database, *, after_seconds: float, limit: int) -> Bells:
    """Ring again for what nobody answered: covers a lost enqueue, FLUSHALL, a Redis restart."""
    async with database.role() as session:
        rows = (await session.execute(_RERING, {"after": after_seconds, "limit": limit})).all()
    return _by_lane(rows)


async def reap_steps(database: Database) -> Reaped:
    """Make steps with an expired lease ready again, isolate those that crash, bury those that crash alone."""
    async with database.role() as session:
        rows = (
            await session.execute(_REAP, {"dead": CRASHES_ALONE_TO_DEAD, "isolate": CRASHES_TO_ISOLATION})
        ).all()
        dead = [row for row in rows if row.state == "dead"]
        for row in dead:
            await session.execute(_BURY, dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name
    # each on its own: locks of different tables held together would need an order with everybody else's
    async with database.role() as session:
        await session.execute(_UNCAP_OVERDUE)
    async with database.role() as session:
        await session.execute(_RAISE_CAPS)
    return Reaped(len(rows), len(dead))


async def keep_house(database: Database, catalogue: ModelCatalogue) -> None:
    """Forget workers that are long gone and answers older than seven days; queue the digests, the looks at
    models' ends and at golden shots that are due."""
    async with database.role() as session:
        await session.execute(_FORGET_WORKERS)
        await session.execute(text("select forget_old_answers()"))
    await queue_digests(database, now=clock.now())
    await queue_endings(database, now=clock.now())
    await queue_golden_watches(database, catalogue, now=clock.now())


async def seed_quotas(database: Database, catalogue: ModelCatalogue) -> None:
    """Give every new model of the catalogue its ceiling; what the operator or throttling changed stays."""
    async with database.role() as session:
        for card in catalogue.all():
            if card.lifecycle != "eol":
                await session.execute(_SEED_QUOTA, {"model_id": card.id, "max_running": card.max_running})


def _by_lane(rows: Sequence[Row[Any]]) -> Bells:
    bells: dict[str, list[tuple[UUID, UUID, int]]] = defaultdict(list)
    for row in rows:
        bells[row.lane].append((row.tenant_id, row.id, row.ring_no))
    return bells
