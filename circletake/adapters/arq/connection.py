"""Connections to Redis that give up in seconds instead of waiting for ever."""

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool


def connect(redis_url: str, *, connect_seconds: float, command_seconds: float) -> ArqRedis:
    """Return a client for `redis://`, `rediss://` or `unix://`; it connects when first used, and again after a loss.

    ARQ's own settings know a timeout for connecting only: with them a server that stopped answering would hold a
    command, and with it a whole lane, for ever.
    """
    pool = ConnectionPool.from_url(
        redis_url,
        socket_connect_timeout=connect_seconds,
        socket_timeout=command_seconds,
        socket_keepalive=True,
    )
    return ArqRedis(pool_or_conn=pool)
