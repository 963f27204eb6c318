"""Rings: puts bells into a lane's ARQ queue and wakes its workers."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from arq.constants import job_key_prefix
from arq.utils import timestamp_ms
from redis.exceptions import RedisError

from circletake.adapters.arq.bells import LIFETIME_SECONDS, Bell, channel_name, job_id, pack, queue_name
from circletake.adapters.arq.connection import connect

_AT_ONCE = 500  # bells per round trip
# ARQ takes a job only once its score lies in the past of the worker's own clock. Scores are set a minute back, so that
# a worker whose clock is behind doesn't wait; among themselves bells keep their order.
_CLOCK_SLACK_MS = 60_000


class DoorbellUnreachable(ConnectionError):
    """Redis can't be reached; the bells may or may not be there. Ring again later: a bell twice does no harm."""


class ArqDoorbell:
    """The Doorbell port over ARQ. One round trip to Redis for many bells; reconnects by itself."""

    def __init__(
        self,
        redis_url: str,
        *,
        connect_seconds: float = 1.0,
        command_seconds: float = 2.0,
        ring_seconds: float = 5.0,
    ) -> None:
        self._redis = connect(redis_url, connect_seconds=connect_seconds, command_seconds=command_seconds)
        self._ring_seconds = ring_seconds

    async def ring(self, lane: str, bells: Sequence[tuple[UUID, UUID, int]]) -> None:
        """Ring a lane for each (tenant_id, step_id, ring_no). Raises DoorbellUnreachable within `ring_seconds`."""
        waiting = iter(Bell(*bell) for bell in bells)
        try:
            async with asyncio.timeout(self._ring_seconds):
                while some := list(islice(waiting, _AT_ONCE)):
                    await self._enqueue(lane, some)
        except (RedisError, OSError) as fault:  # TimeoutError is an OSError
            raise DoorbellUnreachable(f"Redis could not be rung: {type(fault).__name__}") from fault

    async def _enqueue(self, lane: str, bells: Sequence[Bell]) -> None:
        """Write the keys that ARQ's `enqueue_job` writes, for many jobs in one round trip instead of four each.

        Left out is its check that no such job exists: the same ring twice only renews the one job's expiry.
        """
        queue, score = queue_name(lane), timestamp_ms() - _CLOCK_SLACK_MS
        ids = [job_id(bell.step_id, bell.ring_no) for bell in bells]
        async with self._redis.pipeline(transaction=True) as pipe:
            for one, bell in zip(ids, bells, strict=True):
                pipe.psetex(job_key_prefix + one, LIFETIME_SECONDS * 1000, pack(bell))
            pipe.zadd(queue, dict.fromkeys(ids, score), nx=True)
            # Jobs expire, their places in the queue don't: without workers for an hour it would only grow.
            pipe.zremrangebyscore(queue, "-inf", score - LIFETIME_SECONDS * 1000)
            pipe.publish(channel_name(lane), len(ids))
            await pipe.execute()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose(close_connection_pool=True)
