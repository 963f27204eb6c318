"""The database's own wall: forced row-level security, composite foreign keys, four roles with the least they need."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from circletake.records import Record
from tests.stack import Database

# rows of these belong to nobody, or to the platform
SHARED_TABLES = {"tenants", "model_quotas", "worker_beats", "invoices"}


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Any]:
    connection = await _connect(database.url("owner"))
    yield connection
    await connection.close()


@pytest.fixture
async def app(database: Database) -> AsyncIterator[Any]:
    connection = await _connect(database.url("app"))
    yield connection
    await connection.close()


@pytest.fixture
async def two_tenants(owner: Any) -> tuple[uuid.UUID, uuid.UUID]:
    """Two studios with a production each, written as the owner."""
    ids = (uuid.uuid4(), uuid.uuid4())
    for tenant in ids:
        await owner.execute(
            "insert into tenants (id, slug, name, state, region, weight, max_running)"
            " values ($1, $2, 'A studio', 'active', 'us-west-2', 1, 10)",
            tenant,
            tenant.hex,
        )
        await owner.execute(
            "insert into productions (id, tenant_id, code, title, version) values ($1, $2, 'P', 'Secret', 1)",
            uuid.uuid4(),
            tenant,
        )
    return ids


async def test_every_tenant_table_is_under_forced_row_level_security(owner: Any) -> None:
    """No table that carries a tenant is without the wall, for reading and for writing."""
    carrying = {table.name for table in Record.metadata.sorted_tables if "tenant_id" in table.columns}
    forced = {
        row["relname"]
        for row in await owner.fetch(
            "select relname from pg_class where relkind = 'r' and relrowsecurity and relforcerowsecurity"
        )
    }
    both = {
        row["tablename"]
        for row in await owner.fetch(
            "select tablename from pg_policies where 'circletake_app' = any(roles)"
            " and qual is not null and with_check is not null"
        )
    }
    assert carrying - forced == set()
    assert carrying - both == set()


async def test_every_foreign_key_between_tenant_tables_carries_the_tenant(owner: Any) -> None:
    """Foreign keys are checked without row-level security: one without the tenant would reach across."""
    rows = await owner.fetch(
        "select conrelid::regclass::text as child, confrelid::regclass::text as parent,"
        " pg_get_constraintdef(oid) as definition from pg_constraint where contype = 'f'"
    )
    plain = [
        (row["child"], row["definition"])
        for row in rows
        if row["parent"] not in SHARED_TABLES and "(tenant_id, " not in row["definition"]
    ]
    assert plain == []


async def test_without_a_tenant_nothing_is_seen(app: Any, two_tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    """A query that forgot its tenant finds nothing, also after another transaction had one."""
    assert await app.fetchval("select count(*) from productions") == 0
    async with app.transaction():
        await app.execute("select set_config('app.tenant_id', $1, true)", str(two_tenants[0]))
        assert await app.fetchval("select count(*) from productions") == 1
    assert await app.fetchval("select count(*) from productions") == 0


async def test_a_tenant_sees_and_writes_its_own_rows_only(
    app: Any, two_tenants: tuple[uuid.UUID, uuid.UUID]
) -> None:
    """Neither reading nor writing reaches the other studio."""
    mine, theirs = two_tenants
    async with app.transaction():
        await app.execute("select set_config('app.tenant_id', $1, true)", str(mine))
        assert {row["tenant_id"] for row in await app.fetch("select tenant_id from productions")} == {mine}
        assert (
            await app.execute("update productions set title = 'x' where tenant_id = $1", theirs) == "UPDATE 0"
        )
        assert [row["id"] for row in await app.fetch("select id from tenants")] == [mine]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.transaction():
            await app.execute("select set_config('app.tenant_id', $1, true)", str(mine))
            await app.execute(
                "insert into productions (id, tenant_id, code, title, version) values ($1, $2, 'Q', 'x', 1)",
                uuid.uuid4(),
                theirs,
            )


async def test_a_row_cannot_point_into_another_tenant(
    owner: Any, app: Any, two_tenants: tuple[uuid.UUID, uuid.UUID]
) -> None:
    """Even with the other's id in hand no row can be hung on it."""
    mine, theirs = two_tenants
    production = await owner.fetchval("select id from productions where tenant_id = $1", theirs)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with app.transaction():
            await app.execute("select set_config('app.tenant_id', $1, true)", str(mine))
            await app.execute(
                "insert into shots (id, tenant_id, production_id, code, version) values ($1, $2, $3, 'X', 1)",
                uuid.uuid4(),
                mine,
                production,
            )


async def test_a_backfill_by_the_owner_reaches_every_row(
    owner: Any, two_tenants: tuple[uuid.UUID, uuid.UUID]
) -> None:
    """Forced security binds the owner too; without its own policy a migration would silently update nothing."""
    assert await owner.execute("update productions set title = 'Backfilled'") == f"UPDATE {len(two_tenants)}"


async def test_the_ledger_can_only_grow(app: Any, two_tenants: tuple[uuid.UUID, uuid.UUID]) -> None:
    """Nobody who serves requests can change or remove what was committed to."""
    for statement in ("update ledger_entries set kind = 'x'", "delete from ledger_entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("select set_config('app.tenant_id', $1, true)", str(two_tenants[0]))
                await app.execute(statement)


@pytest.mark.parametrize("role", ["dispatcher", "operator"])
@pytest.mark.parametrize(
    "table", ["generations", "takes", "media_files", "ledger_entries", "idempotency_keys"]
)
async def test_no_platform_role_reads_content(database: Database, role: str, table: str) -> None:
    """The dispatcher and the operator work without seeing what studios make."""
    connection = await _connect(database.url(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"select * from {table}")
    finally:
        await connection.close()


async def test_no_role_is_above_the_wall(owner: Any) -> None:
    """None of the four roles is a superuser or bypasses row-level security."""
    rows = await owner.fetch(
        "select rolname, rolsuper, rolbypassrls from pg_roles where rolname like 'circletake_%'"
    )
    assert len(rows) == 4
    assert not any(row["rolsuper"] or row["rolbypassrls"] for row in rows)


@pytest.mark.filterwarnings(
    "ignore:Did not recognize type 'xid8'"
)  # reflection knows no 64-bit transaction ids
async def test_the_schema_is_what_the_records_say(database: Database) -> None:
    """No column or constraint of the tables' code is missing from the migrations."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(database.url("owner"))
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_server_default": False}), Record.metadata
            )
        )
    await engine.dispose()
    assert [each for each in differences if "alembic_version" not in str(each)] == []
