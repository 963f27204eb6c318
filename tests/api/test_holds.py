"""What waits for a person: held before any model is called, decided by somebody else, run once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.gateway import Client, Studio


async def _ask(studio: Client, production: Any, **more: Any) -> Any:
    asked = await studio.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "a quay in fog", **more},
    )
    assert asked.status == 202, asked.body
    return asked.json


async def _switch(manager: Client, production: Any, *, on: bool) -> Any:
    switched = await manager.call("PUT", f"/v1/productions/{production['id']}/labour-action", json={"on": on})
    assert switched.status == 200, switched.body
    return switched.json


async def test_a_labour_action_holds_everything_and_its_end_runs_it_once(studio: Studio) -> None:
    """One switch: what is asked meanwhile is accepted and held, and runs when the switch is off."""
    manager = await studio.person("production_manager")
    production = await studio.production()
    assert (await _switch(manager, production, on=True))["on"] is True
    held = await _ask(studio, production, takes=2)
    assert [take["hold_reason"] for take in held["takes"]] == ["labour_action"] * 2
    assert held["state"] == "held"
    (hold,) = held["holds"]
    assert hold["released_by"] == ["production_manager"]
    refused = await manager.post(f"/v1/holds/{hold['id']}/release")
    assert (refused.status, refused.json["code"]) == (409, "labour_action")
    await asyncio.gather(*(_switch(manager, production, on=False) for _ in range(3)))
    done = await studio.get(f"/v1/generations/{held['id']}", headers={"Prefer": "wait=30"})
    assert [take["state"] for take in done.json["takes"]] == ["succeeded"] * 2
    assert [each["state"] for each in done.json["holds"]] == ["lifted"]


async def test_a_key_cannot_decide_a_hold(studio: Studio) -> None:
    """Releasing is an act of a person, whatever the key's scopes."""
    manager = await studio.person("production_manager")
    production = await studio.production()
    await _switch(manager, production, on=True)
    hold = (await _ask(studio, production))["holds"][0]
    for act in ("release", "decline"):
        refused = await studio.post(f"/v1/holds/{hold['id']}/{act}")
        assert (refused.status, refused.json["code"]) == (403, "person_required")


async def test_nobody_decides_their_own_request(studio: Studio) -> None:
    """The requester is told so, and who can: somebody else with the role."""
    requester = await studio.person("requester", "production_manager", name="Rae")
    other = await studio.person("production_manager", name="Mo")
    production = await studio.production()
    await _switch(other, production, on=True)
    hold = (await _ask(requester, production))["holds"][0]
    refused = await requester.post(f"/v1/holds/{hold['id']}/decline")
    assert (refused.status, refused.json["code"]) == (403, "own_request")
    told = (await requester.get(f"/v1/holds/{hold['id']}")).json
    assert "Mo" in {each["name"] for each in told["can_release"]}
    assert "Rae" not in {each["name"] for each in told["can_release"]}


async def test_a_declined_hold_cancels_what_it_kept_at_no_cost(studio: Studio) -> None:
    """Declined: the takes end, the note is kept, and the same decision again changes nothing."""
    manager = await studio.person("production_manager")
    production = await studio.production()
    await _switch(manager, production, on=True)
    asked = await _ask(studio, production)
    hold = asked["holds"][0]
    for _ in range(2):
        declined = await manager.post(f"/v1/holds/{hold['id']}/decline", {"note": "not this week"})
        assert (declined.status, declined.json["state"]) == (200, "declined")
    assert declined.json["note"] == "not this week"
    take = (await studio.get(f"/v1/generations/{asked['id']}")).json["takes"][0]
    assert (take["state"], take["billed"], take["cost_usd"]) == ("canceled", "false", "0.000000")
    again = await manager.post(f"/v1/holds/{hold['id']}/release")
    assert (again.status, again.json["code"]) == (409, "hold_decided")


async def test_what_nobody_decided_by_its_deadline_expires_at_no_cost(studio: Studio) -> None:
    """A held request keeps its deadline: it doesn't wait for ever."""
    manager = await studio.person("production_manager")
    production = await studio.production()
    await _switch(manager, production, on=True)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    asked = await _ask(studio, production, deadline=soon.isoformat())
    done = await studio.get(f"/v1/generations/{asked['id']}", headers={"Prefer": "wait=30"})
    (take,) = done.json["takes"]
    assert (take["state"], take["cost_usd"]) == ("expired", "0.000000")
    assert done.json["holds"][0]["state"] == "lifted"


async def test_a_canceled_request_leaves_no_hold_behind(studio: Studio) -> None:
    """What was canceled waits for nobody any more."""
    manager = await studio.person("production_manager")
    production = await studio.production()
    await _switch(manager, production, on=True)
    asked = await _ask(studio, production)
    canceled = await studio.post(f"/v1/generations/{asked['id']}/cancel")
    assert canceled.json["state"] == "canceled"
    assert canceled.json["holds"][0]["state"] == "lifted"
