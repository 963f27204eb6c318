"""A batch of a few hundred takes among other batches' and studios' thousands: what it asks of the database is found by
its indexes, and its end is told once however its last generations meet."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from circletake.adapters.kms.seal import AesSeal
from circletake.domain.people import PLATFORM
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.batches.find_batches import get_batch, list_members
from circletake.usecases.batches.pause import pause_batch, resume_batch
from circletake.usecases.draw_sheet import tell_finished
from circletake.usecases.steps import RESTING, lock_generation, lock_takes
from services.embedded.stack import Stack
from tests.integration.test_check_queries import Asked
from tests.stack import copied_database

_BIG = frozenset({"takes", "generations", "steps"})

# without the rows they belong to: only the queries and the planner look at them
_FILL = """
    set session_replication_role = replica;
    insert into productions (id, tenant_id, code, title, version) values ('{production}', '{tenant}', 'P', 'P', 1);
    insert into generation_batches (id, tenant_id, production_id, format, file_sha256, rows, refused_rows, takes,
                                    quote_usd, ledger_entry_id)
    values ('{batch}', '{tenant}', '{production}', 'csv', 'x', 20, 0, 100, 1, gen_random_uuid());
    insert into generations (id, tenant_id, production_id, kind, model_id, state, batch_id, batch_line, controls,
                             controls_report, strict, context_refs, event_seq, ledger_entry_id)
    select md5('g' || n)::uuid, case when n < 800 then '{tenant}'::uuid else gen_random_uuid() end, '{production}',
           'concept_art', 'm', 'queued', case when n < 20 then '{batch}'::uuid else gen_random_uuid() end, n, '{{}}',
           '[]', false, '{{}}', 1, gen_random_uuid()
    from generate_series(0, 1599) n;
    insert into takes (id, tenant_id, generation_id, number, state, estimate_usd, reserved_usd, circled, rejected,
                       cancel_requested)
    select gen_random_uuid(), g.tenant_id, g.id, n, 'queued', 0.01, 0.01, n = 5, false, false
    from generations g, generate_series(1, 5) n;
    insert into steps (id, tenant_id, kind, lane, state, capped_by, priority, attempt, crashes, crashes_alone, fence,
                       ring_no, generation_id, take_id, details)
    select gen_random_uuid(), t.tenant_id, 'generate', 'generate', 'ready', 'm', 0, 0, 0, 0, 0, 0, t.generation_id,
           t.id, '{{}}'
    from takes t;
    analyze generation_batches; analyze generations; analyze takes; analyze steps;
"""


class Batch:
    """A batch of twenty generations with five takes each."""

    def __init__(self, connections: Connections, asked: Asked, tenant_id: UUID, batch_id: UUID) -> None:
        self.connections, self.asked = connections, asked
        self.tenant_id, self.id = tenant_id, batch_id
        self.seal = AesSeal(bytes(32), tenant_id)

    async def count(self, query: str) -> int:
        async with self.connections.tenant(self.tenant_id) as session:
            values = {"batch": self.id, "resting": RESTING}
            found = await session.scalar(
                text(query), {name: values[name] for name in values if f":{name}" in query}
            )
            return int(found or 0)


@pytest.fixture
async def batch(migrated_stack: Stack) -> AsyncIterator[Batch]:
    tenant_id, production_id, batch_id = new_id(), new_id(), new_id()
    async with copied_database(migrated_stack) as database:
        connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
        try:
            await connection.execute(
                "insert into tenants (id, slug, name, state, region, bucket, kms_key_arn, work_role_arn,"
                " grant_role_arn, wrapped_data_key, weight, max_running)"
                " values ($1, 's', 'S', 'active', 'eu-west-1', 'b', 'k', 'w', 'g', '', 1, 4)",
                tenant_id,
            )
            await connection.execute(_FILL.format(tenant=tenant_id, production=production_id, batch=batch_id))
        finally:
            await connection.close()
        connections = Connections(database.url("app"))
        try:
            yield Batch(connections, Asked(database, connections, tenant_id), tenant_id, batch_id)
        finally:
            await connections.close()


async def test_a_batch_is_found_by_its_indexes(batch: Batch) -> None:
    """Its progress, its pages, its pause and its resume read no table through, whatever else there is."""
    view = await get_batch(batch.connections, batch.tenant_id, batch.id)
    assert (view.tally.takes, view.tally.circled, view.tally.reserved) == ({"queued": 100}, 20, Decimal(1))
    members = await list_members(batch.connections, batch.tenant_id, batch.id, limit=5, after_line=3)
    assert [each.generation.batch_line for each in members] == [4, 5, 6, 7, 8]
    assert members[0].tally.circled_takes == [5]
    acting = {"tenant_id": batch.tenant_id, "actor": PLATFORM, "batch_id": batch.id}
    resting = "select count(*) from steps where run_at = :resting"
    await pause_batch(batch.connections, batch.seal, **acting)
    assert await batch.count(resting) == 100
    await resume_batch(batch.connections, batch.seal, **acting)
    assert await batch.count(resting) == 0
    asked = batch.asked.statements
    batch.asked.statements = [
        each for each in asked if "run_at = :resting" not in each[0] and "count(*) from steps" not in each[0]
    ]
    assert await batch.asked.read_through(_BIG) == []


async def test_the_end_of_a_batch_is_told_once(batch: Batch) -> None:
    """Its last generations end at the same time, and one of them is opened again by a retry and ends again."""
    async with batch.connections.tenant(batch.tenant_id) as session:
        await session.execute(text("update takes set state = 'succeeded', reserved_usd = 0"))
        ids = list(
            await session.scalars(
                text("select id from generations where batch_id = :batch"), {"batch": batch.id}
            )
        )
    await asyncio.gather(*(finish(batch, each) for each in ids))
    async with batch.connections.tenant(batch.tenant_id) as session:
        await session.execute(
            text("update generations set finished_at = null where id = :id"), {"id": ids[0]}
        )
    await finish(batch, ids[0])
    async with batch.connections.tenant(batch.tenant_id) as session:
        told = list(await session.scalars(text("select data from events where type = 'batch.completed'")))
    assert [(each["takes"], each["state"]) for each in told] == [({"succeeded": 100}, "completed")]


async def finish(batch: Batch, generation_id: UUID) -> None:
    async with batch.connections.tenant(batch.tenant_id) as session:
        generation = await lock_generation(session, batch.tenant_id, generation_id)
        await tell_finished(session, generation, await lock_takes(session, batch.tenant_id, generation_id))
