"""Run migrations as the owner role. Every migration waits for a lock only briefly."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from circletake.records import Record
from circletake.settings import Settings, require


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Record.metadata, compare_server_default=False)
    with context.begin_transaction():
        # a migration that can't have its lock gives up instead of queueing every request behind it
        connection.execute(text("set local lock_timeout = '5s'"))
        connection.execute(text("set local statement_timeout = '10min'"))
        context.run_migrations()


async def main() -> None:
    url = require(Settings().database.owner_url, "CIRCLETAKE_DATABASE__OWNER_URL")
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(main())
