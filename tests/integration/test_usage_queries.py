"""What was made and what it cost, over a studio's thousands of takes among other studios' many: one query, exact."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from circletake.domain.money.usage import Usage, UsageBy
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.money.usage import UsageAsked, UsageRow, find_usage
from services.embedded.stack import Stack
from tests.integration.test_check_queries import Asked
from tests.stack import copied_database

TAKES = 7_000
_BIG = frozenset({"takes", "generations", "evaluator_calls"})

# without the rows they belong to: only the sums and the planner look at them
_FILL = """
    set session_replication_role = replica;
    insert into productions (id, tenant_id, code, title, version) values ('{production}', '{tenant}', 'P', 'P', 1);
    insert into shots (id, tenant_id, production_id, code, conventional_bid_usd, version)
    select md5('shot' || n)::uuid, '{tenant}', '{production}', 'S_' || n, 1000, 1 from generate_series(0, 69) n;
    insert into generations (id, tenant_id, created_at, production_id, shot_id, kind, model_id, state,
                             requested_by, requested_by_person, controls, controls_report, strict, context_refs,
                             event_seq, ledger_entry_id)
    select md5('generation' || n)::uuid, case when n < 700 then '{tenant}'::uuid else gen_random_uuid() end,
           timestamptz '2026-11-01' + n * interval '1 minute',
           case when n < 7 or n >= 700 then gen_random_uuid() else '{production}'::uuid end,
           md5('shot' || n % 70)::uuid, case n % 2 when 0 then 'concept_art' else 'previs_shot' end, 'model-' || n % 3,
           'succeeded', '{key}', case when n % 5 > 0 then md5('person' || n % 5)::uuid end, '{{}}', '[]', false, '{{}}',
           1, gen_random_uuid()
    from generate_series(0, 3699) n;
    insert into takes (id, tenant_id, created_at, generation_id, number, state, billed, cost_usd, unknown_usd,
                       estimate_usd, circled, rejected, cancel_requested, changes)
    select gen_random_uuid(), g.tenant_id, g.created_at, g.id, n,
           case n when 1 then 'filtered' when 2 then 'canceled' else 'succeeded' end,
           case n when 1 then 'false' when 2 then 'false' when 3 then 'unknown' else 'true' end,
           case when n > 3 then 0.080001 else 0 end, case n when 3 then 0.080001 else 0 end, 0.080001, n = 10, false, false,
           case when n = 9 then '{{"model_id": "model-9"}}'::jsonb end
    from generations g, generate_series(1, 10) n;
    insert into evaluator_calls (id, tenant_id, created_at, check_id, media_id, production_id, shot_id, model_id,
                                 evaluator, request_hash, estimate_usd, cost_usd, billed)
    select gen_random_uuid(), case when n < 1000 then '{tenant}'::uuid else gen_random_uuid() end, now(),
           gen_random_uuid(), gen_random_uuid(), '{production}', md5('shot' || n % 70)::uuid, 'judge', 'e@1', 'h',
           0.01, 0.000135, case n % 10 when 0 then 'unknown' else 'true' end
    from generate_series(0, 9999) n;
    insert into language_requests (id, tenant_id, task, production_id, model_id, use, state, input, input_hash, version,
                                   edits, applied, requested_by_person, ledger_entry_id)
    values (md5('page')::uuid, '{tenant}', 'script_breakdown', '{production}', 'writer', '{{}}', 'succeeded', '', 'h', 1,
            '[]', '[]', md5('person1')::uuid, gen_random_uuid());
    insert into language_calls (id, tenant_id, production_id, shot_id, subject_id, model_id, request_hash, estimate_usd, cost_usd,
                                billed)
    select gen_random_uuid(), '{tenant}', '{production}', md5('shot1')::uuid, md5('page')::uuid, 'writer', 'h', 0.01, 0.002,
           case n when 0 then 'unknown' else 'true' end
    from generate_series(0, 2) n;
    analyze takes; analyze generations; analyze evaluator_calls; analyze shots; analyze language_calls;
