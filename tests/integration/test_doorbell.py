"""Bells between the dispatcher's and the workers' side, over a real valkey-server."""

import asyncio
import json
import logging
import os
import pickle
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from arq.connections import RedisSettings, create_pool
from redis.asyncio import Redis

from circletake.adapters.arq.doorbell import ArqDoorbell, DoorbellUnreachable
from circletake.adapters.arq.worker import BellWorker
from circletake.kit.ids import new_id
from tests.integration.doorbell_server import Valkey

LANE = "generate"
Ring = tuple[UUID, UUID, int]


def a_ring(number: int = 1) -> Ring:
    return new_id(), new_id(), number


class Process:
    """A worker process as the lane sees it: slots, and the bells that were answered."""

    def __init__(self, slots: int = 8) -> None:
        self.slots = slots
        self.answered: asyncio.Queue[Ring] = asyncio.Queue()
        self.worker: BellWorker | None = None
        self.on_bell: Callable[[Ring], None] = lambda _: None

    def free_slots(self) -> int:
        return self.slots

    async def answer(self, tenant_id: UUID, step_id: UUID, ring_no: int) -> None:
        self.on_bell((tenant_id, step_id, ring_no))
        self.answered.put_nowait((tenant_id, step_id, ring_no))

    def take_slot(self, _: Ring) -> None:
        self.slots -= 1
        assert self.slots >= 0, "more bells were taken than there are slots"

    def free_slot(self) -> None:
        self.slots += 1
        assert self.worker is not None
        self.worker.slot_freed()

    async def next(self) -> Ring:
        async with asyncio.timeout(20):
            return await self.answered.get()

    async def some(self, count: int) -> list[Ring]:
        return [await self.next() for _ in range(count)]


@asynccontextmanager
async def listening(
    valkey: Valkey, process: Process, lane: str = LANE, **options: float
) -> AsyncIterator[BellWorker]:
    settings = {"poll_seconds": 0.5} | options
    worker = BellWorker(valkey.url, lane, free_slots=process.free_slots, on_bell=process.answer, **settings)
    process.worker = worker
    running = asyncio.create_task(worker.run())
    try:
        yield worker
        assert not running.done(), "the lane gave up"
    finally:
        worker.stop()
        async with asyncio.timeout(20):
            await running
            await worker.close()


@pytest.fixture
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def doorbell(valkey: Valkey) -> AsyncIterator[ArqDoorbell]:
    made = ArqDoorbell(valkey.url)
    yield made
    await made.close()


