"""What the consent gate asks of the database before every send, and whom it finds there."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event

from circletake.adapters.kms.seal import AesSeal
from circletake.domain.errors import Invalid
from circletake.domain.permission.consents import Use
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.permission.consent_gate import permission_for
from circletake.usecases.permission.depictions import Depiction, depictions
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


async def test_a_picture_of_a_reference_set_depicts_whom_somebody_plays(database: Database) -> None:
    """In whichever version, with its look; a character whom nobody plays isn't depicted by hers."""
    tenant_id, production_id, mara, june, media_id, look_id = (new_id() for _ in range(6))
    seal = AesSeal(bytes(32), tenant_id)
    connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        await connection.execute("set session_replication_role = replica")
        for character_id, name, look in ((mara, "MARA", look_id), (june, "JUNE", new_id())):
            set_id = new_id()
            await connection.execute(
                "insert into characters (id, tenant_id, production_id, kind, script_name, version)"
                " values ($1, $2, $3, 'human', $4, 1)",
                *(character_id, tenant_id, production_id, name),
            )
            await connection.execute(
                "insert into looks (id, tenant_id, character_id, name, version) values ($1, $2, $3, 'storm', 1)",
                *(look, tenant_id, character_id),
            )
            await connection.execute(
                "insert into reference_sets (id, tenant_id, look_id, version, state)"
                " values ($1, $2, $3, 1, 'superseded')",
                *(set_id, tenant_id, look),
            )
            await connection.execute(
                "insert into references_of_looks (id, tenant_id, reference_set_id, media_id, state, findings)"
                " values ($1, $2, $3, $4, 'ready', '[]')",
                *(new_id(), tenant_id, set_id, media_id),
            )
        performer_id = new_id()
        await connection.execute(
            "insert into performers (id, tenant_id, name, is_minor, deceased, version)"
            " values ($1, $2, $3, false, false, 1)",
            *(performer_id, tenant_id, seal.close("Ida O'Berg", place=f"performers.name:{performer_id}")),
        )
        await connection.execute(
            "insert into portrayals (id, tenant_id, production_id, character_id, performer_id, kind)"
            " values ($1, $2, $3, $4, $5, 'performs')",
            *(new_id(), tenant_id, production_id, mara, performer_id),
        )
    finally:
        await connection.close()
    connections = Connections(database.url("app"), pool_size=1)

    async def depicted(prompt: str | None = None, declared: Sequence[UUID] = ()) -> list[Depiction]:
        async with connections.tenant(tenant_id) as session:
            return await depictions(
                session,
                seal,
                tenant_id=tenant_id,
                production_id=production_id,
                declared=declared,
                consistency=[],
                media_ids=[] if prompt else [media_id],
                prompt=prompt,
            )

    try:
        assert await depicted() == [Depiction(mara, look_id, "reference_set")]
        for prompt in ("MARA's coat", "shot_mara_close", "ida o\u2019berg laughs", "Ida  O'BERG"):
            assert await depicted(prompt) == [Depiction(mara, None, "named_in_prompt")], prompt
        for prompt in ("a marathon", "June waits", "somebody called Berg"):
            assert await depicted(prompt) == [], prompt
        with pytest.raises(Invalid) as refused:
            await depicted(declared=[mara, new_id()])
        assert [each.pointer for each in refused.value.violations] == ["/depicts/1"]
    finally:
        await connections.close()