"""


class Season:
    """A studio with seven thousand takes."""

    def __init__(self, connections: Connections, asked: Asked, tenant_id: UUID, production_id: UUID) -> None:
        self.connections, self.asked = connections, asked
        self.tenant_id, self.production_id = tenant_id, production_id

    async def usage(self, *by: UsageBy, **asked: Any) -> list[UsageRow]:
        return await find_usage(self.connections, self.tenant_id, UsageAsked(by, **asked))


@pytest.fixture(scope="module")
async def season(migrated_stack: Stack) -> AsyncIterator[Season]:
    """Read only, so that it is filled once."""
    tenant_id, production_id = new_id(), new_id()
    async with copied_database(migrated_stack) as database:
        connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
        try:
            await connection.execute(_FILL.format(tenant=tenant_id, production=production_id, key=new_id()))
        finally:
            await connection.close()
        connections = Connections(database.url("app"))
        try:
            yield Season(connections, Asked(database, connections, tenant_id), tenant_id, production_id)
        finally:
            await connections.close()


async def test_seven_thousand_takes_are_summed_exactly_in_one_query(season: Season) -> None:
    """Every grouping adds up to the same total, to the last place, and no table is read through."""
    before = len(season.asked.statements)
    [total] = await season.usage()
    assert total.usage == Usage(
        takes=TAKES,
        made=TAKES - 700,  # the canceled ones never reached a model
        succeeded=8 * 700,
        filtered=700,
        circled=700,
        cost=7 * 700 * Decimal("0.080001"),
        unknown=700 * Decimal("0.080001") + 100 * Decimal("0.000135") + Decimal("0.002"),
        judging=900 * Decimal("0.000135"),
        language=2 * Decimal("0.002"),
    )
    assert total.usage.generation_ratio == 9
    for by in ([each] for each in UsageBy):
        rows = await season.usage(*by)
        summed = Usage()
        for row in rows:
            summed = summed.plus(row.usage)
        assert summed == total.usage
        assert [row.usage.total for row in rows] == sorted((row.usage.total for row in rows), reverse=True)
    assert len(await season.usage(*UsageBy)) > 300
    assert len(season.asked.statements) - before == 6  # one a question, whatever it is grouped by
    assert await season.asked.read_through(_BIG) == []


async def test_each_group_has_its_own_takes(season: Season) -> None:
    """A shot has its code and bid; a take made by another model counts there; a key stands only where no person does."""
    shots = await season.usage(UsageBy.SHOT)
    assert {row.usage.takes for row in shots} == {100}
    assert Counter((row.shot_code or "")[:2] for row in shots) == {"S_": 70}
    assert {row.conventional_bid for row in shots} == {1000}
    models = {row.model: row.usage for row in await season.usage(UsageBy.MODEL)}
    assert (models["model-9"].takes, models["judge"].takes) == (700, 0)
    assert models["judge"].judging == 900 * Decimal("0.000135")
    people = await season.usage(UsageBy.PERSON)
    asked = [row for row in people if row.usage.takes]
    assert sorted(row.usage.takes for row in asked) == [1400] * 5
    assert [row.person_id is None for row in asked].count(True) == 1
    assert all((row.person_id is None) != (row.api_key_id is None) for row in asked)


async def test_a_production_and_a_time_bound_what_is_summed(season: Season) -> None:
    """`until` isn't in it; another production's takes aren't either, and a small part is found by its index."""
    [own] = await season.usage(production_id=season.production_id)
    assert own.usage.takes == TAKES - 70
    start = datetime(2026, 11, 1, tzinfo=UTC)
    [hour] = await season.usage(since=start.replace(hour=1), until=start.replace(hour=2))
    assert (hour.usage.takes, hour.usage.judging) == (600, Decimal(0))
    assert await season.asked.read_through(_BIG) == []
