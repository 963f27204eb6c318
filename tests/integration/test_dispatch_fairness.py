"""Who runs next: fairness between tenants, and every cap exactly."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from circletake.usecases.dispatch_steps import reap_steps, rering_steps
from tests.integration.step_rows import ENDPOINT_CAP, MODEL, OTHER, Queue, queue_on
from tests.stack import Database


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[Queue]:
    async with queue_on(database) as made:
        await made.cap(MODEL, 6)
        await made.cap(OTHER, 6)
        yield made


async def test_a_noisy_tenant_takes_only_what_others_leave(queue: Queue) -> None:
    """Five hundred steps that came first: the small studios all run at once beside it."""
    await queue.worker(generate=12)
    noisy = await queue.tenant()
    await queue.steps(noisy, 500)
    small = [await queue.tenant() for _ in range(4)]
    for tenant_id in small:
        await queue.steps(tenant_id, 2)
    assert await queue.picked() == {noisy: 4, **dict.fromkeys(small, 2)}


async def test_what_is_in_flight_already_counts_for_fairness(queue: Queue) -> None:
    """Whoever has the least in flight is next, until all have the same."""
    busy, idle = await queue.tenant(), await queue.tenant()
    await queue.steps(busy, 4, state="external", later=True)
    await queue.steps(busy, 10)
    await queue.steps(idle, 10)
    await queue.worker(generate=6)
    assert await queue.picked() == {idle: 5, busy: 1}


async def test_weights_share_the_fleet(queue: Queue) -> None:
    """A tenant of weight three gets three times as much."""
    heavy, light = await queue.tenant(weight=3), await queue.tenant()
    await queue.steps(light, 50)
    await queue.steps(heavy, 50)
    await queue.worker(generate=8)
    assert await queue.picked() == {heavy: 6, light: 2}


async def test_priority_orders_a_tenants_own_steps_only(queue: Queue) -> None:
    """A tenant that marks everything urgent gains nothing over the others."""
    loud, plain = await queue.tenant(), await queue.tenant()
    first = await queue.steps(loud, 3)
    urgent = await queue.steps(loud, 3, priority=100)
    await queue.steps(plain, 6)
    await queue.worker(generate=6)
    picked = await queue.pick()
    assert {ring.step_id for ring in picked if ring.tenant_id == loud} == set(urgent)
    assert len([ring for ring in picked if ring.tenant_id == plain]) == 3
    assert not {ring.step_id for ring in picked} & set(first)


async def test_a_tenants_own_cap_is_exact(queue: Queue) -> None:
    """What it has with a model while nobody waits for it counts too."""
    tenant_id = await queue.tenant(max_running=5)
    await queue.steps(tenant_id, 2, state="external", kind="poll", lane="async", later=True)
    await queue.steps(tenant_id, 20)
    await queue.worker(generate=50, async_=8)
    assert await queue.picked() == {tenant_id: 3}
    assert await queue.picked() == {}


async def test_a_models_cap_is_exact_over_all_tenants(queue: Queue) -> None:
    """Rung, running and external steps count; no tenant and no order gets past it."""
    tenants = [await queue.tenant() for _ in range(5)]
    await queue.steps(tenants[0], 2, capped_by=MODEL, state="external", kind="poll", lane="async", later=True)
    for tenant_id in tenants:
        await queue.steps(tenant_id, 20, capped_by=MODEL)
    await queue.worker(generate=100, async_=8)
    assert (await queue.picked()).total() == 4
    assert (await queue.picked()).total() == 0


async def test_an_endpoints_cap_is_exact(queue: Queue) -> None:
    """One slow receiver gets so many posts at once and no more; another one isn't held up."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 20, lane="notify", kind="notify", capped_by="endpoint:slow")
    await queue.steps(tenant_id, 1, lane="notify", kind="notify", capped_by="endpoint:other")
    await queue.worker(notify=50)
    assert await queue.picked() == {tenant_id: ENDPOINT_CAP + 1}


async def test_a_fleets_lane_is_filled_and_not_more(queue: Queue) -> None:
    """Slots of all workers that are alive; external steps need none."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 20)
    await queue.steps(tenant_id, 3, state="external", kind="poll", later=True)
    await queue.worker("w1", generate=3)
    await queue.worker("w2", generate=2)
    assert await queue.picked() == {tenant_id: 5}


async def test_a_worker_that_stopped_beating_has_no_slots(queue: Queue) -> None:
    """Nothing is rung for it."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 5)
    await queue.worker(generate=5)
    await queue.connection.execute("update worker_beats set seen_at = now() - interval '1 minute'")
    assert await queue.picked() == {}


