"""One step, many workers: who may write, and what a lost worker costs."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from circletake.usecases.dispatch_steps import reap_steps, rering_steps
from circletake.usecases.steps import ClaimedStep, FenceLost, end_step, hand_back, heartbeat, put_off
from tests.integration.step_rows import MODEL, Queue, queue_on, rings
from tests.stack import Database


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[Queue]:
    async with queue_on(database) as made:
        await made.worker(generate=10, isolation=1, inspect=2, async_=5)
        yield made


@pytest.fixture
async def tenant_id(queue: Queue) -> UUID:
    return await queue.tenant()


async def end(queue: Queue, step: ClaimedStep) -> None:
    async with queue.app.tenant(step.tenant_id) as session:
        await end_step(session, step)


async def lose(queue: Queue, step_id: UUID) -> None:
    """Its worker is gone: the lease runs out and is found."""
    await queue.expire(step_id)
    await reap_steps(queue.desk)


async def test_a_duplicate_bell_claims_once(queue: Queue, tenant_id: UUID) -> None:
    """The same ring heard by two workers is one claim."""
    await queue.steps(tenant_id)
    [ring] = await queue.pick()
    assert await queue.claim(ring, worker="w1") is not None
    assert await queue.claim(ring, worker="w2") is None


async def test_an_unanswered_bell_is_rung_again_and_the_old_one_is_stale(
    queue: Queue, tenant_id: UUID
) -> None:
    """After the second ring only the second ring's number claims."""
    await queue.steps(tenant_id)
    [first] = await queue.pick()
    [second] = rings(await rering_steps(queue.desk, after_seconds=0, limit=10))
    assert (second.step_id, second.ring_no) == (first.step_id, first.ring_no + 1)
    assert await queue.claim(first) is None
    assert await queue.claim(second) is not None


async def test_a_bell_from_before_the_last_run_claims_nothing(queue: Queue, tenant_id: UUID) -> None:
    """Its step was put off and rung anew meanwhile: ring numbers are never used twice."""
    await queue.steps(tenant_id)
    [old] = await queue.pick()
    step = await queue.claim(old)
    assert step is not None
    async with queue.app.tenant(tenant_id) as session:
        await put_off(session, step, seconds=0)
    [new] = await queue.pick()
    assert new.ring_no > old.ring_no
    assert await queue.claim(old) is None
    assert await queue.claim(new) is not None


async def test_another_tenants_bell_claims_nothing(queue: Queue, tenant_id: UUID) -> None:
    """Whoever can write Redis still can't run a step under another tenant's name."""
    other = await queue.tenant()
    await queue.steps(tenant_id)
    [ring] = await queue.pick()
    forged = type(ring)(ring.lane, other, ring.step_id, ring.ring_no)
    assert await queue.claim(forged) is None
    assert await queue.claim(ring) is not None


async def test_who_lost_the_lease_can_write_nothing(queue: Queue, tenant_id: UUID) -> None:
    """Neither extend, end nor put off; the one who has it now can."""
    zombie = await queue.claimed(tenant_id)
    await lose(queue, zombie.id)
    [ring] = await queue.pick()
    heir = await queue.claim(ring, worker="w2")
    assert heir is not None
    assert heir.fence > zombie.fence
    with pytest.raises(FenceLost):
        await heartbeat(queue.app, zombie, lease_seconds=60)
    with pytest.raises(FenceLost):
        await end(queue, zombie)
    await hand_back(queue.app, zombie)
    assert (await queue.row(zombie.id))["state"] == "running"
    await heartbeat(queue.app, heir, lease_seconds=60)
    await end(queue, heir)
    assert (await queue.row(zombie.id))["state"] == "done"
    assert await queue.leases(zombie.id) == []


async def test_a_heartbeat_in_time_keeps_the_lease(queue: Queue, tenant_id: UUID) -> None:
    """Late, but before anybody noticed: nothing is lost and no crash is counted."""
    step = await queue.claimed(tenant_id)
    await queue.expire(step.id)
    await heartbeat(queue.app, step, lease_seconds=60)
    await reap_steps(queue.desk)
    row = await queue.row(step.id)
    assert (row["state"], row["crashes"]) == ("running", 0)


