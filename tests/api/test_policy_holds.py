"""What a production's packs say, done: held until somebody else releases it, refused with its rules, or told."""

import secrets
from typing import Any

import pytest

from tests.gateway import Client, Studio


@pytest.fixture(scope="module")
async def ruled(studio: Studio) -> Any:
    """A production that goes by a pack with one rule of each outcome."""
    name = f"house-{secrets.token_hex(4)}"
    text = f"""\
pack: {name}
version: 1
dated: 2026-11-22
title: House rules
sources: {{memo: {{title: A memo, document: memo 4, date: 2026-11, seen: read}}}}
rules:
  - id: finals
    says: Finals are approved first.
    outcome: needs_approval
    when: {{deliverable_stage: {{is: final}}}}
    source: memo
  - id: data
    says: Counsel looks at personal data first.
    outcome: needs_approval
    when: {{involves_personal_data: {{is: true}}}}
    released_by: [rights_clearance_manager]
    source: memo
  - id: ads
    says: This house makes no advertising.
    outcome: prohibited
    when: {{intended_use: {{is: advertising}}}}
    source: memo
  - id: told
    says: Everybody is told of what is made.
    outcome: notify
    when: always
    source: memo
"""
    counsel = await studio.person("rights_clearance_manager", name="Counsel", subject="counsel")
    await studio.call("POST", "/v1/policy-packs", data=text, headers={"Content-Type": "application/yaml"})
    await counsel.post(f"/v1/policy-packs/{name}/signatures", {"version": 1})
    production = await studio.production()
    chosen = await counsel.call(
        "PUT",
        f"/v1/productions/{production['id']}/policy-packs",
        json={"packs": [{"pack_id": name, "version": 1}]},
    )
    assert chosen.status == 200, chosen.body
    return {"production": production["id"], "pack": name, "counsel": counsel}


def wanted(ruled: Any, **use: Any) -> dict[str, Any]:
    return {
        "production_id": ruled["production"],
        "kind": "concept_art",
        "prompt": "a lighthouse at dawn",
        "use": use,
    }


async def _events(studio: Client, generation_id: str, event_type: str) -> list[Any]:
    answer = await studio.get(f"/v1/generations/{generation_id}/events")
    text = answer.body.decode()
    return [part for part in text.split("\n\n") if f"event: {event_type}" in part]


async def test_what_needs_approval_waits_for_somebody_else_and_runs_once(studio: Studio, ruled: Any) -> None:
    """Held with the rule that says why; the requester can't release it; an approver's release runs it once."""
    requester = await studio.person("requester", "approver", name="Rae", subject="rae")
    asked = await requester.post("/v1/generations", wanted(ruled, deliverable_stage="final"))
    assert asked.status == 202, asked.body
    assert [take["hold_reason"] for take in asked.json["takes"]] == ["awaiting_approval"]
    (hold,) = asked.json["holds"]
    assert hold["lines"] == [{"rule": f"{ruled['pack']}@1/finals", "says": "Finals are approved first."}]
    assert hold["released_by"] == ["approver"]
    own = await requester.post(f"/v1/holds/{hold['id']}/release")
    assert (own.status, own.json["code"]) == (403, "own_request")
    approver = await studio.person("approver", name="Ada", subject="ada")
    for _ in range(2):
        released = await approver.post(f"/v1/holds/{hold['id']}/release")
        assert released.json["state"] == "released"
    done = await studio.get(f"/v1/generations/{asked.json['id']}", headers={"Prefer": "wait=30"})
    assert [take["state"] for take in done.json["takes"]] == ["succeeded"]
    told = await _events(studio, asked.json["id"], "policy.notified")
    assert len(told) == 1
    assert f"{ruled['pack']}@1/told" in told[0]
    assert len(await _events(studio, asked.json["id"], "take.succeeded")) == 1
    frozen = (await studio.get(f"/v1/generations/{asked.json['id']}/policy-evaluation")).json
    assert (frozen["outcome"], {hit["rule"] for hit in frozen["hits"]}) == (
        "needs_approval",
        {"finals", "told"},
    )
    assert frozen["facts"]["deliverable_stage"] == "final"
    assert [each["version"] for each in frozen["packs"]] == [1]


async def test_rules_for_different_people_are_released_by_each_of_them(studio: Studio, ruled: Any) -> None:
    """An approver alone doesn't let go of what counsel has to look at; what counsel declines can't be retried."""
    asked = await studio.post(
        "/v1/generations", wanted(ruled, deliverable_stage="final", involves_personal_data=True)
    )
    by_roles = {tuple(hold["released_by"]): hold["id"] for hold in asked.json["holds"]}
    assert by_roles.keys() == {("approver",), ("rights_clearance_manager",)}
    approver = await studio.person("approver", name="Ada", subject="ada")
    await approver.post(f"/v1/holds/{by_roles['approver',]}/release")
    still = (await studio.get(f"/v1/generations/{asked.json['id']}")).json
    assert [take["state"] for take in still["takes"]] == ["held"]
    not_hers = await approver.post(f"/v1/holds/{by_roles['rights_clearance_manager',]}/release")
    assert (not_hers.status, not_hers.json["code"]) == (403, "missing_role")
    declined = await ruled["counsel"].post(f"/v1/holds/{by_roles['rights_clearance_manager',]}/decline")
    assert declined.json["state"] == "declined"
    (take,) = (await studio.get(f"/v1/generations/{asked.json['id']}")).json["takes"]
    again = await studio.post(f"/v1/takes/{take['id']}/retry")
    assert (take["state"], again.status, again.json["code"]) == ("canceled", 409, "hold_declined")


async def test_what_is_prohibited_is_refused_with_its_rules(studio: Studio, ruled: Any) -> None:
    """409 with every rule that forbids it, before anything is recorded; the dry run says the same."""
    request = wanted(ruled, intended_use="advertising", deliverable_stage="final")
    refused = await studio.post("/v1/generations", request)
    assert (refused.status, refused.json["code"]) == (409, "policy_prohibited")
    (rule,) = refused.json["rules"]
    assert (rule["pack_id"], rule["version"], rule["rule"]) == (ruled["pack"], 1, "ads")
    assert refused.json["detail"] == rule["says"] == "This house makes no advertising."
    dry = (await studio.post("/v1/policy-evaluations", request)).json
    assert (dry["outcome"], {hit["rule"] for hit in dry["hits"]}) == ("prohibited", {"finals", "ads", "told"})


async def test_a_retry_is_asked_about_again(studio: Studio, ruled: Any) -> None:
    """What was accepted before a rule held doesn't slip past it when it is made again."""
    place = f"/v1/productions/{(await studio.production())['id']}"
    manager = await studio.person("production_manager", name="Mo", subject="mo")
    await manager.call("PUT", f"{place}/labour-action", json={"on": True})
    request = {**wanted(ruled, deliverable_stage="final"), "production_id": place.rsplit("/", 1)[-1]}
    asked = await studio.post("/v1/generations", request)
    canceled = await studio.post(f"/v1/generations/{asked.json['id']}/cancel")
    (take,) = canceled.json["takes"]
    await manager.call("PUT", f"{place}/labour-action", json={"on": False})
    choice = {"packs": [{"pack_id": ruled["pack"], "version": 1}]}
    assert (await manager.call("PUT", f"{place}/policy-packs", json=choice)).status == 200
    again = await studio.post(f"/v1/takes/{take['id']}/retry")
    assert (again.status, again.json["code"]) == (409, "approval_needed"), again.body
    assert [each["rule"] for each in again.json["rules"]] == ["finals"]
