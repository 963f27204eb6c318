"""The worker's side of the queue: claim, heartbeat, finish, put off, hand back. Every write carries the fence.

Lock order everywhere: the generation, its takes by id, the budget, invocations, the step, its lease. A worker that
lost its lease runs beside the one that has it now, so two transactions about one step are nothing unusual.

A step that is claimed and never ends is found by its lease; see `reap_steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, insert, select, text, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.kit.ids import new_id
from circletake.records.generations import Generation, Take
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step, StepLease, WorkerBeat
from circletake.usecases.events import STEPS_CHANNEL, wake_dispatcher


class FenceLost(Exception):
    """The step isn't ours any more: its lease expired and somebody else has it, or it was ended."""


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """A step that this worker runs, until its lease ends."""

    id: UUID
    tenant_id: UUID
    kind: str
    lane: str
    fence: int
    attempt: int
    crashes: int
    generation_id: UUID | None = None
    take_id: UUID | None = None
    subject_id: UUID | None = None
    deadline_at: datetime | None = None
    overdue: bool = False  # its deadline has passed on the database's clock
    details: Mapping[str, Any] = field(default_factory=dict)


_CLAIM = text(
    """
    with claimed as (
        update steps set state = 'running', attempt = attempt + 1, fence = nextval('step_fences')
        where tenant_id = :tenant and id = :step and ring_no = :ring_no and state = 'rung'
        returning id, tenant_id, kind, lane, fence, attempt, crashes, generation_id, take_id,
                  subject_id, deadline_at, coalesce(deadline_at <= now(), false) as overdue, details),
    leased as (
        insert into step_leases (step_id, tenant_id, fence, worker, lease_until)
        select id, tenant_id, fence, :worker, now() + make_interval(secs => :lease) from claimed
        on conflict (step_id) do update set fence = excluded.fence, worker = excluded.worker,
            lease_until = excluded.lease_until)
    select * from claimed
    """
)


async def claim_step(
    database: Database, *, tenant_id: UUID, step_id: UUID, ring_no: int, worker: str, lease_seconds: float
) -> ClaimedStep | None:
    """T3: `rung` becomes `running`, with a new fence and a lease. None means a stale or duplicate bell."""
    async with database.tenant(tenant_id) as session:
        row = (
            await session.execute(
                _CLAIM,
                {
                    "tenant": tenant_id,
                    "step": step_id,
                    "ring_no": ring_no,
                    "worker": worker,
                    "lease": lease_seconds,
                },
            )
        ).one_or_none()
    return None if row is None else ClaimedStep(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


async def heartbeat(database: Database, step: ClaimedStep, *, lease_seconds: float) -> None:
    """Extend the lease. Raises FenceLost."""
    async with database.tenant(step.tenant_id) as session:
        extended = await session.scalar(
            update(StepLease)
            .where(StepLease.step_id == step.id, StepLease.fence == step.fence)
            .values(lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds))
            .returning(StepLease.step_id)
        )
        if extended is None:
            raise FenceLost


async def lock_generation(session: TenantSession, tenant_id: UUID, generation_id: UUID) -> Generation:
    """Lock order everywhere: the generation, its takes by id, the budget; then steps."""
    return (
        await session.scalars(
            select(Generation)
            .where(Generation.tenant_id == tenant_id, Generation.id == generation_id)
            .with_for_update()
        )
    ).one()


async def lock_takes(session: TenantSession, tenant_id: UUID, generation_id: UUID) -> list[Take]:
    return list(
        await session.scalars(
            select(Take)
            .where(Take.tenant_id == tenant_id, Take.generation_id == generation_id)
            .order_by(Take.id)
            .with_for_update()
        )
    )


async def hold_fence(session: TenantSession, step: ClaimedStep) -> None:
    """Lock the step and make sure that it is still ours. Raises FenceLost; then nothing may be written."""
    held = await session.scalar(
        select(Step.id)
        .where(
            Step.tenant_id == step.tenant_id,
            Step.id == step.id,
            Step.fence == step.fence,
            Step.state == "running",
        )
        .with_for_update()
    )
    if held is None:
        raise FenceLost


