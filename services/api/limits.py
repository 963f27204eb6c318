"""Requests per minute, by key or person, told as draft-ietf-httpapi-ratelimit-headers-11 says."""

import math
import time

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from circletake.domain.errors import TooManyRequests


class RequestLimits:
    """Counts in this process; several gateways behind a balancer each give their own share."""

    def __init__(self, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._per_minute = per_minute
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def count(self, request: Request, key: str) -> None:
        """Count a request; raises TooManyRequests. The answer's headers are left on the request's state."""
        allowed = await self._limiter.hit(self._item, key)
        stats = await self._limiter.get_window_stats(self._item, key)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        request.state.rate_limit = {
            "RateLimit-Policy": f'"default";q={self._per_minute};w=60',
            "RateLimit": f'"default";r={stats.remaining};t={seconds}',
        }
        if not allowed:
            raise TooManyRequests(
                f"{self._per_minute} requests a minute may be sent: wait {seconds} s.",
                retry_after=seconds,
            )
