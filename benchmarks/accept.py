"""Accept throughput: requests a second that are committed and answered 202, against a bare route's.

The dispatcher and the workers are stopped meanwhile, so that they take the processor from neither side; the load
generator, Postgres and the number of connections are the same for both.
"""

import asyncio
import json
import socket
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.load import Plan
from benchmarks.report import Measure, spread
from benchmarks.studio import Studio, connect, quiet

AIM = 0.4
CONNECTIONS = 8
ROUNDS = 5
SECONDS = 3.0
_REPOSITORY = Path(__file__).resolve().parents[1]


async def measure(studio: Studio) -> list[Measure]:
    await quiet(studio.stack, "dispatcher", "worker")
    api = studio.stack.facts.ports["api"]
    async with _bare_route(studio) as bare:
        ours = _plan(studio, api, "/v1/generations", SECONDS)
        theirs = _plan(studio, bare, "/requests", SECONDS)
        await _load(_plan(studio, api, "/v1/generations", 2.0))
        await _load(_plan(studio, bare, "/requests", 2.0))
        pairs = [(await _load(ours), await _load(theirs)) for _ in range(ROUNDS)]
    ratios = [mine / bare for mine, bare in pairs]
    told = (
        f"{spread(ratios)}; requests/s {statistics.median(mine for mine, _ in pairs):.0f}"
        f" against {statistics.median(bare for _, bare in pairs):.0f}"
    )
    return [
        Measure("accept_throughput_ratio", statistics.median(ratios), "ratio", AIM, "higher", told),
    ]


def _plan(studio: Studio, port: int, path: str, seconds: float) -> Plan:
    body = json.dumps(studio.work(1))
    return Plan("127.0.0.1", port, path, studio.headers, body, CONNECTIONS, seconds)


async def _load(plan: Plan) -> float:
    """Return accepted requests a second."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", stdin=PIPE, stdout=PIPE, cwd=_REPOSITORY
    )
    out, _ = await child.communicate(json.dumps(asdict(plan)).encode())
    tally: dict[str, Any] = json.loads(out)
    if set(tally["statuses"]) != {"202"}:
        raise RuntimeError(f"not every request was accepted: {tally['statuses']}")
    if tally["cpu_seconds"] > 0.6 * tally["seconds"]:
        print(f"  the load generator used {tally['cpu_seconds'] / tally['seconds']:.0%} of a processor")
    return float(tally["statuses"]["202"] / tally["seconds"])


@asynccontextmanager
async def _bare_route(studio: Studio) -> AsyncIterator[int]:
    """Run the bare route on a database of its own in the same Postgres; yields its port."""
    connection = await connect(studio.stack, "postgres")
    await connection.execute("create database bench")
    await connection.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"BENCH_DATABASE_URL": studio.stack.superuser_url("bench"), "PYTHONPATH": str(_REPOSITORY)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bare_route", str(port), env=environment, cwd=_REPOSITORY
    )
    try:
        await _listening(port)
        yield port
    finally:
        child.terminate()
        await child.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return
