"""Budgets, usage and quotes as a studio asks for them."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway import Client, Studio

PICTURE = Decimal("0.08")


@pytest.fixture
async def manager(studio: Studio) -> Client:
    return await studio.person("production_manager", name="Max", subject="max")


async def put(who: Client, path: str, match: str | None = None, **body: Any) -> Any:
    headers = {"If-Match": match} if match else {}
    return await who.call("PUT", f"/v1/budgets/{path}", json=body, headers=headers)


def request(production: Any, **members: Any) -> dict[str, Any]:
    return {"production_id": production["id"], "kind": "concept_art", "prompt": "A lighthouse", **members}


async def ended(studio: Studio, made: Any) -> Any:
    """The generation's takes, once none of them waits for a model any more."""
    takes = made.json["takes"]
    while any(take["state"] in {"queued", "running"} for take in takes):
        again = await studio.get(f"/v1/generations/{made.json['id']}", headers={"Prefer": "wait=20"})
        takes = again.json["takes"]
    return takes


async def test_a_budget_is_kept_by_a_person_who_read_it(studio: Studio, manager: Client) -> None:
    """Keys and people without the role can't set one, a blind edit is refused, and what is read is what was set."""
    production = await studio.production()
    path = f"productions/{production['id']}"
    assert (await put(studio, path, hard_usd="1")).json["code"] == "person_required"
    assert (await put(await studio.person("approver"), path, hard_usd="1")).json["code"] == "missing_role"
    assert (await put(manager, path, soft_usd="2", hard_usd="1")).status == 422
    assert (await put(manager, path, note="nothing")).status == 422
    made = await put(manager, path, soft_usd="0.5", hard_usd="1", note="the pitch")
    assert (made.status, made.headers["ETag"], made.json["left_usd"]) == (201, '"1"', "1.000000")
    assert (await put(manager, path, hard_usd="2")).status == 428
    assert (await put(manager, path, '"7"', hard_usd="2")).status == 412
    changed = await put(manager, path, '"1"', hard_usd="2.5", note="a longer pitch")
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    read = await studio.get(f"/v1/budgets/{path}")
    assert read.json == changed.json
    assert (read.json["soft_usd"], read.json["hard_usd"], read.json["note"]) == (
        None, "2.500000", "a longer pitch",
    )  # fmt: skip
    listed = await studio.get(f"/v1/budgets?production_id={production['id']}")
    assert listed.json["data"] == [read.json]
    removed = await manager.call("DELETE", f"/v1/budgets/{path}", headers={"If-Match": '"2"'})
    assert removed.status == 204
    assert (await studio.get(f"/v1/budgets/{path}")).status == 404


async def test_what_passes_a_hard_budget_waits_and_runs_once_when_there_is_room(
    studio: Studio, manager: Client
) -> None:
    """The second request is held and says why; a release doesn't wave it through; after a raise it runs, once."""
    production = await studio.production()
    path = f"productions/{production['id']}"
    assert (await put(manager, path, hard_usd="0.10")).status == 201
    first = await ended(studio, await studio.post("/v1/generations", request(production)))
    assert first[0]["state"] == "succeeded"
    quote = (await studio.post("/v1/quotes", request(production))).json
    assert quote["budget"]["room"] is False
    assert "$0.02 is left" in quote["budget"]["lines"][0]["says"]
    [price] = quote["prices"]
    assert (price["purpose"], price["usd"], price["source"]) == ("takes", "0.08", quote["lines"][0]["source"])
    second = await studio.post("/v1/generations", request(production))
    assert second.json["takes"][0]["state"] == "held"
    [hold] = (await studio.get(f"/v1/holds?generation_id={second.json['id']}")).json["data"]
    assert (hold["reason"], hold["lines"][0]["rule"]) == ("budget", "budget.production")
    release = f"/v1/holds/{hold['id']}/release"
    refused = await manager.post(release)
    assert (refused.status, refused.json["code"]) == (409, "budget_exhausted")
    assert (await put(manager, path, '"1"', hard_usd="0.16")).status == 200
    assert (await manager.post(release)).status == 200
    assert (await manager.post(release)).status in {200, 409}
    released = await studio.get(f"/v1/generations/{second.json['id']}")
    assert [take["state"] for take in await ended(studio, released)] == ["succeeded"]
    budget = (await studio.get(f"/v1/budgets/{path}")).json
    assert {name: Decimal(budget[name]) for name in ("spent_usd", "reserved_usd", "left_usd")} == {
        "spent_usd": 2 * PICTURE, "reserved_usd": 0, "left_usd": 0,
    }  # fmt: skip


async def test_usage_shows_what_a_kept_take_came_to_and_what_the_shot_saved(studio: Studio) -> None:
    """Three takes for one kept: the rejected are paid for too. As a table the same numbers stand."""
    production = await studio.production()
    shot = await studio.shot(production["id"])
    bid = await studio.call(
        "PATCH",
        f"/v1/shots/{shot['id']}",
        json={"conventional_bid_usd": "12500.00"},
        headers={"If-Match": "*"},
    )
    assert bid.json["conventional_bid_usd"] == "12500.00"
    made = await studio.post("/v1/generations", request(production, shot_id=shot["id"], takes=3))
    takes = await ended(studio, made)
    reviewer = await studio.person("approver", "reviewer")
    circled = await reviewer.post(f"/v1/takes/{takes[1]['id']}/circle")
    assert circled.status in {200, 201}, circled.body
    path = f"/v1/usage?production_id={production['id']}&group_by=shot"
    usage = (await studio.get(path)).json
    [group] = usage["data"]
    assert (group["shot_code"], group["takes"], group["made"], group["circled"]) == (shot["code"], 3, 3, 1)
    assert Decimal(group["cost_per_circled_take_usd"]) == 3 * PICTURE
    assert Decimal(group["generation_ratio"]) == 3
    assert Decimal(group["saving_usd"]) == Decimal(12500) - 3 * PICTURE
    assert usage["total"] == {name: group[name] for name in usage["total"]}
    by_person = (await studio.get(f"{path}&group_by=person".replace("group_by=shot&", ""))).json["data"]
    assert [(row["person_id"], row["api_key_id"] is None) for row in by_person] == [(None, False)]
    table = await studio.get(path, headers={"Accept": "text/csv"})
    [row, total] = csv.DictReader(io.StringIO(table.body.decode()))
    assert (row["shot_code"], total["shot_code"]) == (shot["code"], "total")
    assert row["cost_per_circled_take_usd"] == total["cost_per_circled_take_usd"] == "0.240000"
    assert (await studio.get("/v1/usage?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z")).status == 422