# the step is locked before its lease, as everywhere
_END = text(
    """
    with done as (
        update steps set state = 'done', finished_at = now(), trouble = cast(:trouble as text)
        where tenant_id = :tenant and id = :step and fence = :fence and state = 'running' returning id),
    dropped as (
        delete from step_leases where step_id in (select id from done) and fence = :fence)
    select id, pg_notify(:channel, '') from done
    """
).bindparams(bindparam("fence", type_=BigInteger()))


async def end_step(session: TenantSession, step: ClaimedStep, *, trouble: str | None = None) -> None:
    """The step is done, in the transaction that writes what it did; its slot is free, so the dispatcher is woken.
    Raises FenceLost; then nothing may be written."""
    await session.flush()  # what it did is written before it is said to be done
    values = {"tenant": step.tenant_id, "step": step.id, "fence": step.fence, "trouble": trouble}
    ended = await session.execute(_END, {**values, "channel": STEPS_CHANNEL})
    if ended.one_or_none() is None:
        raise FenceLost


# when a step is due whose batch is paused: not before somebody says so
RESTING = datetime(9999, 12, 31, tzinfo=UTC)


async def put_off(
    session: TenantSession,
    step: ClaimedStep,
    *,
    seconds: float,
    trouble: str | None = None,
    external: bool = False,
    counted: bool = True,
    kind: str | None = None,
) -> None:
    """Let the step run again after a while; `external` keeps its place at the model, `counted=False` gives the
    attempt back (throttling and hand-backs are no failures), `kind` makes it the next kind of work.

    A `poll` always keeps its place: its invocation is under way, whatever became of this look at it.
    """
    await hold_fence(session, step)
    kind = kind or step.kind
    external = external or kind == "poll"
    await session.execute(
        update(Step)
        .where(Step.tenant_id == step.tenant_id, Step.id == step.id)
        .values(
            state="external" if external else "ready",
            run_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            attempt=Step.attempt if counted else Step.attempt - 1,
            trouble=trouble,
            kind=kind,
            rung_at=None,
        )
    )
    await _drop_lease(session, step)
    await wake_dispatcher(session)


async def rest_step(session: TenantSession, step: ClaimedStep, *, begun: bool) -> None:
    """Let the step rest until its batch is resumed; no attempt was used. One whose take hasn't `begun` is as if nobody
    had claimed it, so that its deadline can still end it."""
    await hold_fence(session, step)
    await session.execute(
        update(Step)
        .where(Step.tenant_id == step.tenant_id, Step.id == step.id)
        .values(
            state="ready",
            run_at=RESTING,
            attempt=Step.attempt - 1,
            trouble="paused",
            rung_at=None,
            fence=Step.fence if begun else 0,
        )
    )
    await _drop_lease(session, step)
    await wake_dispatcher(session)


async def hand_back(database: Database, step: ClaimedStep) -> None:
    """SIGTERM: the step is ready again at once and no attempt was used. A lost fence is no trouble here."""
    try:
        async with database.tenant(step.tenant_id) as session:
            await put_off(session, step, seconds=0, trouble="handed_back", counted=False)
    except FenceLost:
        return


async def add_step(session: TenantSession, tenant_id: UUID, *, kind: str, lane: str, **values: Any) -> UUID:
    """Queue a step. The caller wakes the dispatcher once, at the end of its transaction."""
    step_id = new_id()
    await session.execute(
        insert(Step).values(id=step_id, tenant_id=tenant_id, kind=kind, lane=lane, **values)
    )
    return step_id


async def _drop_lease(session: TenantSession, step: ClaimedStep) -> None:
    await session.execute(
        sql_delete(StepLease).where(StepLease.step_id == step.id, StepLease.fence == step.fence)
    )


async def beat(database: Database, *, worker: str, slots: Mapping[str, int]) -> None:
    """Say that this worker is alive and how many slots it has, by lane."""
    async with database.role() as session:
        for lane, count in slots.items():
            statement = upsert(WorkerBeat).values(worker=worker, lane=lane, slots=count, seen_at=func.now())
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=["worker", "lane"], set_={"slots": count, "seen_at": func.now()}
                )
            )
