"""The register of everything AI made in a production: over HTTP, and read from a database full of takes."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from circletake.adapters.kms.seal import AesSeal
from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.read_register import GENERATIONS_AT_ONCE, read_register

SEAL = AesSeal(bytes(32), UUID(int=1))
START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


async def register_of(studio, production):
    answer = await studio.get(f"/v1/productions/{production['id']}/ai-register.csv")
    assert answer.status == 200, answer.body
    return answer, list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def test_an_empty_production_has_a_register_with_a_header_only(studio):
    """From the first day there is a register, under the production's own name."""
    production = await studio.production()
    answer, rows = await register_of(studio, production)
    assert rows == []
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (
        answer.headers["Content-Disposition"]
        == f'attachment; filename="{production["code"]}-ai-register.csv"'
    )
    assert answer.body.startswith(b"shot,shot_external_ref,generation,kind,take_number,")


async def test_every_take_that_was_asked_for_is_in_the_register(studio):
    """A take stands there with its shot, its model and who asked, before it has run."""
    production = await studio.production()
    shot = await studio.post(
        f"/v1/productions/{production['id']}/shots", {"code": "AGM_0010", "external_ref": "=sg:1"}
    )
    asked = await studio.post(
        "/v1/generations",
        {
            "production_id": production["id"],
            "shot_id": shot.json["id"],
            "kind": "concept_art",
            "prompt": "a storm over the harbour",
            "takes": 2,
        },
    )
    assert asked.status == 202, asked.body
    answer, rows = await register_of(studio, production)
    assert [row["take"] for row in rows] == [take["id"] for take in asked.json["takes"]]
    assert {row["shot"] for row in rows} == {"AGM_0010"}
    assert {row["shot_external_ref"] for row in rows} == {"'=sg:1"}
    assert {row["requested_by"] for row in rows} == {"pipeline"}
    assert {row["model"] for row in rows} == {asked.json["model"]}
    assert {row["request_ledger_entry"] for row in rows} == {asked.json["ledger_entry_id"]}
    assert b"harbour" not in answer.body


async def test_the_register_as_json_lines(studio):
    """A machine reads the same takes, one object per line, with values as they are."""
    production = await studio.production()
    asked = await studio.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "a harbour", "takes": 2},
    )
    path = f"{studio.base}/v1/productions/{production['id']}/ai-register.jsonl"
    async with studio.http.get(path, headers={"Authorization": f"Bearer {studio.key}"}) as answer:
        assert answer.content_type == "application/jsonl"
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [(line["take"], line["take_number"]) for line in lines] == [
        (take["id"], take["number"]) for take in asked.json["takes"]
    ]
    assert lines[0]["shot"] is None


class Records:
    """A tenant's rows, written as the database's superuser."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.tenant = new_id()

    async def insert(self, table: str, **values: object) -> UUID:
        row = {"id": new_id(), **values}
        if table != "tenants":
            row["tenant_id"] = self.tenant
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.connection.execute(
            f"insert into {table} ({', '.join(row)}) values ({places})", *row.values()
        )
        return row["id"]

    async def begin(self) -> UUID:
        """Make the tenant, its production and its key; return the production's id."""
        await self.insert(
            "tenants", id=self.tenant, slug=f"t{self.tenant.hex[-8:]}", name="T", state="active",
            region="us-west-2", weight=1, max_running=1,
        )  # fmt: skip
        self.production = await self.insert("productions", code="AGM", title="A", version=1)
        self.key = await self.key_named("pipeline")
        return self.production

    async def key_named(self, name: str) -> UUID:
        return await self.insert(
            "api_keys", key_id=new_id().hex, secret_hash=b"", name=name, scopes=["read"], expires_at=START
        )

    async def generation(self, at: datetime, shot: UUID | None = None) -> UUID:
        return await self.insert(
            "generations", created_at=at, production_id=self.production, shot_id=shot, kind="set_extension",
            model_id="model", controls="{}", controls_report="[]", context_refs="{}", strict=False, state="succeeded",
            requested_by=self.key, event_seq=0, ledger_entry_id=new_id(),
        )  # fmt: skip

    async def take(self, generation: UUID, number: int, **values: object) -> UUID:
        values = {"state": "succeeded", "circled": False, "rejected": False, **values}
        return await self.insert(
            "takes", generation_id=generation, number=number, estimate_usd=0, cancel_requested=False, **values
        )

    async def media(self, sha256: str, **values: object) -> UUID:
        return await self.insert(
            "media_files", production_id=self.production, role="plate", name="n", media_type="image/png",
            size=1, sha256=sha256, rights_basis="owned", state="ready", **values,
        )  # fmt: skip

    async def act(self, take: UUID, act: str, key: UUID, at: datetime) -> None:
        await self.insert("take_acts", take_id=take, act=act, api_key_id=key, created_at=at)


