"""Listens: waits for a lane's bells and hands each to the process that has a free slot for it."""

import asyncio
import random
import time
from collections.abc import Callable

from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from circletake.adapters.arq.bells import channel_name
from circletake.adapters.arq.connection import connect
from circletake.adapters.arq.lane import LaneWorker, OnBell
from circletake.kit.backoff import exponential
from circletake.kit.logs import logger

_QUIET_SECONDS = 20.0  # then the subscription is asked for a sign of life
_LONGEST_PAUSE_SECONDS = 5.0

_log = logger(__name__)


class BellWorker:
    """One lane's ear. Several run in one event loop, each with its own connections; construct it inside the loop.

    `free_slots()` says how many steps the process could take now. `on_bell(tenant_id, step_id, ring_no)` reserves a
    slot, claims the step, hands it to the process's own runner and returns; what takes longer than `bell_seconds` is
    cancelled. A bell may come twice or not at all: the claim decides, and the dispatcher rings again.

    Woken by a push, by `slot_freed()`, and every `poll_seconds` as the net under both. Loss, restart or emptying of
    Redis is waited out.
    """

    def __init__(
        self,
        redis_url: str,
        lane: str,
        *,
        free_slots: Callable[[], int],
        on_bell: OnBell,
        poll_seconds: float = 1.0,
        bell_seconds: float = 10.0,
        connect_seconds: float = 1.0,
        command_seconds: float = 2.0,
    ) -> None:
        self._lane = lane
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._redis = connect(redis_url, connect_seconds=connect_seconds, command_seconds=command_seconds)
        self._worker = LaneWorker(
            self._redis,
            lane,
            free_slots=free_slots,
            on_bell=on_bell,
            answered=self._wake.set,
            bell_seconds=bell_seconds,
        )

    async def run(self) -> None:
        """Answer bells until `stop()`; then wait for those being answered, at most `bell_seconds`."""
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(self._listen(), name=f"listen {self._lane}")
            try:
                await self._read()
            finally:
                listener.cancel()
        await self._worker.settle()

    def slot_freed(self) -> None:
        """Say that a step has ended: there may be a bell waiting for its slot."""
        self._wake.set()

    def stop_polling(self) -> None:
        """Answer no further bell, at once; those being answered go on. Cheap enough for a signal handler."""
        self._worker.stop_reading()

    def stop(self) -> None:
        """End `run()`."""
        self.stop_polling()
        self._stopped.set()
        self._wake.set()

    async def close(self) -> None:
        """Stop, and close the connections. `run()` should have ended."""
        self.stop()
        await self._worker.settle()
        await self._redis.aclose(close_connection_pool=True)

    async def _read(self) -> None:
        outage = _Outage(self._lane, "queue")
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                await self._worker.read_bells()
            except Exception as fault:  # noqa: BLE001 - whatever Redis or the wire does, the lane waits and goes on
                pause = outage.failed(fault)
                await self._worker.settle()
                await _wait(self._stopped, pause)
            else:
                outage.over()
                await _wait(self._wake, self._poll_seconds)

    async def _listen(self) -> None:
        outage = _Outage(self._lane, "subscription")
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await self._follow(subscription, outage)
            except Exception as fault:  # noqa: BLE001 - as above; meanwhile the poll finds the bells
                await asyncio.sleep(outage.failed(fault))

    async def _follow(self, subscription: PubSub, outage: "_Outage") -> None:
        await subscription.subscribe(channel_name(self._lane))
        asked = False
        while True:
            message = await subscription.get_message(timeout=_QUIET_SECONDS)
            if message is None:
                if asked:  # a dropped connection can look like a quiet one
                    raise RedisConnectionError("no sign of life")
                await subscription.ping()
            elif message["type"] in {
                "subscribe",
                "message",
            }:  # subscribed: bells may have rung while we were deaf
                outage.over()
                self._wake.set()
            asked = message is None


class _Outage:
    """Logs the beginning and the end of an outage, and says how long to pause in it."""

    def __init__(self, lane: str, part: str) -> None:
        self._lane, self._part = lane, part
        self._failures = 0
        self._since = 0.0

    def failed(self, fault: Exception) -> float:
        """Return the pause in seconds; call it in the handler."""
        self._failures += 1
        if self._failures == 1:
            self._since = time.monotonic()
            log = _log.warning if isinstance(fault, RedisError | OSError) else _log.failure
            log("redis_lost", lane=self._lane, name=self._part, reason=type(fault).__name__)
        # the jitter keeps a fleet from coming back as one
        attempt = min(self._failures, 20)  # an outage of hours must not overflow the doubling
        return exponential(attempt, first=0.2, most=_LONGEST_PAUSE_SECONDS, jitter=random.random())  # noqa: S311

    def over(self) -> None:
        if self._failures:
            seconds = round(time.monotonic() - self._since, 1)
            _log.info("redis_back", lane=self._lane, name=self._part, seconds=seconds)
            self._failures = 0


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
