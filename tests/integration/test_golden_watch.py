"""Golden runs that begin by themselves: one for each change, on the day that is due, and only where rules want it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.kit.ids import new_id
from circletake.records.context import Production
from circletake.records.generations import Generation, Take
from circletake.records.golden import GoldenRules, GoldenShot
from circletake.records.media import MediaFile
from circletake.usecases.golden.notice_changes import queue_golden_watches
from circletake.usecases.golden.watch import watch_golden
from tests.integration.step_rows import Queue, queue_on
from tests.stack import Database

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CORE, ULTRA = "stability.stable-image-core-v1:1", "stability.stable-image-ultra-v1:1"
SHIPPED = load_catalogue()


def changed(*models: str) -> FileCatalogue:
    """The catalogue with another version of these models under their ids."""
    cards = [replace(card, version="v1:9") if card.id in models else card for card in SHIPPED.all()]
    return FileCatalogue(cards, {})


@dataclass(frozen=True, slots=True)
class House:
    """A queue with one production that keeps golden shots of two models."""

    queue: Queue
    tenant: UUID
    production: UUID

    async def round(self, catalogue: FileCatalogue, *, now: datetime = NOW, read: Any = None) -> int:
        """What a turn of the dispatcher queues, run on a worker that reads `read`; how many looks it was."""
        await queue_golden_watches(self.queue.desk, catalogue, now=now)
        rings = await self.queue.pick()
        for ring in rings:
            step = await self.queue.claim(ring)
            assert step is not None
            if step.kind == "golden_watch":
                await watch_golden(self.queue.app, read or catalogue, step)
        return len(rings)

    async def runs(self) -> list[tuple[str, list[str]]]:
        rows = await self.queue.connection.fetch(
            "select reason, only_models::text as models from golden_runs order by change_key"
        )
        return [(row["reason"], row["models"]) for row in rows]


async def house(queue: Queue, *, on_change: bool = True, every_days: int | None = None) -> House:
    tenant = await queue.tenant()
    await queue.worker(notify=8)
    production = new_id()
    async with queue.app.tenant(tenant) as session:
        session.add(Production(id=production, tenant_id=tenant, code="AGM", title="x"))
        await session.flush()
        for model in (CORE, ULTRA):
            await _golden(session, tenant, production, model)
        session.add(
            GoldenRules(
                tenant_id=tenant,
                production_id=production,
                on_change=on_change,
                every_days=every_days,
                max_usd=Decimal(1),
                next_at=NOW + timedelta(days=every_days) if every_days else None,
                changed_by=new_id(),
                changed_at=NOW,
                version=1,
            )
        )
    return House(queue, tenant, production)


async def _golden(session: Any, tenant: UUID, production: UUID, model: str) -> None:
    generation, take, media = new_id(), new_id(), new_id()
    card = SHIPPED.get(model)
    assert card is not None
    session.add(
        MediaFile(
            id=media,
            tenant_id=tenant,
            production_id=production,
            role="take",
            name="x.png",
            media_type="image/png",
            size=1,
            sha256="0" * 64,
            rights_basis="owned",
            state="ready",
        )
    )
    session.add(
        Generation(
            id=generation,
            tenant_id=tenant,
            production_id=production,
            kind="concept_art",
            model_id=model,
            state="succeeded",
            ledger_entry_id=new_id(),
        )
    )
    await session.flush()
    session.add(
        Take(
            id=take,
            tenant_id=tenant,
            generation_id=generation,
            number=1,
            state="succeeded",
            estimate_usd=Decimal("0.04"),
            media_id=media,
        )
    )
    await session.flush()
    session.add(
        GoldenShot(
            tenant_id=tenant,
            production_id=production,
            generation_id=generation,
            take_id=take,
            media_id=media,
            kind="concept_art",
            model_id=model,
            fingerprint=card.fingerprint,
            seed=7,
            name=b"sealed",
            aspects=[],
            thresholds={},
            created_by=new_id(),
        )
    )


async def test_a_changed_model_begins_one_run_and_no_second_one(database: Database) -> None:
    """Whoever looks how often, and whatever else changes meanwhile: each change of a model is answered once."""
    async with queue_on(database) as queue:
        at = await house(queue)
        assert (
            await at.round(SHIPPED) == 1
        )  # nothing differs: looked at once, and again when the catalogue changes
        assert await at.round(SHIPPED) == 0
        assert await at.runs() == []
        for catalogue in (changed(CORE), changed(CORE), changed(CORE, "luma.ray-v2:0")):
            await at.round(catalogue)
        assert await at.runs() == [("catalogue_changed", f'["{CORE}"]')]
        await at.round(changed(CORE, ULTRA))
        assert await at.runs() == [
            ("catalogue_changed", f'["{CORE}"]'),
            ("catalogue_changed", f'["{ULTRA}"]'),
        ]


async def test_a_schedule_runs_on_its_day_only(database: Database) -> None:
    """A version swapped behind the same id shows in no catalogue: every so many days everything is made again."""
    async with queue_on(database) as queue:
        at = await house(queue, on_change=False, every_days=7)
        assert await at.round(changed(CORE), now=NOW + timedelta(days=6)) == 0
        for _ in range(2):
            await at.round(SHIPPED, now=NOW + timedelta(days=7, minutes=1))
        assert await at.runs() == [("scheduled", "[]")]
        await at.round(SHIPPED, now=NOW + timedelta(days=14, hours=1))
        assert len(await at.runs()) == 2


async def test_a_worker_that_reads_another_catalogue_waits_and_forgets_nothing(database: Database) -> None:
    """In the middle of a roll-out nobody knows what changed: the change is found once all read the same."""
    async with queue_on(database) as queue:
        at = await house(queue)
        await at.round(changed(CORE), read=SHIPPED)
        assert await at.runs() == []
        await queue.connection.execute("update steps set run_at = now() where kind = 'golden_watch'")
        await at.round(changed(CORE), read=SHIPPED)  # still another one: the dispatcher is to ask again
        await at.round(changed(CORE))
        assert await at.runs() == [("catalogue_changed", f'["{CORE}"]')]