@pytest.fixture
async def client(valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as made:
        yield made


async def in_queue(client: Redis, lane: str = LANE) -> int:
    return int(await client.zcard(f"circletake:{lane}"))


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Ask a server that can't tell by itself, until it says yes."""
    async with asyncio.timeout(20):
        while not await done():  # noqa: ASYNC110 - another process's state has no event
            await asyncio.sleep(0.01)


async def emptied(client: Redis) -> None:
    """Wait until the queue is empty: a bell is removed a moment after it was answered."""

    async def empty() -> bool:
        return await in_queue(client) == 0

    await until(empty)


async def subscribed(client: Redis, lane: str = LANE) -> None:
    """Wait until a worker listens for pushes."""

    async def listened_to() -> bool:
        return bool((await client.pubsub_numsub(f"circletake:{lane}:bell"))[0][1])

    await until(listened_to)


async def test_a_bell_brings_its_ids(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """What the dispatcher rings for is what the worker is handed, and nothing of it stays in Redis."""
    process, bell = Process(), a_ring(7)
    async with listening(valkey, process):
        await doorbell.ring(LANE, [bell])
        assert await process.next() == bell
        await emptied(client)
    assert await client.keys("*") == []


async def test_a_bell_rung_before_anybody_listened_is_heard(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """A worker that starts later finds the bells that wait."""
    process, bells = Process(), [a_ring() for _ in range(5)]
    await doorbell.ring(LANE, bells)
    async with listening(valkey, process):
        assert sorted(await process.some(5)) == sorted(bells)


async def test_a_push_is_heard_without_the_poll(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """A worker whose poll comes once in ten minutes hears a bell all the same."""
    process = Process()
    async with listening(valkey, process, poll_seconds=600):
        await subscribed(client)
        await doorbell.ring(LANE, [first := a_ring()])
        assert await process.next() == first
        await doorbell.ring(LANE, [second := a_ring()])
        assert await process.next() == second


async def test_the_poll_finds_a_bell_whose_push_was_lost(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """Without the push - the job alone is put into the queue - the bell is answered by the poll."""
    process, bell = Process(), a_ring()
    await doorbell.ring("elsewhere", [bell])
    async with listening(valkey, process):
        await subscribed(client)
        await client.rename("circletake:elsewhere", f"circletake:{LANE}")
        assert await process.next() == bell


async def test_the_same_ring_twice_is_harmless(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """A ring that is repeated while it waits is one bell; repeated after it was answered it is simply heard again."""
    process, bell = Process(), a_ring()
    await doorbell.ring(LANE, [bell])
    await doorbell.ring(LANE, [bell, bell])
    assert await in_queue(client) == 1
    async with listening(valkey, process):
        assert await process.next() == bell
        await emptied(client)
        await doorbell.ring(LANE, [bell])
        assert await process.next() == bell


async def test_no_more_bells_than_free_slots(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """Three slots take three bells; the others wait in the queue until a slot is freed, then each is taken once."""
    process, bells = Process(slots=3), [a_ring() for _ in range(10)]
    process.on_bell = process.take_slot
    await doorbell.ring(LANE, bells)
    async with listening(valkey, process):
        heard = await process.some(3)
        await doorbell.ring(LANE, [a_ring()])  # a push with no free slot takes nothing
        await valkey.let_pass(1.5)
        assert process.answered.empty()
        assert await in_queue(client) == 8
        for _ in range(8):
            process.free_slot()
            heard.append(await process.next())
    assert len(set(heard)) == 11


async def test_a_freed_slot_is_enough_to_be_woken(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """A bell that waits for a slot is taken when one is freed, though no push and no poll comes."""
    process = Process(slots=1)
    process.on_bell = process.take_slot
    async with listening(valkey, process, poll_seconds=600):
        await subscribed(client)
        await doorbell.ring(LANE, [a_ring() for _ in range(5)])
        await process.next()
        for _ in range(4):
            process.free_slot()
            await process.next()


async def test_two_workers_share_a_lane(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """Every bell of a burst is answered by one of two workers, none by both."""
    one, two = Process(slots=20), Process(slots=20)
    two.answered = one.answered
    bells = [a_ring() for _ in range(60)]
    async with listening(valkey, one), listening(valkey, two):
        await doorbell.ring(LANE, bells)
        assert sorted(await one.some(60)) == sorted(bells)
        await valkey.let_pass(0.3)
        assert one.answered.empty()


async def test_lanes_are_apart(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """Several lanes in one process hear their own bells only."""
    generate, notify = Process(), Process()
    async with listening(valkey, generate, "generate"), listening(valkey, notify, "notify"):
        await doorbell.ring("notify", [told := a_ring()])
        await doorbell.ring("generate", [asked := a_ring()])
        assert (await generate.next(), await notify.next()) == (asked, told)
    assert generate.answered.empty()
    assert notify.answered.empty()


async def test_after_flushall_a_new_ring_is_heard(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """Bells that were lost with all of Redis's data come with the next ring."""
    process, bell = Process(slots=0), a_ring(1)
    async with listening(valkey, process):
        await subscribed(client)
        await doorbell.ring(LANE, [bell])
        await client.flushall()
        process.free_slot()
        await doorbell.ring(LANE, [(bell[0], bell[1], 2)])
        assert await process.next() == (bell[0], bell[1], 2)


async def test_a_redis_restart_is_survived_again_and_again(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """Redis is killed and started empty several times: worker and doorbell go on by themselves, with all slots."""
    process = Process(slots=2)
    async with listening(valkey, process):
        for number in range(1, 5):
            await doorbell.ring(LANE, [first := a_ring(number), second := a_ring(number)])
            assert sorted(await process.some(2)) == sorted([first, second])
            valkey.kill()
            with pytest.raises(DoorbellUnreachable):
                await doorbell.ring(LANE, [a_ring()])
            await valkey.start()
        async with Redis.from_url(valkey.url) as client:
            await subscribed(client)  # the push works again too, not only the poll


async def test_errors_in_the_middle_of_a_round_cost_no_slot(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """When Redis refuses the command between finding a bell and taking it, again and again, the slot isn't lost."""
    process = Process(slots=1)
    async with listening(valkey, process):
        await subscribed(client)
        await client.execute_command("ACL", "SETUSER", "default", "-watch")
        bell = a_ring()
        await doorbell.ring(LANE, [bell])
        await valkey.let_pass(1)
        assert process.answered.empty()
        await client.execute_command("ACL", "SETUSER", "default", "+watch")
        assert await process.next() == bell
        await doorbell.ring(LANE, [another := a_ring()])
        assert await process.next() == another


async def test_a_crash_of_redis_in_a_burst_costs_no_slot(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """Redis is killed while a burst is being answered; afterwards the worker answers with all its slots."""
    process = Process(slots=4)
    process.on_bell = lambda _: valkey.kill()
    async with listening(valkey, process):
        await doorbell.ring(LANE, [a_ring() for _ in range(200)])
        await process.next()
        process.on_bell = process.take_slot
        process.answered = asyncio.Queue()
        await valkey.start()
        bells = [a_ring() for _ in range(4)]
        await doorbell.ring(LANE, bells)
        assert sorted(await process.some(4)) == sorted(bells)


async def test_a_worker_may_start_before_redis(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """A worker that finds no Redis waits for it."""
    valkey.kill()
    process = Process()
    async with listening(valkey, process):
        with pytest.raises(DoorbellUnreachable):
            await doorbell.ring(LANE, [a_ring()])
        await valkey.start()
        await doorbell.ring(LANE, [bell := a_ring()])
        assert await process.next() == bell


async def test_a_redis_that_hangs_is_reported_and_survived(valkey: Valkey) -> None:
    """A server that accepts and doesn't answer is an error in a bounded time, not a hang, and all goes on after it."""
    doorbell, process = ArqDoorbell(valkey.url, command_seconds=0.3), Process()
    assert valkey.process is not None
    async with listening(valkey, process, command_seconds=0.3):
        await doorbell.ring(LANE, [a_ring()])
        await process.next()
        os.kill(valkey.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DoorbellUnreachable):
                await doorbell.ring(LANE, [a_ring()])
        finally:
            os.kill(valkey.process.pid, signal.SIGCONT)
        bell = a_ring()
        await doorbell.ring(LANE, [bell])
        while await process.next() != bell:
            pass
    await doorbell.close()


async def test_a_failing_answer_doesn_t_end_the_lane(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """When the claim fails, that is logged, and the next bell is answered."""
    process = Process()
    broken = a_ring()

    def fail(bell: Ring) -> None:
        if bell == broken:
            raise LookupError("the database is away")

    process.on_bell = fail
    async with listening(valkey, process):
        await doorbell.ring(LANE, [broken])
        await doorbell.ring(LANE, [good := a_ring()])
        assert await process.next() == good
        await emptied(client)
    assert [record.msg for record in caplog.records if record.name.startswith("circletake")] == [
        "bell_failed"
    ]


async def test_an_answer_that_takes_too_long_is_ended(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """A claim that hangs is cancelled after the limit and its place is given to the next bell."""
    process = Process(slots=1)
    slow, hung = a_ring(), asyncio.Event()
    answer = process.answer

    async def hang(tenant_id: UUID, step_id: UUID, ring_no: int) -> None:
        if step_id == slow[1]:
            try:
                await asyncio.Event().wait()
            finally:
                hung.set()
        await answer(tenant_id, step_id, ring_no)

    process.answer = hang  # type: ignore[method-assign]
    async with listening(valkey, process, bell_seconds=0.3):
        await doorbell.ring(LANE, [slow])
        await doorbell.ring(LANE, [good := a_ring()])
        assert await process.next() == good
    assert hung.is_set()


class Bomb:
    """Unpickling this leaves a trace."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (self.trace,)


async def test_what_is_not_a_bell_is_dropped_and_never_run(
    valkey: Valkey,
    doorbell: ArqDoorbell,
    client: Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pickles, other functions, odd ids, odd types and garbage leave the queue with a log line; bells go on."""
    caplog.set_level(logging.DEBUG)
    trace = tmp_path / "ran"
    tenant, step = str(new_id()), str(new_id())
    good = {"t": None, "f": "bell", "a": [tenant, step, "1"], "k": {}, "et": 1}
    payloads: list[bytes] = [
        pickle.dumps({"t": None, "f": "bell", "a": (Bomb(str(trace)),), "k": {}, "et": 1}),
        b"",
        b"[" * 400,
        b'"hush-hush"',
        b"x" * 100_000,
        *(
            json.dumps(good | odd).encode()
            for odd in (
                {"f": "os.system"},
                {"a": ["hush-hush"]},
                {"a": [tenant, step, 1]},
                {"a": [tenant, "{" + step + "}", "1"]},
                {"a": [tenant, step, "٣"]},
                {"k": {"hush": "hush-hush"}},
                {"t": 3},
                {"et": 10**30},
                {"et": "now"},
                {"a": [tenant, str(new_id()), "1"]},  # another step than the job's id says
                {"more": "hush-hush"},
            )
        ),
    ]
    queue = f"circletake:{LANE}"
    for number, payload in enumerate(payloads):
        await client.set(f"arq:job:{step}:{number}", payload)
        await client.zadd(queue, {f"{step}:{number}": 1})
    for name in (b"not-an-id", b"\xff\xfe", f"{step}:-1".encode(), f"{step.upper()}:1".encode() + b" ", b""):
        await client.zadd(queue, {name: 1})
    await client.rpush(f"arq:job:{step}:98", "a list")
    await client.set(f"arq:retry:{step}:99", "not a number")
    await client.set(f"arq:job:{step}:99", json.dumps(good | {"a": [tenant, step, "99"]}))
    await client.zadd(queue, {f"{step}:97": 1, f"{step}:98": 1, f"{step}:99": 1})  # 97 has expired
    pool = await create_pool(RedisSettings(port=valkey.port))
    await pool.enqueue_job("bell", Bomb(str(trace)), _queue_name=queue)
    await pool.aclose()

    process = Process()
    async with listening(valkey, process):
        await emptied(client)
        await doorbell.ring(LANE, [bell := a_ring()])
        assert await process.next() == bell
        await emptied(client)
    assert process.answered.empty()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    assert await client.keys("arq:job:*") == []
    dropped = [record for record in caplog.records if record.msg == "bell_dropped"]
    assert len(dropped) >= len(payloads)
    assert "hush-hush" not in caplog.text
    assert str(bell[0]) not in caplog.text  # ARQ's own lines show no arguments either


async def test_at_rest_redis_is_left_in_peace(valkey: Valkey) -> None:
    """Two idle lanes with a poll twice a second cost a handful of commands a second."""
    one, two = Process(), Process()
    async with listening(valkey, one), listening(valkey, two, "notify"):
        before = await valkey.commands()
        await valkey.let_pass(3)
        spent = await valkey.commands() - before
    assert 6 <= spent <= 3 * 10


async def test_a_full_worker_sends_nothing(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """Without a free slot the queue isn't even looked at, however many bells wait."""
    process = Process(slots=0)
    await doorbell.ring(LANE, [a_ring() for _ in range(100)])
    async with listening(valkey, process):
        await subscribed(client)
        before = await valkey.commands()
        await valkey.let_pass(2)
        spent = await valkey.commands() - before
    assert spent <= 8  # those of the measurement itself


async def test_bells_left_by_a_killed_worker_don_t_block_a_narrow_lane(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """A lane with one slot looks past bells whose worker was killed while it answered them."""
    process = Process(slots=1)
    left = [a_ring() for _ in range(10)]
    await doorbell.ring(LANE, left)
    for _, step_id, number in left:
        await client.set(f"arq:in-progress:{step_id}:{number}", b"1", ex=600)
    async with listening(valkey, process):
        await doorbell.ring(LANE, [bell := a_ring()])
        assert await process.next() == bell
        before = await valkey.commands()
        await valkey.let_pass(2)
        assert await valkey.commands() - before < 2 * 120
    assert process.answered.empty()


async def test_after_stop_polling_no_bell_is_taken(
    valkey: Valkey, doorbell: ArqDoorbell, client: Redis
) -> None:
    """A worker that is told to stop takes nothing more, not even the rest of a burst it is in; another one does."""
    leaving, staying = Process(slots=50), Process(slots=50)
    bells = [a_ring() for _ in range(30)]
    async with listening(valkey, leaving) as worker:
        leaving.on_bell = lambda _: worker.stop_polling()
        await doorbell.ring(LANE, bells)
        heard = [await leaving.next()]
        await doorbell.ring(LANE, [more := a_ring()])
        await valkey.let_pass(1)
        assert leaving.answered.empty()
    async with listening(valkey, staying):
        heard += await staying.some(await in_queue(client))
    assert more in heard
    assert len(heard) == len(set(heard)) >= 2


async def test_many_bells_are_one_ring(valkey: Valkey, doorbell: ArqDoorbell, client: Redis) -> None:
    """A burst of hundreds is rung in a few transactions, carries ids only, and each bell ends by itself in minutes."""
    bells = [a_ring() for _ in range(1200)]
    async with client.pubsub() as pushes:
        await pushes.subscribe(f"circletake:{LANE}:bell")
        await doorbell.ring(LANE, bells)
        received = [await pushes.get_message(timeout=5) for _ in range(4)]
    assert [int(push["data"]) for push in received[1:]] == [500, 500, 200]
    assert await in_queue(client) == 1200
    tenant_id, step_id, number = bells[0]
    key = f"arq:job:{step_id}:{number}"
    assert 0 < await client.pttl(key) <= 600_000
    job = json.loads(await client.get(key))
    assert (job["f"], job["a"], job["k"]) == ("bell", [str(tenant_id), str(step_id), "1"], {})


async def test_nothing_to_ring_needs_no_redis(valkey: Valkey, doorbell: ArqDoorbell) -> None:
    """An empty ring is no error even when Redis is away."""
    valkey.kill()
    await doorbell.ring(LANE, [])


async def test_bells_nobody_will_answer_are_swept(doorbell: ArqDoorbell, client: Redis) -> None:
    """Places in the queue whose job has expired are removed by the next ring, so an idle lane doesn't grow."""
    await client.zadd(f"circletake:{LANE}", {f"{new_id()}:{number}": 1_000_000 for number in range(50)})
    await doorbell.ring(LANE, [a_ring()])
    assert await in_queue(client) == 1
