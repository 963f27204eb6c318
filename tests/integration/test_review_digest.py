"""The daily digest: each studio is told once a day, by numbers, and only while something waits."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from circletake.kit.ids import new_id
from circletake.usecases.review.digest import DIGEST_HOUR, next_turn, queue_digests, send_digest
from tests.integration.step_rows import Queue, queue_on
from tests.stack import Database

MORNING = datetime(2026, 11, 22, DIGEST_HOUR, 0, tzinfo=UTC)
RITA = new_id()


async def test_a_studio_is_told_once_a_day_what_waits_for_which_role(database: Database) -> None:
    """Its turn comes once a day whoever looks how often; a studio where nothing waits hears nothing."""
    async with queue_on(database) as queue:
        busy, idle = await queue.tenant(), await queue.tenant()
        await _hold(queue, busy)
        await queue_digests(queue.desk, now=MORNING - timedelta(hours=1))
        assert await _digests(queue) == []
        for _ in range(2):
            await queue_digests(queue.desk, now=MORNING)
        assert sorted(tenant for tenant, _ in await _digests(queue)) == sorted([busy, idle])
        await queue.worker(notify=8)
        for ring in await queue.pick():
            step = await queue.claim(ring)
            assert step is not None
            await send_digest(queue.app, step)
        events = await queue.connection.fetch("select * from events where type = 'inbox.digest'")
        assert [event["tenant_id"] for event in events] == [busy]
        lines = json.loads(events[0]["data"])["waiting"]
        assert [(line["role"], line["kind"], line["count"]) for line in lines] == [
            ("approver", "hold", 1),
            ("production_manager", "hold", 1),
        ]
        await queue_digests(queue.desk, now=MORNING + timedelta(days=1))
        assert len(await _digests(queue)) == 4


def test_a_turn_is_always_ahead() -> None:
    """Also at the very hour."""
    assert next_turn(MORNING - timedelta(seconds=1)) == MORNING
    assert next_turn(MORNING) == MORNING + timedelta(days=1)


async def _digests(queue: Queue) -> list[tuple[UUID, UUID]]:
    rows = await queue.connection.fetch("select tenant_id, id from steps where kind = 'digest'")
    return [(row["tenant_id"], row["id"]) for row in rows]


async def _hold(queue: Queue, tenant: UUID) -> None:
    production, generation = new_id(), new_id()
    await queue.connection.execute(
        "insert into productions (id, tenant_id, code, title, version) values ($1, $2, 'P', 'x', 1)",
        production,
        tenant,
    )
    await queue.connection.execute(
        "insert into generations (id, tenant_id, production_id, kind, model_id, controls, controls_report, strict,"
        " context_refs, state, event_seq, ledger_entry_id)"
        " values ($1, $2, $3, 'concept_art', 'm', '{}', '[]', false, '{}', 'held', 0, $4)",
        generation,
        tenant,
        production,
        new_id(),
    )
    await queue.connection.execute(
        "insert into holds (id, tenant_id, production_id, generation_id, reason, lines, details, released_by, state,"
        " requested_by_person) values ($1, $2, $3, $4, 'awaiting_approval', '[]', '{}', $5, 'open', $6)",
        new_id(),
        tenant,
        production,
        generation,
        ["approver", "production_manager"],
        RITA,
    )