async def test_a_heartbeat_wins_over_the_reaper_that_waits_for_it(queue: Queue, tenant_id: UUID) -> None:
    """Both at the same moment: the reaper judges the lease as the heartbeat left it."""
    step = await queue.claimed(tenant_id)
    await queue.expire(step.id)
    beating = queue.connection.transaction()
    await beating.start()
    await queue.connection.execute(
        "update step_leases set lease_until = now() + interval '1 minute' where step_id = $1", step.id
    )
    reaping = asyncio.create_task(reap_steps(queue.desk))
    await asyncio.wait({reaping}, timeout=0.3)
    await beating.commit()
    assert (await reaping).lost == 0
    assert (await queue.row(step.id))["state"] == "running"


async def test_the_reaper_leaves_a_step_that_is_just_being_ended(queue: Queue, tenant_id: UUID) -> None:
    """The lease has run out, but its worker is writing the end: no deadlock, no crash, one end."""
    step = await queue.claimed(tenant_id)
    await queue.expire(step.id)
    async with queue.app.tenant(tenant_id) as session:
        await end_step(session, step)
        reaped = await reap_steps(queue.desk)
    assert reaped.lost == 0
    row = await queue.row(step.id)
    assert (row["state"], row["crashes"]) == ("done", 0)


async def test_a_hand_back_counts_nothing(queue: Queue, tenant_id: UUID) -> None:
    """Twenty deploys are no failure."""
    [step_id] = await queue.steps(tenant_id)
    for _ in range(20):
        [ring] = await queue.pick()
        step = await queue.claim(ring)
        assert step is not None
        await hand_back(queue.app, step)
    row = await queue.row(step_id)
    assert (row["state"], row["attempt"], row["crashes"], row["ring_no"]) == ("ready", 0, 0, 20)


@pytest.mark.parametrize("how", ["handed back", "put off", "lost"])
async def test_a_poll_keeps_its_place_at_the_model(queue: Queue, tenant_id: UUID, how: str) -> None:
    """Its invocation is under way whatever became of the look: nobody else may take its place."""
    await queue.cap(MODEL, 1)
    await queue.steps(tenant_id, state="external", kind="poll", lane="async", capped_by=MODEL)
    [ring] = await queue.pick()
    step = await queue.claim(ring)
    assert step is not None
    if how == "handed back":
        await hand_back(queue.app, step)
    elif how == "put off":
        async with queue.app.tenant(tenant_id) as session:
            await put_off(session, step, seconds=0)
    else:
        await lose(queue, step.id)
    assert (await queue.row(step.id))["state"] == "external"
    await queue.steps(tenant_id, kind="submit", lane="async", capped_by=MODEL)
    assert [ring.step_id for ring in await queue.pick()] == [step.id]


async def test_two_crashes_isolate_and_two_alone_condemn(queue: Queue, tenant_id: UUID) -> None:
    """The fourth crash makes a dead letter, and a step that ends what it was for."""
    [step_id] = await queue.steps(tenant_id, take_id=tenant_id, generation_id=tenant_id)
    lanes = []
    for _ in range(4):
        [ring] = await queue.pick()
        lanes.append(ring.lane)
        assert await queue.claim(ring) is not None
        await lose(queue, step_id)
    assert lanes == ["generate", "generate", "isolation", "isolation"]
    row = await queue.row(step_id)
    assert (row["state"], row["crashes"], row["crashes_alone"]) == ("dead", 4, 2)
    [burial] = await queue.pick()
    assert burial.lane == "inspect"
    grave = await queue.row(burial.step_id)
    assert (grave["kind"], grave["subject_id"], grave["take_id"]) == ("bury", step_id, tenant_id)
    assert grave["details"] == {"kind": "generate"}


async def test_an_overdue_step_that_never_ran_does_not_wait_for_the_model(
    queue: Queue, tenant_id: UUID
) -> None:
    """It costs nothing to end; one that ran before may call the model again, so it keeps to the cap."""
    await queue.cap(MODEL, 1)
    await queue.steps(tenant_id, capped_by=MODEL, state="running")
    [fresh] = await queue.steps(tenant_id, capped_by=MODEL)
    [begun] = await queue.steps(tenant_id, capped_by=MODEL, fence=7)
    await queue.connection.execute("update steps set deadline_at = now() - interval '1 second'")
    await reap_steps(queue.desk)
    assert [ring.step_id for ring in await queue.pick()] == [fresh]
    assert (await queue.row(begun))["capped_by"] == MODEL
