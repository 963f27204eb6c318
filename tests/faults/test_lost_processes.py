"""Workers that are stopped, frozen or lost, and a database or bucket that goes away, in the middle of work."""

import asyncio
import contextlib
import re
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from tests.faults.rig import Rig, scratch_of
from tests.receiver import listening

OPEN_CALL = (
    "select exists (select 1 from invocations i join takes t on t.id = i.take_id where t.generation_id = $1)"
)


async def holder(rig: Rig, generation: str, kind: str = "%", seconds: float = 30) -> str:
    """Wait until a worker holds a step of the generation; return its name in the stack."""
    query = (
        "select l.worker from step_leases l join steps s on s.id = l.step_id"
        " where s.generation_id = $1 and s.kind like $2 and s.state = 'running' and l.lease_until > now() limit 1"
    )
    async with asyncio.timeout(seconds):
        found: list[Any] = []
        while not found:
            await asyncio.sleep(0.02)
            found = await rig.rows(query, uuid.UUID(generation), kind)
    shown = re.sub(r"@.*", "", found[0]["worker"])
    return "worker-isolation" if shown == "isolation" else shown


def ending(take: dict[str, Any]) -> tuple[str, str | None]:
    return take["state"], take["failure_code"]


async def crashed(rig: Rig, generation: str, times: int) -> None:
    """Wait until the reaper has counted this many crashes of the generation's step."""
    query = "select exists (select 1 from steps where generation_id = $1 and crashes >= $2)"
    await rig.until(query, uuid.UUID(generation), times)


@contextlib.asynccontextmanager
async def stuck(rig: Rig, generation: str) -> AsyncIterator[Any]:
    """Hold the generation's row, so that whoever begins a step of it waits, with its lease kept up."""
    connection = await asyncpg.connect(rig.stack.superuser_url("circletake", driver="postgresql"))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select 1 from generations where id = $1 for update", uuid.UUID(generation))
        yield connection
    finally:
        await connection.close()


async def test_sigterm_waits_for_a_paid_call_and_hands_back_the_rest(rig: Rig) -> None:
    """The call in flight is recorded, nothing is called twice, and no step counts an attempt or a crash for it."""
    await rig.fault("stall", operation="InvokeModel", seconds=1.5, count=1)
    generation = await rig.generate(takes=6)
    await rig.until(OPEN_CALL, uuid.UUID(generation))
    name = await holder(rig, generation)
    await rig.restart(name)
    await rig.finished(generation)
    assert [take["state"] for take in await rig.takes(generation)] == ["succeeded"] * 6
    assert len(await rig.calls()) == 6
    steps = await rig.mine("steps", "take_id is not null")
    assert {(step["attempt"], step["crashes"]) for step in steps} == {(1, 0)}
    await rig.check_books()


async def test_a_paid_call_that_outlasts_the_grace_is_perhaps_paid(rig: Rig) -> None:
    """The worker ends in its time; the take says that nobody knows, and the step wasn't to blame."""
    await rig.fault("stall", operation="InvokeModel", seconds=20, count=1)
    generation = await rig.generate()
    await rig.until(OPEN_CALL, uuid.UUID(generation))
    name = await holder(rig, generation)
    await rig.kill(name, signal.SIGTERM)
    await rig.finished(generation, seconds=15)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", "outcome_unknown", "unknown")
    assert len(await rig.calls()) == 1
    assert {step["crashes"] for step in await rig.mine("steps")} == {0}
    await rig.ended(name)
    await rig.check_books()


async def test_a_worker_that_wakes_after_its_lease_writes_nothing(rig: Rig) -> None:
    """Frozen while it finishes a take, it is replaced; when it goes on, the take has one file all the same."""
    generation = await rig.generate(takes=8)
    while True:
        name = await holder(rig, generation, "finish")
        await rig.kill(name, signal.SIGSTOP)
        held = await rig.rows(
            "select s.id from step_leases l join steps s on s.id = l.step_id"
            " where s.generation_id = $1 and l.worker like $2 || '@%' and s.state = 'running'",
            uuid.UUID(generation),
            name,
        )
        if held:
            break
        await rig.kill(name, signal.SIGCONT)
    try:
        await rig.finished(generation)
    finally:
        await rig.kill(name, signal.SIGCONT)
    assert {step["id"] for step in await rig.mine("steps", "crashes > 0")} >= {row["id"] for row in held}
    # the zombie is asked to do something new, and by then has noticed what it lost
    after = await rig.generate(takes=8)
    await rig.finished(after)
    # a call that was in flight in the frozen worker is the only thing that nobody can know
    assert {ending(take) for take in await rig.takes(generation)} <= {
        ("succeeded", None),
        ("failed", "outcome_unknown"),
    }
    assert {ending(take) for take in await rig.takes(after)} == {("succeeded", None)}
    await rig.check_books()


