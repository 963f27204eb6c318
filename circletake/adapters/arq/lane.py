"""ARQ's worker, held to what a bell needs: read as many as can be answered, answer each once, keep nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Worker, func
from redis.exceptions import RedisError, ResponseError

from circletake.adapters.arq.bells import (
    FUNCTION,
    Bell,
    OddBell,
    is_job_id,
    job_id,
    no_result,
    queue_name,
    unpack,
)
from circletake.kit.logs import logger

OnBell = Callable[[UUID, UUID, int], Awaitable[None]]

_MOST_BELLS = 64  # at once, however many slots are free
_LOOK_PAST = (
    50  # bells at the head of the queue that others are just answering, or left behind when they were killed
)

_log = logger(__name__)


class LaneWorker(Worker):
    """An ARQ worker for one lane, to be driven from outside: `read_bells()` once per wake-up.

    Used of ARQ are its queue, its lock against two workers taking one bell, and its running of the callback within a
    time limit. Results, retries, aborting, cron, health keys and signal handlers are off.
    """

    def __init__(
        self,
        redis: ArqRedis,
        lane: str,
        *,
        free_slots: Callable[[], int],
        on_bell: OnBell,
        answered: Callable[[], None],
        bell_seconds: float,
    ) -> None:
        super().__init__(
            [func(self._answer, name=FUNCTION)],
            queue_name=queue_name(lane),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=_MOST_BELLS,
            job_timeout=bell_seconds,
            keep_result=0,
            max_tries=1,
            retry_jobs=False,
            allow_abort_jobs=False,
            job_serializer=no_result,
            job_deserializer=unpack,
            log_results=False,
            timezone=UTC,
        )
        # ARQ adds ten seconds. The lock outlives a killed worker, and its bell should not stand in the way for long.
        self.in_progress_timeout_s = bell_seconds + 2
        self._lane = lane
        self._free_slots = free_slots
        self._on_bell = on_bell
        self._answered = answered

    @property
    def max_jobs(self) -> int:
        """The free slots of this moment. ARQ compares it with the bells being answered before it takes each one.

        It must not be remembered from the beginning of a round: a bell that was answered since has taken its slot,
        and is no longer counted among those being answered.
        """
        return max(min(self._free_slots(), _MOST_BELLS), 0) if self.allow_pick_jobs else 0

    @max_jobs.setter
    def max_jobs(self, _: int) -> None:
        """Ignore the fixed number that ARQ's constructor sets."""

    async def read_bells(self) -> None:
        """Start as many bells as there are free slots, less those that are being answered. No slot, no command."""
        self.queue_read_limit = self.max_jobs + _LOOK_PAST
        await self._poll_iteration()

    def stop_reading(self) -> None:
        """Take no further bell, in the middle of a round too."""
        self.allow_pick_jobs = False

    async def settle(self) -> None:
        """Wait for the bells being answered, and set ARQ's counters right.

        ARQ counts a job before it asks Redis for it: an error in between leaves the count one too high for good, and
        after as many errors as there are slots the worker would never read again.
        """
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await asyncio.sleep(0)  # lets the done-callbacks, which count down, run first
        self.tasks.clear()
        self.job_counter = 0
        self.sem = asyncio.BoundedSemaphore(_MOST_BELLS + 1)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        odd = [raw for raw in job_ids if not is_job_id(raw)]
        if odd:
            await self._drop(odd, "not a bell's id")
        await super().start_jobs([raw for raw in job_ids if is_job_id(raw)])

    async def run_job(self, job_id: str, score: int) -> None:
        """Answer one bell. Never raises: the next round would take it for its own error."""
        try:
            if self.allow_pick_jobs:
                await super().run_job(job_id, score)
            else:  # taken just before the stop: unlocked, it is there for another worker
                await self.pool.delete(in_progress_key_prefix + job_id)
        except ResponseError:
            await self._drop([job_id.encode()], "another type of key")
        except (RedisError, OSError) as fault:
            _log.warning("bell_unfinished", lane=self._lane, name=job_id, reason=type(fault).__name__)

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self._answered()  # only now does the next round see the place as free

    async def heart_beat(self) -> None:
        """Write no health key, run no cron."""

    async def _answer(self, ctx: dict[Any, Any], bell: Bell | OddBell) -> None:
        if isinstance(bell, Bell) and ctx["job_id"] != job_id(bell.step_id, bell.ring_no):
            bell = OddBell("another step's id")
        if isinstance(bell, OddBell):
            _log.warning("bell_dropped", lane=self._lane, name=ctx["job_id"], reason=bell.reason)
            return
        if not self.allow_pick_jobs:
            return
        try:
            await self._on_bell(bell.tenant_id, bell.step_id, bell.ring_no)
        except Exception:  # noqa: BLE001 - the step stays as it was and is rung again; the lane goes on
            _log.failure("bell_failed", lane=self._lane, step_id=bell.step_id, ring_no=bell.ring_no)

    async def _drop(self, odd: Sequence[bytes], reason: str) -> None:
        try:
            async with self.pool.pipeline(transaction=True) as pipe:
                pipe.zrem(self.queue_name, *odd)
                pipe.delete(*(job_key_prefix.encode() + raw for raw in odd))
                await pipe.execute()
        except (RedisError, OSError) as fault:
            reason = f"{reason}; kept, {type(fault).__name__}"
        _log.warning("bell_dropped", lane=self._lane, count=len(odd), reason=reason)
