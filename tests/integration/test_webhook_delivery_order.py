"""The log of events that a receiver catches up from: nothing is skipped, however transactions overlap."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from circletake.kit.ids import new_id
from circletake.usecases.events import record_event
from circletake.usecases.find_generations import events_across
from tests.integration.webhook_studio import WebhookStudio, provisioned, webhook_studio
from tests.stack import Database


@pytest.fixture
async def studio(database: Database, tmp_path: Path) -> AsyncIterator[WebhookStudio]:
    storage, wrapped = await provisioned(database, f"hooks-{new_id().hex[-8:]}")
    async with webhook_studio(database, storage, wrapped, tmp_path) as desk:
        yield desk


async def read(studio: WebhookStudio, after: tuple[int, UUID] | None = None) -> list[tuple[int, UUID]]:
    events = await events_across(studio.database, studio.tenant_id, after=after, limit=10)
    return [(event.txid, event.id) for event in events]


async def test_a_late_commit_is_not_skipped(studio: WebhookStudio) -> None:
    """An event that was committed while an older transaction runs waits for it, so that reading on misses none."""
    early = await studio.happen()
    [position] = await read(studio)
    assert position[1] == early
    async with studio.database.tenant(studio.tenant_id) as session:
        slow = await record_event(session, studio.tenant_id, "take.succeeded", {})
        fast = await studio.happen()
        assert await read(studio, position) == []
    assert [event_id for _, event_id in await read(studio, position)] == [slow, fast]


async def test_reading_on_gives_every_event_once(studio: WebhookStudio) -> None:
    """From each position on come exactly the events after it."""
    for _ in range(4):
        await studio.happen()
    everything = await read(studio)
    assert len(everything) == 4
    for index, position in enumerate(everything):
        assert await read(studio, position) == everything[index + 1 :]