async def test_poison_is_isolated_and_its_neighbours_are_not_condemned(rig: Rig) -> None:
    """A step that takes its worker down with it dies alone; what only stood beside it succeeds."""
    await rig.kill("worker-2")  # so that both are in one worker
    poison, neighbour = await rig.generate(), await rig.generate()
    async with stuck(rig, poison):
        async with stuck(rig, neighbour):
            for crash in (1, 2):
                assert await holder(rig, poison) == await holder(rig, neighbour) == "worker-1"
                await rig.kill("worker-1")
                await rig.restart("worker-1")
                await crashed(rig, poison, crash)
                await crashed(rig, neighbour, crash)
        for crash in (3, 4):
            assert await holder(rig, poison) == "worker-isolation"
            await rig.kill("worker-isolation")
            await rig.restart("worker-isolation")
            await crashed(rig, poison, crash)
    await rig.finished(poison, neighbour)
    take = await rig.take(poison)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", "dead_letter", "false")
    assert (await rig.take(neighbour))["state"] == "succeeded"
    [dead] = await rig.mine("steps", "state = 'dead'")
    assert (dead["crashes"], dead["crashes_alone"], dead["lane"]) == (4, 2, "isolation")
    await rig.check_books()


async def test_a_killed_workers_pictures_are_not_left_lying(rig: Rig) -> None:
    """The next worker on the machine removes what was in its folder, and nothing of the living."""
    before = await three_folders(rig, other_than=set())
    generation = await rig.generate(takes=6)
    name = await holder(rig, generation, "finish")
    await rig.kill(name)
    await rig.restart(name)
    after = await three_folders(rig, other_than=before)
    assert len(before & after) == 2
    await rig.finished(generation)
    await rig.check_books()


async def three_folders(rig: Rig, *, other_than: set[str]) -> set[str]:
    """Wait until there is one folder for each of the three workers; return their names."""
    names: set[str] = set()
    async with asyncio.timeout(30):
        while len(names) != 3 or names == other_than:
            await asyncio.sleep(0.1)
            names = {folder.name for folder in scratch_of(rig.stack).iterdir()}
    return names


async def test_a_database_restart_loses_nothing(rig: Rig) -> None:
    """Takes in the middle of a call, a poll or a signature are all finished after it; no picture is paid for nothing."""
    async with listening() as receiver:
        endpoint = await rig.listen(receiver)
        await rig.fault("stall", operation="InvokeModel", seconds=3, count=4)
        generations = [await rig.generate(takes=8), await rig.generate("previs_shot", takes=2)]
        await rig.until(OPEN_CALL, uuid.UUID(generations[0]))
        await rig.restart("postgres")
        await rig.finished(*generations)
        states = Counter([ending(take) for each in generations for take in await rig.takes(each)])
        assert states == {("succeeded", None): 10}
        assert len(await rig.calls()) == 8
        await rig.check_books()
        await rig.check_told(receiver, endpoint)


async def test_a_bucket_that_is_away_is_waited_for(rig: Rig) -> None:
    """Pictures that were paid meanwhile are kept until they can be stored, and sessions are made anew."""
    await rig.fault("stall", operation="InvokeModel", seconds=1, count=4)
    generation = await rig.generate(takes=8)
    await rig.until(OPEN_CALL, uuid.UUID(generation))
    await rig.kill("s3")
    await asyncio.sleep(4)  # the outage itself
    await rig.restart("s3")
    await rig.finished(generation)
    assert Counter([ending(take) for take in await rig.takes(generation)]) == {("succeeded", None): 8}
    assert len(await rig.calls()) == 8
    await rig.check_books()


async def test_work_waits_for_a_dispatcher_that_is_away(rig: Rig) -> None:
    """What was accepted without one is done as soon as there is one again."""
    await rig.kill("dispatcher")
    generation = await rig.generate(takes=2)
    await rig.restart("dispatcher")
    await rig.finished(generation)
    await rig.check_books()
