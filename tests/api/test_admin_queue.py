"""The operator's view of the queue, dead letters, models and webhooks, against the running stack."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from circletake.kit import clock
from circletake.records.base import Record
from circletake.records.events import Event, WebhookDelivery, WebhookEndpoint
from circletake.records.session import Database
from circletake.records.steps import Step
from services.embedded.stack import Stack
from tests.gateway import Client, Studio, onboard


async def as_superuser(stack: Stack, statement: str, *values: object) -> Any:
    connection = await asyncpg.connect(stack.superuser_url("circletake", driver="postgresql"))
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


async def as_owner(stack: Stack, rows: Sequence[Record]) -> None:
    database = Database(stack.database_url("owner"), pool_size=1)
    async with database.role() as session:
        session.add_all(rows)
    await database.close()


async def finished(studio: Studio) -> dict[str, Any]:
    """A take that was made."""
    production = await studio.production()
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": "CU a brass key, rain"}
    asked = await studio.post("/v1/generations", body, headers={"Prefer": "wait=30"})
    assert asked.json["state"] == "succeeded", asked.body
    return asked.json["takes"][0]


async def dead_letter(stack: Stack, studio: Studio) -> tuple[str, str]:
    """Leave a take and its step as burying leaves them; return the ids of the step and of the take."""
    take = await finished(studio)
    take_id = UUID(take["id"])
    await as_superuser(
        stack, "update takes set state = 'failed', failure_code = 'dead_letter' where id = $1", take_id
    )
    step_id = await as_superuser(
        stack,
        "update steps set state = 'dead', trouble = 'worker_lost' where id ="
        " (select id from steps where take_id = $1 and kind <> 'bury' order by id limit 1) returning id",
        take_id,
    )
    return str(step_id), take["id"]


async def dead_letters(operator: Client, studio: Studio) -> list[str]:
    page = await operator.get(f"/admin/v1/dead-letters?tenant_id={studio.tenant_id}")
    return [each["id"] for each in page.json["data"]]


async def takes_of(studio: Studio, generation_id: str) -> list[dict[str, Any]]:
    read = await studio.get(f"/v1/generations/{generation_id}", headers={"Prefer": "wait=30"})
    return read.json["takes"]


@pytest.fixture
async def own(running: Stack, http: aiohttp.ClientSession) -> Studio:
    return await onboard(http, running)


async def test_the_queue_names_every_lane_with_its_workers(operator: Client, own: Studio) -> None:
    """Depth, age and who is there to work, also for a lane with nothing in it."""
    await finished(own)  # by now a worker has beaten
    queue = (await operator.get("/admin/v1/queue")).json
    lanes = {each["lane"]: each for each in queue["lanes"]}
    assert {"generate", "async", "finish", "notify", "inspect", "isolation"} <= lanes.keys()
    assert lanes["generate"]["slots"] >= lanes["generate"]["workers"] >= 1
    assert queue["dispatcher_alive"] is True
    assert set(queue["steps"]) == {"ready", "rung", "running", "external", "dead"}


async def test_the_oldest_due_step_of_a_suspended_studio_shows_its_age(
    operator: Client, own: Studio, running: Stack
) -> None:
    """What nobody works on grows old in sight of the operator; what waits for its time is told apart."""
    await operator.post(f"/admin/v1/tenants/{own.tenant_id}/suspend")
    now = clock.now()
    waiting = [
        Step(
            tenant_id=UUID(own.tenant_id), kind="nothing", lane="inspect", run_at=now + timedelta(hours=hours)
        )
        for hours in (-2, 2)
    ]
    await as_owner(running, waiting)
    lanes = {each["lane"]: each for each in (await operator.get("/admin/v1/queue")).json["lanes"]}
    assert lanes["inspect"]["ready"] >= 1
    assert lanes["inspect"]["deferred"] >= 1
    assert lanes["inspect"]["oldest_ready_seconds"] >= 7000
    await as_superuser(
        running, "delete from steps where tenant_id = $1 and kind = 'nothing'", UUID(own.tenant_id)
    )


async def test_steps_are_found_by_tenant_and_state_page_by_page(operator: Client, own: Studio) -> None:
    """Every step of one studio comes once; somebody else's doesn't."""
    await finished(own)
    seen: list[dict[str, Any]] = []
    place = f"/admin/v1/steps?tenant_id={own.tenant_id}&state=done&limit=1"
    cursor: str | None = ""
    while cursor is not None:
        page = (await operator.get(place + (f"&cursor={cursor}" if cursor else ""))).json
        seen += page["data"]
        cursor = page["next_cursor"]
    assert {each["kind"] for each in seen} >= {"generate", "finish"}
    assert {each["tenant_id"] for each in seen} == {own.tenant_id}
    assert len({each["id"] for each in seen}) == len(seen)


async def test_no_step_shows_what_was_asked(operator: Client, own: Studio) -> None:
    """The operator sees ids and states, never a prompt."""
    await finished(own)
    shown = await operator.get(f"/admin/v1/steps?tenant_id={own.tenant_id}")
    assert b"brass" not in shown.body


async def test_a_requeued_dead_letter_becomes_a_new_take(
    operator: Client, own: Studio, running: Stack
) -> None:
    """The failed take stays as it is, the new one says whose retry it is and is really made."""
    step_id, take_id = await dead_letter(running, own)
    assert await dead_letters(operator, own) == [step_id]
    requeued = await operator.post(f"/admin/v1/dead-letters/{step_id}/requeue")
    assert (requeued.status, requeued.json["retry_of"]) == (202, take_id)
    takes = {each["id"]: each for each in await takes_of(own, requeued.json["generation_id"])}
    assert takes[take_id]["state"] == "failed"
    assert takes[requeued.json["take_id"]]["state"] == "succeeded"
    assert await dead_letters(operator, own) == []


async def test_requeueing_twice_makes_one_take(operator: Client, own: Studio, running: Stack) -> None:
    """Two operators who press at once pay once."""
    step_id, _ = await dead_letter(running, own)
    answers = await asyncio.gather(
        *(operator.post(f"/admin/v1/dead-letters/{step_id}/requeue") for _ in range(4))
    )
    made = {each.json["take_id"] for each in answers if each.status == 202}
    assert len(made) == 1
    assert {each.status for each in answers} <= {202, 409}
    generation_id = next(each.json["generation_id"] for each in answers if each.status == 202)
    assert len(await takes_of(own, generation_id)) == 2
    late = await operator.post(f"/admin/v1/dead-letters/{step_id}/requeue")
    assert (late.status, late.json["code"]) == (409, "not_a_dead_letter")


async def test_a_discarded_dead_letter_is_put_away_and_its_take_stays(
    operator: Client, own: Studio, running: Stack
) -> None:
    """Nothing is made again; the step can still be found."""
    step_id, take_id = await dead_letter(running, own)
    assert (await operator.post(f"/admin/v1/dead-letters/{step_id}/discard")).status == 204
    assert await dead_letters(operator, own) == []
    assert (await own.get(f"/v1/takes/{take_id}")).json["state"] == "failed"
    done = (await operator.get(f"/admin/v1/steps?tenant_id={own.tenant_id}&state=done")).json["data"]
    assert {each["trouble"] for each in done if each["id"] == step_id} == {"discarded"}


async def test_a_step_that_is_not_dead_is_left_alone(operator: Client, own: Studio) -> None:
    """Only dead letters can be requeued or discarded; an unknown one is not found."""
    await finished(own)
    step = (await operator.get(f"/admin/v1/steps?tenant_id={own.tenant_id}&limit=1")).json["data"][0]
    unknown = "00000000-0000-7000-8000-000000000000"
    for act in ("requeue", "discard"):
        refused = await operator.post(f"/admin/v1/dead-letters/{step['id']}/{act}")
        assert (refused.status, refused.json["code"]) == (409, "not_a_dead_letter")
        assert (await operator.post(f"/admin/v1/dead-letters/{unknown}/{act}")).status == 404


async def test_a_dead_step_without_a_take_can_only_be_discarded(
    operator: Client, own: Studio, running: Stack
) -> None:
    """What it was for has ended; the answer says so instead of doing nothing."""
    await finished(own)
    step_id = await as_superuser(
        running,
        "update steps set state = 'dead' where tenant_id = $1 and kind = 'sheet' returning id",
        UUID(own.tenant_id),
    )
    refused = await operator.post(f"/admin/v1/dead-letters/{step_id}/requeue")
    assert (refused.status, refused.json["code"]) == (409, "nothing_to_requeue")
    assert (await operator.post(f"/admin/v1/dead-letters/{step_id}/discard")).status == 204


async def test_a_models_ceiling_is_moved_and_ended_models_have_none(operator: Client) -> None:
    """The catalogue shows the cap now; a model that has ended is called by nobody."""
    place = "/admin/v1/models/luma.ray-v2:0"
    before = {each["id"]: each for each in (await operator.get("/admin/v1/models")).json["data"]}
    assert before["amazon.nova-canvas-v1:0"]["lifecycle"] == "eol"
    assert before["amazon.nova-canvas-v1:0"]["max_running"] is None
    old = before["luma.ray-v2:0"]["max_running"]
    changed = await operator.call("PATCH", place, json={"max_running": 2})
    assert (changed.json["max_running"], changed.json["cap"]) == (2, 2.0)
    assert (await operator.call("PATCH", place, json={"max_running": 0})).status == 422
    await operator.call("PATCH", place, json={"max_running": old})
    for unknown in ("no.such-model", "amazon.nova-canvas-v1:0"):
        missing = await operator.call("PATCH", f"/admin/v1/models/{unknown}", json={"max_running": 2})
        assert missing.status == 404


async def test_webhook_health_tells_what_is_owed_to_whom(
    operator: Client, own: Studio, running: Stack
) -> None:
    """A studio whose endpoint fails is seen, with what waits for it; one without endpoints isn't listed."""
    silent = await onboard(own.http, running)
    tenant_id = UUID(own.tenant_id)
    endpoint = WebhookEndpoint(
        tenant_id=tenant_id,
        url="https://hooks.example",
        event_types=[],
        state="active",
        failing_since=clock.now(),
    )
    event = Event(tenant_id=tenant_id, type="take.queued")
    await as_owner(running, [endpoint, event])
    await as_owner(
        running, [WebhookDelivery(tenant_id=tenant_id, endpoint_id=endpoint.id, event_id=event.id)]
    )
    listed: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        place = f"/admin/v1/webhook-health?limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = (await operator.get(place)).json
        listed |= {each["tenant_id"]: each for each in page["data"]}
        cursor = page["next_cursor"]
    mine = listed[own.tenant_id]
    assert (mine["active"], mine["disabled"], mine["failing"], mine["pending"]) == (1, 0, 1, 1)
    assert mine["oldest_pending_at"]
    assert "hooks.example" not in str(mine)
    assert silent.tenant_id not in listed