@pytest.fixture
async def records(database) -> AsyncIterator[Records]:
    connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        yield Records(connection)
    finally:
        await connection.close()


@pytest.fixture
async def app(database) -> AsyncIterator[Connections]:
    connections = Connections(database.url("app"), pool_size=1)
    yield connections
    await connections.close()


async def test_a_finished_take_stands_with_all_that_proves_it(records, app):
    """Inputs, output, cost, manifest, ledger entry; and who circled it last, though others did before."""
    production = await records.begin()
    editor = await records.key_named("editorial")
    shot = await records.insert("shots", production_id=production, code="AGM_0010", version=1)
    plate, output = (
        await records.media("aa" * 32),
        await records.media(
            "bb" * 32, manifest_urn="urn:c2pa:7", digital_source_type="compositeWithTrainedAlgorithmicMedia"
        ),
    )
    generation = await records.generation(START, shot)
    await records.insert("generation_inputs", generation_id=generation, slot="plate", media_id=plate)
    entry = new_id()
    take = await records.take(
        generation, 1, media_id=output, circled=True, billed="true", cost_usd=1, seed=5, seed_used=6,
        ledger_entry_id=entry,
    )  # fmt: skip
    uncircled = await records.take(generation, 2, rejected=True)
    for minute, (act, key) in enumerate((("circle", records.key), ("uncircle", editor), ("circle", editor))):
        await records.act(take, act, key, START + timedelta(minutes=minute))
    await records.act(uncircled, "circle", editor, START)
    await records.act(uncircled, "reject", editor, START)
    ((first, second),) = [page async for page in read_register(app, SEAL, records.tenant, production)]
    assert (first.shot, first.requested_by, first.circled_by) == ("AGM_0010", "pipeline", "editorial")
    assert first.circled_at == START + timedelta(minutes=2)
    assert [(used.slot, used.media_id, used.sha256) for used in first.inputs] == [("plate", plate, "aa" * 32)]
    assert (first.output_media, first.output_sha256, first.manifest_urn) == (output, "bb" * 32, "urn:c2pa:7")
    assert (first.seed, first.billed, first.ledger_entry) == (6, "true", entry)
    assert first.digital_source_type == "compositeWithTrainedAlgorithmicMedia"
    assert (second.circled, second.circled_by, second.rejected) == (False, None, True)


async def test_a_long_register_is_read_page_by_page_and_complete(records, app):
    """Every take once, oldest request first, also where many requests came in the same moment; one connection is
    enough, because none is held between pages."""
    production = await records.begin()
    for number in range(GENERATIONS_AT_ONCE * 2 + 1):
        generation = await records.generation(START + timedelta(seconds=number // 150))
        await records.take(generation, 2)
        await records.take(generation, 1)
    lines = [line async for page in read_register(app, SEAL, records.tenant, production) for line in page]
    assert len({line.take for line in lines}) == len(lines) == GENERATIONS_AT_ONCE * 4 + 2
    order = [(line.requested_at, line.generation, line.take_number) for line in lines]
    assert order == sorted(order)


async def test_the_register_never_shows_another_studio_s_takes(records, app):
    """Asked for a foreign production, the reading finds nothing."""
    production = await records.begin()
    await records.take(await records.generation(START), 1)
    assert [page async for page in read_register(app, SEAL, new_id(), production)] == []
