"""Models that a production chooses: locks that refuse others, fallbacks, re-routes, clearances."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.embedded.stack import Stack
from tests.events import told
from tests.gateway import Client, Studio

SD35 = "stability.sd3-5-large-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
WAIT = {"Prefer": "wait=30"}


@dataclass(slots=True)
class Production:
    """A production of a studio, with a person who may decide for it."""

    studio: Studio
    manager: Client
    id: str

    async def choose(self, kind: str = "concept_art", *, match: str | None = None, **body: Any) -> Any:
        headers = {"If-Match": match} if match else {}
        place = f"/v1/productions/{self.id}/models/{kind}"
        return await self.manager.call("PUT", place, json=body, headers=headers)

    async def told(self, event_type: str, at_least: int) -> list[Any]:
        """What was told of this production."""
        found = await told(self.studio, at_least=at_least, event_type=event_type, production_id=self.id)
        return [each["data"] for each in found]

    async def generation(self, kind: str = "concept_art", **more: Any) -> Any:
        body = {"production_id": self.id, "kind": kind, "prompt": "a battle at dusk", **more}
        return await self.studio.post("/v1/generations", body, headers=WAIT)


@pytest.fixture
async def production(studio: Studio) -> Production:
    made = await studio.production()
    return Production(studio, await studio.person("production_manager", "approver"), made["id"])


@dataclass(slots=True)
class Offline:
    stack: Stack
    studio: Studio

    async def fault(self, kind: str, model: str, count: int) -> None:
        await self._call("POST", {"kind": kind, "model": model, "count": count})

    async def none(self) -> None:
        await self._call("DELETE", None)

    async def _call(self, method: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {self.stack.facts.bedrock_admin_token}"}
        url = f"{self.stack.bedrock_url}/_offline/faults"
        async with self.studio.http.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()


@pytest.fixture
async def offline(running: Stack, studio: Studio) -> AsyncIterator[Offline]:
    made = Offline(running, studio)
    yield made
    await made.none()


async def test_a_locked_kind_refuses_other_models_and_only_people_change_it(production: Production) -> None:
    """A request that names another model is told which one is locked and who may change that; one that names none, or an
    allowed one, gets the production's."""
    place = f"/v1/productions/{production.id}/models/concept_art"
    by_key = await production.studio.call("PUT", place, json={"model": ULTRA})
    assert (by_key.status, by_key.json["code"]) == (403, "person_required")
    made = await production.choose(model=ULTRA, allowed=[SD35], reason="the look of the show")
    assert (made.status, made.json["source"], made.json["reason"]) == (201, "locked", "the look of the show")
    refused = await production.studio.post(
        "/v1/quotes", {"production_id": production.id, "kind": "concept_art", "prompt": "x", "model": CORE}
    )
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "model_locked")
    assert ULTRA in refused.json["errors"][0]["message"]
    quotes = [
        await production.studio.post(
            "/v1/quotes",
            {"production_id": production.id, "kind": "concept_art", "prompt": "x", **named},
        )
        for named in ({}, {"model": SD35})
    ]
    assert [each.json["model"] for each in quotes] == [ULTRA, SD35]


async def test_an_edit_names_the_choice_that_it_was_made_from(production: Production) -> None:
    """A change without If-Match, or from an older choice, is refused; giving the choice up brings the default back."""
    first = await production.choose(model=ULTRA)
    assert (await production.choose(model=CORE)).status == 428
    second = await production.choose(model=CORE, match=first.headers["ETag"])
    assert (second.status, second.json["choice_version"]) == (200, 2)
    assert (await production.choose(model=SD35, match=first.headers["ETag"])).status == 412
    place = f"/v1/productions/{production.id}/models/concept_art"
    gone = await production.manager.call("DELETE", place, headers={"If-Match": second.headers["ETag"]})
    after = await production.studio.get(place)
    assert (gone.status, after.json["source"], "ETag" in after.headers) == (204, "default", False)
    changes = [each["model"] for each in await production.told("model_choice.changed", 3)]
    assert sorted(changes, key=str) == sorted([ULTRA, CORE, None], key=str)


async def test_everything_wrong_with_a_choice_is_told_at_once(production: Production) -> None:
    """Unknown, ended and unfit models are named by where they stand, an ended one with its successor."""
    wrong = await production.choose(
        "previs_shot",
        model="amazon.nova-reel-v1:1",
        allowed=["no.such-model"],
        fallback={"order": [ULTRA]},
    )
    assert wrong.status == 422
    found = {each["pointer"]: each["code"] for each in wrong.json["errors"]}
    assert found == {
        "/model": "model_ended",
        "/allowed/0": "unknown_model",
        "/fallback/order/0": "kind_not_served",
    }


