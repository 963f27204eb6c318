"""Batches over HTTP: checked as a whole, accepted at once, paused, canceled, and told of once."""

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Client, Reply, Studio

BATCHES = "/v1/generation-batches"
JSONL = "application/x-ndjson"


@pytest.fixture(scope="module")
async def production(studio: Studio) -> str:
    """A production with forty shots."""
    made = await studio.production()
    lines = "\n".join(json.dumps({"code": f"S_{number:03}"}) for number in range(1, 41))
    imported = await studio.call(
        "POST",
        f"/v1/productions/{made['id']}/shots/import",
        data=lines,
        headers={"Content-Type": "application/jsonl"},
    )
    assert imported.json["created"] == 40
    return str(made["id"])


async def send(
    studio: Client, production: str, file: str, content_type: str = JSONL, *, key: str = "", **query: Any
) -> Reply:
    given = "&".join(f"{name}={value}" for name, value in {"production_id": production, **query}.items())
    headers = {"Content-Type": content_type, **({"Idempotency-Key": key} if key else {})}
    return await studio.call("POST", f"{BATCHES}?{given}", data=file, headers=headers)


def rows(count: int, **more: Any) -> str:
    return "\n".join(
        json.dumps({"shot": f"S_{number:03}", "prompt": f"fog over quay {number}", **more})
        for number in range(1, count + 1)
    )


async def ended(studio: Client, place: str) -> Any:
    async with asyncio.timeout(40):
        while True:
            batch = (await studio.get(place)).json
            if batch["completed_at"]:
                return batch
            await asyncio.sleep(0.2)


async def told(studio: Client, batch_id: str) -> list[str]:
    """The types of the events of a batch that has ended, in their order."""
    found: list[str] = []
    after, more = "", True
    async with asyncio.timeout(20):
        while more or "batch.completed" not in found:
            page = (await studio.get(f"/v1/events?limit=200{after}")).json
            found += [each["type"] for each in page["data"] if each["data"].get("batch_id") == batch_id]
            after, more = f"&after={page['after']}", page["more"]
            if not more:
                await asyncio.sleep(0.05)
    return found


def examples() -> dict[str, str]:
    """The files that the documentation shows, by their form."""
    text = (Path(__file__).parents[2] / "docs" / "batches.md").read_text()
    return dict(re.findall(r"```(jsonl|csv|json)\n(.*?)```", text, re.DOTALL))


async def test_the_documents_three_files_are_the_same_requests(studio: Studio, production: str) -> None:
    """CSV, JSON lines and a timeline that say the same are planned and priced alike."""
    shown = examples()
    said = []
    for form, content_type in (
        ("jsonl", JSONL),
        ("csv", "text/csv"),
        ("json", "application/vnd.opentimelineio+json"),
    ):
        answer = await send(studio, production, shown[form], content_type, dry_run=True)
        assert answer.status == 200, answer.body
        assert answer.json["batch"] is None
        report = answer.json
        said.append((report["quote"], [{**row, "line": None} for row in report["rows"]]))
    assert said[0] == said[1] == said[2]
    assert [(row["shot"], row["outcome"], row["takes"]) for row in said[0][1]] == [
        ("S_001", "accepted", 20),
        ("S_002", "accepted", 10),
    ]


async def test_one_refused_row_refuses_all_and_says_why(studio: Studio, production: str) -> None:
    """Every row is reported with pointers into it, nothing is written; `skip_refused` takes the good ones."""
    file = "\n".join(
        [
            json.dumps({"shot": "S_001", "kind": "concept_art", "prompt": "a pier"}),
            json.dumps({"shot": "NOWHERE", "kind": "concept_art", "prompt": "a pier"}),
            json.dumps(
                {"shot": "S_002", "kind": "set_extension", "prompt": "a pier", "inputs": {"plate": "no.exr"}}
            ),
            json.dumps({"shot": "S_003", "kind": "concept_art", "promt": "a pier", "takes": "many"}),
            json.dumps({"shot": "S_001", "kind": "concept_art", "prompt": "a pier", "depicts": ["NOBODY"]}),
            "not json",
        ]
    )
    before = (await studio.get(f"/v1/generations?production_id={production}")).json["data"]
    refused = await send(studio, production, file)
    assert (refused.status, refused.json["code"]) == (422, "rows_refused")
    report = refused.json["report"]
    assert (report["accepted"], report["refused"], report["batch"]) == (1, 5, None)
    assert [
        (row["line"], sorted((each["pointer"], each["code"]) for each in row["violations"]))
        for row in report["rows"]
    ] == [
        (1, []),
        (2, [("/shot", "unknown_shot")]),
        (3, [("/inputs/plate", "unknown_media")]),
        (4, [("/promt", "extra_forbidden"), ("/takes", "int_parsing")]),
        (5, [("/depicts/0", "unknown_character")]),
        (6, [("", "malformed_json")]),
    ]
    assert (await studio.get(f"/v1/generations?production_id={production}")).json["data"] == before
    kept = await send(studio, production, file, skip_refused=True)
    assert (kept.status, kept.json["batch"]["generations"], kept.json["batch"]["refused_rows"]) == (202, 1, 5)
    await ended(studio, kept.headers["Location"])


