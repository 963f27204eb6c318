"""Kept models over time: what ran under an older choice finds its card, and ends are told mark by mark, once each."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.adapters.kms.seal import AesSeal
from circletake.domain.choice.choices import Because
from circletake.domain.kinds import Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.people import Actor
from circletake.domain.pictures import ModelCard
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.usecases.choice.cards import card_kept
from circletake.usecases.choice.keep_choice import Wish, remove_choice, set_choice
from circletake.usecases.choice.tell_endings import ENDINGS_HOUR, queue_endings, tell_endings
from tests.integration.step_rows import Queue, queue_on
from tests.stack import Database

CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
SHIPPED = load_catalogue(offline=True)
RITA = Actor(person_id=new_id())


def card(model: str) -> ModelCard:
    found = SHIPPED.get(model)
    assert found is not None
    return found


def catalogue(*cards: ModelCard) -> FileCatalogue:
    return FileCatalogue(cards, {**dict.fromkeys(Kind, CORE), **dict.fromkeys(LanguageTask, CORE)})


def ending_in(days: int, model: str = ULTRA) -> FileCatalogue:
    end = clock.now().date() + timedelta(days=days)
    return catalogue(card(CORE), replace(card(model), eol_on=end, successor="Core goes on."))


@dataclass(slots=True)
class Show:
    """A production on a queue of its own."""

    queue: Queue
    tenant: UUID
    id: UUID

    async def choose(self, found: FileCatalogue, model: str = ULTRA, **more: Any) -> UUID:
        """Lock the kind to a model; returns the choice's id."""
        await set_choice(
            self.queue.app,
            found,
            AesSeal(bytes(32), self.tenant),
            tenant_id=self.tenant,
            actor=RITA,
            production_id=self.id,
            kind="concept_art",
            wish=Wish(model, locked=True, **more),
            expect=lambda _: None,
            now=clock.now(),
        )
        chosen: UUID = await self.queue.connection.fetchval(
            "select id from model_choices where superseded_at is null and production_id = $1", self.id
        )
        return chosen

    async def look(self, found: FileCatalogue, *, after_days: int = 0) -> None:
        now = clock.now() + timedelta(days=after_days)
        async with self.queue.app.tenant(self.tenant) as session:
            await tell_endings(session, found, self.tenant, now=now)

    async def told(self) -> list[tuple[str, int, list[str]]]:
        rows = await self.queue.connection.fetch(
            "select data from events where type = 'model.ending' and tenant_id = $1 order by id", self.tenant
        )
        data = [json.loads(row["data"]) for row in rows]
        return [(each["model"], each["days_left"], each["how"]) for each in data]

    async def used(self, model: str, *, days_ago: int) -> None:
        await self.queue.connection.execute(
            "insert into generations (id, tenant_id, created_at, production_id, kind, model_id, controls, controls_report,"
            " strict, context_refs, state, event_seq, ledger_entry_id)"
            " values ($1, $2, $3, $4, 'concept_art', $5, '{}', '[]', false, '{}', 'succeeded', 0, $6)",
            new_id(),
            self.tenant,
            clock.now() - timedelta(days=days_ago),
            self.id,
            model,
            new_id(),
        )


@pytest.fixture
async def show(database: Database) -> AsyncIterator[Show]:
    async with queue_on(database) as queue:
        tenant, production = await queue.tenant(), new_id()
        await queue.connection.execute(
            "insert into productions (id, tenant_id, code, title, version) values ($1, $2, 'P', 'x', 1)",
            production,
            tenant,
        )
        yield Show(queue, tenant, production)


async def test_what_ran_under_an_older_choice_finds_the_card_it_ran_with(show: Show) -> None:
    """A retry years later runs the model as it was, though the choice was changed and given up and the model has left
    the catalogue; and the model still has a ceiling of its own."""
    first = await show.choose(SHIPPED)
    await show.choose(SHIPPED, CORE)
    await remove_choice(
        show.queue.app,
        AesSeal(bytes(32), show.tenant),
        tenant_id=show.tenant,
        actor=RITA,
        production_id=show.id,
        kind="concept_art",
        expect=lambda _: None,
        now=clock.now(),
    )
    async with show.queue.app.tenant(show.tenant) as session:
        kept = await card_kept(session, catalogue(card(CORE)), show.tenant, first, ULTRA)
    assert kept == card(ULTRA)
    quota = await show.queue.connection.fetchval(
        "select max_running from model_quotas where model_id = $1", ULTRA
    )
    assert quota == card(ULTRA).max_running


async def test_a_change_keeps_the_cards_that_were_kept_unless_they_are_renewed(show: Show) -> None:
    """Adding a fallback to a lock takes no newer entry of its model by the way."""
    edited = catalogue(card(CORE), replace(card(ULTRA), controls=()))
    await show.choose(SHIPPED)
    await show.choose(edited, fallback_order=[CORE], fallback_on=[Because.OUTAGE])
    await show.choose(edited, renew=True)
    prints = await show.queue.connection.fetch("select fingerprint from model_choices order by version")
    renewed = edited.get(ULTRA)
    assert renewed is not None
    assert [row["fingerprint"] for row in prints] == [
        card(ULTRA).fingerprint,
        card(ULTRA).fingerprint,
        renewed.fingerprint,
    ]


async def test_an_end_is_told_when_it_is_chosen_and_at_each_mark_once(show: Show) -> None:
    """Whoever looks how often; a look that comes late tells the newest mark only."""
    found = ending_in(20)
    await show.choose(found)
    for after_days in (0, 5, 10, 18, 18, 20, 30):
        await show.look(found, after_days=after_days)
    assert [days for _, days, _ in await show.told()] == [20, 10, 2, 0]


async def test_a_production_hears_of_what_it_lists_or_used_lately(show: Show) -> None:
    """Not of a model that it never had to do with, nor of one it used long ago."""
    await show.used(ULTRA, days_ago=91)
    await show.look(ending_in(10))
    assert await show.told() == []
    await show.used(ULTRA, days_ago=89)
    await show.choose(SHIPPED, CORE, fallback_order=[ULTRA])
    await show.look(ending_in(10))
    assert await show.told() == [(ULTRA, 10, ["fallback", "used"])]


async def test_every_studio_is_looked_at_once_a_day(show: Show) -> None:
    """However often the dispatcher keeps house."""
    morning = datetime(2026, 11, 22, ENDINGS_HOUR, 0, tzinfo=UTC)
    await queue_endings(show.queue.desk, now=morning - timedelta(hours=1))
    for _ in range(2):
        await queue_endings(show.queue.desk, now=morning)
    steps = await show.queue.connection.fetch("select tenant_id from steps where kind = 'endings'")
    assert [row["tenant_id"] for row in steps] == [show.tenant]
