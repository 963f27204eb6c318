"""The queries that every check asks, against a studio's many judgements: found by their index, none read through."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event

from circletake.adapters.kms.seal import AesSeal
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.find_checks import list_results
from circletake.usecases.request_check import judged_before
from tests.stack import Database

ROWS = 30_000
_BIG = {"judgements", "check_results", "check_materials"}

# rows by the thousand, without the rows they belong to: only the planner looks at them
_FILL = """
    set session_replication_role = replica;
    insert into judgements (id, tenant_id, key, media_id, character_id, look_id, reference_set_id, verdict, scores,
                            reasons, body, frames, beside, evaluators)
    select gen_random_uuid(), '{tenant}', md5(n::text), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
           gen_random_uuid(), 'pass', '{{}}', '[]', jsonb_build_object('as wide as', repeat(md5(n::text), 50)), '[]', '{{}}', '[]' from generate_series(1, {rows}) n;
    insert into consistency_checks (id, tenant_id, production_id, state, sampling, evaluators, profile, summary)
    values ('{check}', '{tenant}', gen_random_uuid(), 'running', '{{}}', '[]', '{{}}', '{{}}');
    insert into check_materials (id, tenant_id, check_id, position, media_id, state)
    select gen_random_uuid(), '{tenant}', case when n <= 350 then '{check}'::uuid else gen_random_uuid() end, n,
           gen_random_uuid(), 'judged' from generate_series(1, {rows}) n;
    insert into check_results (id, tenant_id, check_id, material_id, subject_id, judgement_id)
    select gen_random_uuid(), '{tenant}', m.check_id, m.id, gen_random_uuid(), j.id
    from (select *, row_number() over () r from check_materials) m
    join (select *, row_number() over () r from judgements) j using (r);
    analyze judgements; analyze check_results; analyze check_materials; analyze consistency_checks;
"""


class Asked:
    """What a database was asked, and how it would go about it as the application's role in a tenant."""

    def __init__(self, database: Database, connections: Connections, tenant_id: UUID) -> None:
        self._url = database.url("app").replace("+asyncpg", "")
        self._tenant_id = tenant_id
        self.statements: list[tuple[str, Sequence[Any]]] = []
        event.listen(connections.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self.statements.append((statement, parameters))

    async def read_through(self, big: Collection[str] = _BIG) -> list[str]:
        """Return the big tables that some statement reads from end to end."""
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", str(self._tenant_id))
            found = []
            for statement, parameters in self.statements:
                lines = await connection.fetch(f"explain {statement}", *parameters)
                plan = "\n".join(line[0] for line in lines)
                found += [f"{table}: {plan}" for table in big if f"Seq Scan on {table}" in plan]
            return found
        finally:
            await connection.close()


@pytest.fixture
async def many(database: Database) -> Any:
    """A tenant with thirty thousand judgements; (tenant, check)."""
    tenant_id, check_id = new_id(), new_id()
    connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        await connection.execute(_FILL.format(tenant=tenant_id, check=check_id, rows=ROWS))
    finally:
        await connection.close()
    return tenant_id, check_id


@pytest.fixture
async def asked(database: Database, many: tuple[UUID, UUID]) -> Any:
    connections = Connections(database.url("app"))
    try:
        yield connections, Asked(database, connections, many[0])
    finally:
        await connections.close()


async def test_what_was_judged_before_is_found_by_its_key(asked: Any, many: tuple[UUID, UUID]) -> None:
    """A few hundred keys among all that a studio ever had judged."""
    connections, seen = asked
    async with connections.tenant(many[0]) as session:
        await judged_before(session, many[0], [f"{n:032x}" for n in range(350)])
    assert seen.statements
    assert await seen.read_through() == []


async def test_a_page_of_results_reads_a_page(asked: Any, many: tuple[UUID, UUID]) -> None:
    """The next fifty files of a check, whatever else is there; also when only failures are wanted."""
    connections, seen = asked
    for verdict in (None, "fail"):
        await list_results(
            connections,
            AesSeal(bytes(32), many[0]),
            many[0],
            many[1],
            limit=51,
            after=100,
            verdict=verdict,
            frames=False,
        )
    assert len(seen.statements) >= 5
    assert await seen.read_through() == []