async def test_a_batch_is_made_once_and_told_once(studio: Studio, production: str) -> None:
    """A repeat with the same key makes nothing; the end is told once, also when a take is retried afterwards."""
    key = secrets.token_hex(8)
    asked = {"kind": "concept_art", "takes": 1, "external_ref": "ep104"}
    file = rows(3) + "\n" + json.dumps({"shot": "S_001", "prompt": "fog over quay 1"})
    made = await send(studio, production, file, key=key, **asked)
    assert made.status == 202, made.body
    assert [row["warnings"] != [] for row in made.json["rows"]] == [False, False, False, True]
    again = await send(studio, production, file, key=key, **asked)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == made.body
    place = made.headers["Location"]
    batch = await ended(studio, place)
    assert batch["state"] == "completed"
    assert batch["progress"]["takes"] == {"succeeded": 4}
    assert batch["progress"]["generations_finished"] == batch["generations"] == 4
    assert batch["progress"]["cost_usd"] == batch["quote_usd"]
    page = (await studio.get(f"{place}/generations?limit=3")).json
    assert [each["batch_line"] for each in page["data"]] == [1, 2, 3]
    rest = (await studio.get(f"{place}/generations?limit=3&cursor={page['next_cursor']}")).json
    assert [each["shot"] for each in rest["data"]] == ["S_001"]
    table = (await studio.get(f"{place}/report.csv")).body.decode().splitlines()
    assert [line.split(",")[:2] for line in table[1:]] == [
        ["1", "S_001"],
        ["2", "S_002"],
        ["3", "S_003"],
        ["4", "S_001"],
    ]
    assert await told(studio, batch["id"]) == ["batch.completed"]
    late = await studio.post(f"{place}/pause")
    assert (late.status, late.json["code"]) == (409, "batch_ended")


async def test_a_paused_batch_calls_no_model_until_it_is_resumed(
    running: Any, http: Any, studio: Studio, production: str
) -> None:
    """What was asked for later overtakes it; what a model has accepted is finished; a cancel ends the rest at no cost."""
    made = await send(studio, production, rows(12), kind="concept_art", takes=5)
    assert made.status == 202, made.body
    place = made.headers["Location"]
    paused = await studio.post(f"{place}/pause")
    assert paused.json["state"] == "paused"
    waiting = await _still(studio, place)
    assert waiting > 30
    before = await _calls(running, http)
    later = {"production_id": production, "kind": "concept_art", "prompt": "a lighthouse"}
    assert (await studio.post("/v1/generations", later, headers={"Prefer": "wait=30"})).status == 200
    assert await _calls(running, http) == before + 1
    assert (await studio.get(place)).json["progress"]["takes"]["queued"] == waiting
    assert (await studio.post(f"{place}/resume")).json["state"] == "running"
    async with asyncio.timeout(20):
        while (await studio.get(place)).json["progress"]["takes"].get("queued", 0) == waiting:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    assert (await studio.post(f"{place}/cancel")).json["state"] in {"canceling", "canceled"}
    batch = await ended(studio, place)
    assert batch["state"] == "canceled"
    assert set(batch["progress"]["takes"]) <= {"canceled", "succeeded"}
    assert sum(batch["progress"]["takes"].values()) == 60
    assert float(batch["progress"]["reserved_usd"]) == 0
    assert await told(studio, batch["id"]) == [
        "batch.paused",
        "batch.resumed",
        "batch.canceled",
        "batch.completed",
    ]


async def _still(studio: Client, place: str) -> int:
    """Wait until nothing of the batch is with a model; return how many takes wait."""
    async with asyncio.timeout(20):
        while True:
            takes = (await studio.get(place)).json["progress"]["takes"]
            if "running" not in takes:
                return int(takes["queued"])
            await asyncio.sleep(0.1)


async def _calls(running: Any, http: Any) -> int:
    """How many calls the model server has seen."""
    headers = {"Authorization": f"Bearer {running.facts.bedrock_admin_token}"}
    async with http.get(f"{running.bedrock_url}/_offline/calls?limit=10000", headers=headers) as answer:
        return len((await answer.json())["calls"])


async def test_rows_past_a_budget_are_held_in_their_order(studio: Studio) -> None:
    """Rows take room one after the other, as if each had been asked for by itself; the rest waits for a person."""
    own = (await studio.production())["id"]
    for code in ("A", "B", "C"):
        await studio.shot(own, code)
    people = await studio.everybody()
    price = (await send(studio, own, '{"shot": "A", "prompt": "x"}', kind="concept_art", dry_run=True)).json
    one = float(price["quote"]["total_usd"])
    budget = await people.call("PUT", f"/v1/budgets/productions/{own}", json={"hard_usd": f"{one * 2.5:.6f}"})
    assert budget.status == 201, budget.body
    file = "\n".join(json.dumps({"shot": code, "prompt": "x"}) for code in ("A", "B", "C"))
    dry = await send(studio, own, file, kind="concept_art", dry_run=True)
    made = await send(studio, own, file, kind="concept_art")
    for answer in (dry, made):
        assert [row["outcome"] for row in answer.json["rows"]] == ["accepted", "accepted", "held"]
        assert answer.json["rows"][2]["holds"][0]["reason"] == "budget"
    batch = (await studio.get(made.headers["Location"])).json
    assert batch["progress"]["held"] == {"budget": 1}
