"""Connections and the tenant-scoped session: the only way to reach a tenant's rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NewType
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

TenantSession = NewType("TenantSession", AsyncSession)

_SET_TENANT = text("select set_config('app.tenant_id', :tenant, true)")


class Database:
    """One role's connection pool.

    A transaction is one `async with`: it commits at the end and rolls back on an exception. Nothing that leaves
    the process may be awaited inside.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.engine = create_async_engine(
            url, pool_size=pool_size, max_overflow=4, pool_timeout=10, pool_pre_ping=False
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[TenantSession]:
        """Open a transaction that sees and writes this tenant's rows only."""
        async with self._sessions.begin() as session:
            await session.execute(_SET_TENANT, {"tenant": str(tenant_id)})
            yield TenantSession(session)

    @asynccontextmanager
    async def role(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction with the role's own rights and no tenant."""
        async with self._sessions.begin() as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()
