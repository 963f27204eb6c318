"""Forty takes while processes are killed: every take ends once, nothing is lost, nothing is paid twice unseen."""

import asyncio
import random
from collections import Counter

import redis.asyncio

from tests.faults.rig import Rig
from tests.receiver import listening

SEED = 20261122
TAKES = 40


async def _strike(rig: Rig, luck: random.Random) -> None:
    """Kill something every second or so, and bring it back, until the caller has seen enough."""
    flush = redis.asyncio.Redis.from_url(rig.stack.redis_url)
    strikes = [
        "worker-1",
        "worker-2",
        "api",
        "worker-1",
        "valkey",
        "dispatcher",
        "worker-2",
        "flush",
        "worker-1",
    ]
    luck.shuffle(strikes)
    try:
        for name in strikes:
            await asyncio.sleep(luck.uniform(0.4, 1.2))
            if name == "flush":
                await flush.flushall()
            else:
                await rig.kill(name)
                await rig.restart(name)
    finally:
        await flush.aclose()


async def test_forty_takes_end_once_while_everything_is_killed(rig: Rig) -> None:
    """kill -9 of workers, the API, the dispatcher and Valkey, and FLUSHALL, in the middle of the run."""
    async with listening() as receiver:
        endpoint = await rig.listen(receiver)
        striking = asyncio.create_task(_strike(rig, random.Random(SEED)))
        generations = [
            await rig.generate(takes=10),
            await rig.generate("previs_shot", takes=4),
            await rig.generate(takes=10),
            await rig.generate(takes=16),
        ]
        await striking
        await rig.finished(*generations, seconds=90)
        await rig.check_books()
        await rig.check_told(receiver, endpoint)
    states = Counter((row["state"], row["failure_code"], row["billed"]) for row in await rig.mine("takes"))
    # a synchronous call that died with its worker is never repeated, and never booked as free
    assert set(states) <= {
        ("succeeded", None, "true"),
        ("failed", "outcome_unknown", "unknown"),
    }
    assert states.total() == TAKES