async def test_every_kind_and_task_is_listed_with_its_model(production: Production) -> None:
    """Also those without a choice, with the catalogue's default, its fingerprint and what is known of its end."""
    await production.choose("shot_prompt", model="us.amazon.nova-lite-v1:0", locked=False)
    listed = await production.studio.get(f"/v1/productions/{production.id}/models")
    by_kind = {each["kind"]: each for each in listed.json["data"]}
    assert {"script_breakdown", "shot_prompt", "concept_art", "upscale", "previs_shot"} <= by_kind.keys()
    assert by_kind["shot_prompt"]["source"] == "chosen"
    model = by_kind["concept_art"]["model"]
    assert (model["model"], model["changed"], model["days_left"]) == (SD35, None, None)
    assert len(model["fingerprint"]) == 64


async def test_a_fallback_makes_what_the_model_could_not(production: Production, offline: Offline) -> None:
    """Each take ends as it ended and stays; a new one on the production's next model says instead of which and why, and
    is told: first for a model that stays busy, then for one that may not be called."""
    await production.choose(model=SD35, fallback={"order": [ULTRA, CORE]})
    await offline.fault("throttle", SD35, 3)
    await offline.fault("access_denied", ULTRA, 1)
    made = await production.generation()
    busy, denied, last = made.json["takes"]
    assert (busy["failure"]["code"], busy["rung"], busy["cost_usd"]) == ("model_throttled", None, "0.000000")
    assert (denied["failure"]["code"], denied["rung"]) == ("model_access_denied", "fallback")
    assert (last["state"], last["rung"]) == ("succeeded", "fallback")
    assert [take["retry_of"] for take in (denied, last)] == [busy["id"], denied["id"]]
    said = [(take["changes"]["model"], take["changes"]["instead_of"]) for take in (denied, last)]
    assert said == [(ULTRA, SD35), (CORE, ULTRA)]
    assert [take["changes"]["because"] for take in (denied, last)] == ["throttle", "outage"]
    told = await production.told("take.fell_back", 2)
    assert [(each["take_id"], each["model"], each["because"]) for each in told] == [
        (denied["id"], ULTRA, "throttle"),
        (last["id"], CORE, "outage"),
    ]


async def test_a_list_that_is_used_up_ends_with_what_happened(
    production: Production, offline: Offline
) -> None:
    """Each model of the list is asked once, in its order; after the last one nobody else is, and nothing is asked again."""
    await production.choose(model=ULTRA, fallback={"order": [CORE, SD35], "on": ["filter"]})
    for model in (ULTRA, CORE, SD35):
        await offline.fault("filter_prompt", model, 1)
    made = await production.generation()
    takes = made.json["takes"]
    assert [take["state"] for take in takes] == ["filtered"] * 3
    assert [(take["changes"] or {}).get("model") for take in takes] == [None, CORE, SD35]
    assert [take["changes"]["because"] for take in takes[1:]] == ["filter", "filter"]
    assert [take["retry_of"] for take in takes] == [None, takes[0]["id"], takes[1]["id"]]
    assert made.json["finished_at"] is not None


async def test_a_filtered_take_is_offered_elsewhere_and_nothing_is_sent_by_itself(
    production: Production, offline: Offline
) -> None:
    """Without `filter` in the fallback it stays filtered; beside its refusal stand the shot's clearance and the models
    that would take it; one is asked when somebody says so."""
    shot = await production.studio.shot(production.id)
    place = f"/v1/shots/{shot['id']}/clearances"
    statement = {"subjects": ["battle", "blood"], "statement": "Cleared by counsel for the siege."}
    assert (await production.studio.post(place, statement)).status == 403
    cleared = await production.manager.post(place, statement)
    assert cleared.status == 201
    await production.choose(model=SD35, allowed=[CORE], fallback={"order": [ULTRA]})
    await offline.fault("filter_prompt", SD35, 1)
    made = await production.generation(shot_id=shot["id"])
    (take,) = made.json["takes"]
    assert take["state"] == "filtered"
    assert made.json["clearances"] == [cleared.json["id"]]
    offered = await production.studio.get(f"/v1/takes/{take['id']}/reroutes")
    assert {route["model"] for route in offered.json["data"]} == {CORE, ULTRA}
    assert offered.json["clearances"][0]["subjects"] == ["battle", "blood"]
    assert "statement" not in offered.json["clearances"][0]
    elsewhere = {"model": "us.stability.stable-image-style-guide-v1:0", "reason": "try it"}
    assert (await production.studio.post(f"/v1/takes/{take['id']}/reroute", elsewhere)).status == 422
    asked = {"model": CORE, "reason": "Cleared for battle; Core took the last one."}
    again = await production.studio.post(f"/v1/takes/{take['id']}/reroute", asked)
    assert (again.status, again.json["rung"], again.json["retry_of"]) == (202, "reroute", take["id"])
    assert again.json["changes"]["model"] == CORE
    acts = (await production.studio.get(f"/v1/takes/{take['id']}/acts")).json["data"]
    assert [(act["act"], act["reason"]) for act in acts] == [("reroute", asked["reason"])]
    assert (await production.manager.call("DELETE", f"{place}/{cleared.json['id']}")).status == 204
    assert (await production.studio.get(place)).json["data"][0]["ended_at"] is not None
