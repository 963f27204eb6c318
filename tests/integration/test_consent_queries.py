"""What the consent gate asks of the database before every send: one query or two, found by their index."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event

from circletake.adapters.kms.seal import AesSeal
from circletake.domain.permission.consents import Use
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.permission.consent_gate import depictions, permission_for
from tests.stack import Database

ROWS = 4_000
BIG = ("portrayals", "consents", "consent_exemptions", "performers")
NOW = datetime(2026, 11, 22, tzinfo=UTC)

# rows by the thousand, without the rows they belong to: only the planner looks at them
_FILL = """
    set session_replication_role = replica;
    insert into performers (id, tenant_id, is_minor, deceased, version)
    select gen_random_uuid(), '{tenant}', false, false, 1 from generate_series(1, {rows});
    insert into portrayals (id, tenant_id, production_id, character_id, performer_id, kind)
    select gen_random_uuid(), '{tenant}', gen_random_uuid(), gen_random_uuid(), id, 'performs' from performers;
    insert into consents (id, tenant_id, performer_id, state, replica_type, production_ids, shot_ids, sequence_ids,
                          kinds, media, territories, no_end, version)
    select gen_random_uuid(), '{tenant}', id, 'draft', 'background', '{{}}', '{{}}', '{{}}', '{{cleanup}}', '{{}}', '{{}}',
           false, 1 from performers;
    insert into consent_exemptions (id, tenant_id, production_id, character_id, performer_id, kinds, shot_ids, reason,
                                    explanation, until, recorded_at)
    select gen_random_uuid(), '{tenant}', gen_random_uuid(), gen_random_uuid(), id, '{{cleanup}}', '{{}}', 'cosmetics', '',
           '2099-01-01', now() from performers;
    analyze performers; analyze portrayals; analyze consents; analyze consent_exemptions;
"""


@dataclass
class Studio:
    """A tenant with thousands of everything, and what its database was asked."""

    tenant_id: UUID
    character_id: UUID  # one that somebody plays
    connections: Connections
    url: str
    statements: list[tuple[str, Sequence[Any]]] = field(default_factory=list)

    async def read_through(self) -> list[str]:
        """The big tables that some statement would read from end to end, as the application's role."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", str(self.tenant_id))
            found = []
            for statement, parameters in self.statements:
                plan = "\n".join(
                    row[0] for row in await connection.fetch(f"explain {statement}", *parameters)
                )
                found += [f"{table}: {plan}" for table in BIG if f"Seq Scan on {table}" in plan]
            return found
        finally:
            await connection.close()


@pytest.fixture
async def studio(database: Database) -> AsyncIterator[Studio]:
    tenant_id = new_id()
    connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        await connection.execute(_FILL.format(tenant=tenant_id, rows=ROWS))
        character_id = await connection.fetchval("select character_id from portrayals limit 1")
    finally:
        await connection.close()
    connections = Connections(database.url("app"), pool_size=1)
    made = Studio(tenant_id, character_id, connections, database.url("app").replace("+asyncpg", ""))

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        made.statements.append((statement, parameters))

    event.listen(connections.engine.sync_engine, "before_cursor_execute", note)
    yield made
    await connections.close()


def _use() -> Use:
    return Use(
        production_id=new_id(),
        shot_id=None,
        sequence_id=None,
        kind="cleanup",
        media=None,
        territory=None,
        requested_at=NOW,
        at=NOW,
        time_zone="UTC",
        alters_recording=True,
    )


async def test_the_gate_asks_twice_at_most_and_reads_nothing_through(studio: Studio) -> None:
    """However many performers and consents a studio has; one question where nobody plays the character."""
    async with studio.connections.tenant(studio.tenant_id) as session:
        free = await permission_for(
            session, tenant_id=studio.tenant_id, use=_use(), characters=[new_id(), new_id()]
        )
        assert (free.missing, len(studio.statements)) == ([], 1)
        held = await permission_for(
            session, tenant_id=studio.tenant_id, use=_use(), characters=[studio.character_id]
        )
    assert {each.code for each in held.missing} >= {"not_granted", "production_not_covered"}
    assert len(studio.statements) == 3
    assert await studio.read_through() == []


async def test_a_production_without_performers_costs_one_question(studio: Studio) -> None:
    """Whatever goes into a request: whether anybody could be in it is found by one index."""
    async with studio.connections.tenant(studio.tenant_id) as session:
        found = await depictions(
            session,
            AesSeal(bytes(32), studio.tenant_id),
            tenant_id=studio.tenant_id,
            production_id=new_id(),
            declared=[],
            consistency=[],
            media_ids=[new_id()],
            prompt="a lighthouse",
        )
    assert (found, len(studio.statements)) == ([], 1)
    assert await studio.read_through() == []
