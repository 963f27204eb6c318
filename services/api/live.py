"""Wakes requests that wait for a generation: one LISTEN for the whole process, a look every second as truth."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from circletake.kit import logs
from circletake.usecases.events import EVENTS_CHANNEL

log = logs.logger(__name__)

LOOK_SECONDS = 1.0


class LiveEvents:
    """`changed()` gives an event that is set whenever something happened to a subject (a generation's id)."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url.replace("postgresql+asyncpg", "postgresql")
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen(), name="live-events")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def changed(self, subject: str) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[subject].add(event)
        try:
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=5)
            except (OSError, asyncpg.PostgresError, TimeoutError):
                await asyncio.sleep(1)
                continue
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            try:
                await connection.add_listener(EVENTS_CHANNEL, self._notified)
                await lost.wait()
                log.warning("listen_lost")
            finally:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.close(timeout=1)

    def _notified(self, _: object, __: int, ___: str, subject: str) -> None:
        for event in self._waiting.get(subject, ()):
            event.set()


async def wait_changed(event: asyncio.Event, seconds: float) -> None:
    """Wait until something happened or it is time to look anyway."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), min(seconds, LOOK_SECONDS))
    event.clear()
