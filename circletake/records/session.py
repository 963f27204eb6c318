"""Connections and the tenant-scoped session: the only way to reach a tenant's rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NewType
from uuid import UUID

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

TenantSession = NewType("TenantSession", AsyncSession)

_tenant: ContextVar[UUID | None] = ContextVar("tenant", default=None)


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Names the tenant in the round trip that begins the transaction. Were it left out, no row could be seen."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's
        tenant_id = _tenant.get()
        if tenant_id is not None and query.startswith("BEGIN"):
            query += f" select set_config('app.tenant_id', '{UUID(int=tenant_id.int)}', true);"
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


# Our transactions wait for nothing but the database: one that lasts this long belongs to a process that was frozen or
# cut off, and its locks would keep everybody else from the same rows. (PostgreSQL 17 and later. A client that is lost
# between two messages of one statement counts as active, so the timeout for idle transactions doesn't reach it.)
_TRANSACTION_SECONDS = 20


def _refuse_closed(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool replace a connection that the server has closed, at no round trip: the driver knows already.
    Otherwise a restart of the database would fail the next request on every pool."""
    driver: Any = record.driver_connection
    if driver is not None and driver.is_closed():
        raise DisconnectionError


class Database:
    """One role's connection pool.

    A transaction is one `async with`: it commits at the end and rolls back on an exception. Nothing that leaves
    the process may be awaited inside.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=10,
            pool_pre_ping=False,
            connect_args={
                "connection_class": _Connection,
                "server_settings": {"transaction_timeout": f"{_TRANSACTION_SECONDS}s"},
            },
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[TenantSession]:
        """Open a transaction that sees and writes this tenant's rows only."""
        token = _tenant.set(tenant_id)
        try:
            async with self._sessions.begin() as session:
                yield TenantSession(session)
        finally:
            _tenant.reset(token)

    @asynccontextmanager
    async def role(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction with the role's own rights and no tenant."""
        token = _tenant.set(None)
        try:
            async with self._sessions.begin() as session:
                yield session
        finally:
            _tenant.reset(token)

    async def close(self) -> None:
        await self.engine.dispose()
