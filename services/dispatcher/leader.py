"""One dispatcher leads: whoever holds the advisory lock on a connection of its own."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

import asyncpg

from circletake.kit import logs
from circletake.usecases.events import STEPS_CHANNEL

log = logs.logger(__name__)

LOCK = 0x63697263  # "circ"
STANDBY_SECONDS = 2.0


class Led(Protocol):
    """What the leader does while it leads."""

    wake: asyncio.Event

    async def run(self) -> None: ...


async def lead(url: str, work: Led) -> None:
    """Wait for the lock, do the work while the connection holds it, wait again. Never returns by itself."""
    while True:
        try:
            connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"), timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            log.warning("database_away")
            await asyncio.sleep(STANDBY_SECONDS)
            continue
        try:
            await _lead_once(connection, work)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            log.warning("lead_lost")
            await asyncio.sleep(STANDBY_SECONDS)
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=1)


async def _lead_once(connection: Any, work: Led) -> None:
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 - freed elsewhere
        await asyncio.sleep(STANDBY_SECONDS)
    log.info("leading")
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    await connection.add_listener(STEPS_CHANNEL, lambda *_: work.wake.set())
    working = asyncio.create_task(work.run())
    losing = asyncio.create_task(lost.wait())
    try:
        # the lock goes with the connection: whoever lost it must stop before the next one starts
        await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, losing):
            task.cancel()
        ended, _ = await asyncio.gather(working, losing, return_exceptions=True)
        if isinstance(ended, Exception):
            log.failure("work_ended", ended)
            await asyncio.sleep(STANDBY_SECONDS)