async def test_a_model_at_its_cap_holds_up_no_other_model(queue: Queue) -> None:
    """The same tenant and lane: twenty steps wait for one model, the newest for another runs now."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 6, capped_by=MODEL, state="running")
    await queue.steps(tenant_id, 20, capped_by=MODEL, priority=5)
    [free] = await queue.steps(tenant_id, capped_by=OTHER)
    await queue.worker(generate=20)
    assert [ring.step_id for ring in await queue.pick()] == [free]


async def test_a_full_lane_holds_up_no_other_lane(queue: Queue) -> None:
    """Webhooks go out while every slot for models is taken."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 4, state="running")
    await queue.steps(tenant_id, 20)
    [notify] = await queue.steps(tenant_id, lane="notify", kind="notify")
    await queue.worker(generate=4, notify=4)
    assert [ring.step_id for ring in await queue.pick()] == [notify]


@pytest.mark.parametrize("state", ["suspended", "provisioning"])
async def test_a_tenant_that_is_not_active_runs_nothing_new(queue: Queue, state: str) -> None:
    """Its steps stay where they are."""
    tenant_id = await queue.tenant(state=state)
    await queue.steps(tenant_id, 3)
    await queue.worker(generate=5)
    assert await queue.picked() == {}


async def test_what_is_under_way_is_looked_at_whatever_the_caps_say(queue: Queue) -> None:
    """A poll has its place at the model already; a suspended tenant's paid clip is still taken in."""
    tenant_id = await queue.tenant(state="suspended", max_running=1)
    waiting = await queue.steps(tenant_id, 3, state="external", kind="poll", lane="async", capped_by=MODEL)
    await queue.worker(async_=8)
    assert {ring.step_id for ring in await queue.pick()} == set(waiting)


async def test_looks_are_not_rung_beyond_the_fleets_room(queue: Queue) -> None:
    """A hundred invocations that are due at once don't bury the workers in bells."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 20, state="external", kind="poll", lane="async", capped_by=MODEL)
    await queue.worker(async_=4)
    assert (await queue.picked()).total() == 4
    assert (await queue.picked()).total() == 0


async def test_what_is_not_due_is_passed_over(queue: Queue) -> None:
    """A step that was put off doesn't stand in the way of a later one."""
    tenant_id = await queue.tenant()
    await queue.steps(tenant_id, 5, priority=9, later=True)
    [due] = await queue.steps(tenant_id)
    await queue.worker(generate=1)
    assert [ring.step_id for ring in await queue.pick()] == [due]


async def test_twenty_thousand_ready_steps_are_picked_by_index(queue: Queue) -> None:
    """No hot query of the queue reads the whole table: neither pick, claim, heartbeat nor repair."""
    tenants: list[UUID] = [await queue.tenant() for _ in range(20)]
    for tenant_id in tenants:
        for model in (MODEL, OTHER):
            await queue.steps(tenant_id, 500, capped_by=model)
    await queue.steps(tenants[0], 5000, state="done")
    await queue.connection.execute("analyze steps, step_leases, tenants")
    await queue.worker(generate=10)
    before = await scans(queue)
    rung = await queue.pick()
    assert len(rung) == 10
    for ring in rung:
        assert await queue.claim(ring) is not None
    await repair(queue)
    await queue.desk.close()  # a connection tells its statistics when it ends
    await queue.app.close()
    after = await scans(queue, index_used_since=before)
    assert after["whole"] == before["whole"]
    assert after["ready"] > before["ready"]


async def repair(queue: Queue) -> None:
    await reap_steps(queue.desk)
    await rering_steps(queue.desk, after_seconds=0, limit=100)


async def scans(queue: Queue, index_used_since: dict[str, int] | None = None) -> dict[str, int]:
    """Count scans of the whole table and of the index of ready steps."""
    while True:
        await queue.connection.execute("select pg_stat_clear_snapshot()")
        row = await queue.connection.fetchrow(
            "select t.seq_scan as whole, i.idx_scan as ready from pg_stat_user_tables t, pg_stat_user_indexes i"
            " where t.relname = 'steps' and i.indexrelname = 'ix_steps_ready'"
        )
        if index_used_since is None or row["ready"] > index_used_since["ready"]:
            return dict(row)
