"""Review: circled takes become versions, people approve what others asked for, and what waits is told to those it waits for."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from services.embedded.stack import Stack
from tests.events import told
from tests.gateway import Client, Studio, onboard


@dataclass(slots=True)
class House:
    """A studio of these tests' own, its people, and takes that Rita asked for."""

    studio: Studio
    rita: Client
    rob: Client
    ada: Client
    mo: Client
    production: Any
    takes: list[Any]

    async def circled(self, number: int) -> str:
        """The id of a take, circled by Rob."""
        take_id: str = self.takes[number]["id"]
        circled = await self.rob.post(f"/v1/takes/{take_id}/circle")
        assert circled.status == 200, circled.body
        return take_id

    async def version(self, number: int, by: Client | None = None) -> Any:
        take_id = await self.circled(number)
        made = await (by or self.rob).post(f"/v1/takes/{take_id}/versions", {"note": "the lamp reads well"})
        assert made.status == 201, made.body
        return made.json

    async def status(self, version: Any, status: str, by: Client | None = None) -> Any:
        return await (by or self.ada).post(f"/v1/versions/{version['id']}/status", {"status": status})

    async def download(self, media_id: str) -> tuple[int, Any]:
        granted = await self.studio.post(f"/v1/media/{media_id}/download")
        return granted.status, granted.json


@pytest.fixture(scope="module")
async def house(running: Stack, http: aiohttp.ClientSession) -> House:
    studio = await onboard(http, running)
    rita = await studio.person("requester", "approver", name="Rita")
    rob = await studio.person("reviewer", name="Rob")
    ada = await studio.person("approver", name="Ada")
    mo = await studio.person("production_manager", name="Mo")
    production = await studio.production("AGM")
    made = await rita.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "a quay in fog", "takes": 4},
        headers={"Prefer": "wait=30"},
    )
    assert made.status == 200, made.body
    return House(studio, rita, rob, ada, mo, production, made.json["takes"])


async def test_a_circled_take_is_reviewed_and_approved_by_somebody_else(house: House) -> None:
    """It gets the next number, every step of it is kept, and its requester can't approve it though an approver."""
    early = await house.rob.post(f"/v1/takes/{house.takes[0]['id']}/versions")
    assert (early.status, early.json["code"]) == (409, "take_not_circled")
    version = await house.version(0)
    assert (version["status"], version["you_can"][:2]) == ("wfa", ["wip", "retake"])
    again = await house.rob.post(f"/v1/takes/{house.takes[0]['id']}/versions")
    assert (again.json["code"], again.json["version_id"]) == ("version_exists", version["id"])
    own = await house.status(version, "approved", by=house.rita)
    assert (own.status, own.json["code"]) == (403, "own_work")
    assert (await house.status(version, "approved", by=house.rob)).json["code"] == "missing_role"
    approved = await house.status(version, "approved")
    assert (approved.status, approved.json["status"]) == (200, "approved")
    undone = await house.rob.post(f"/v1/takes/{version['take_id']}/uncircle")
    assert (undone.status, undone.json["code"]) == (409, "version_approved")
    noted = await house.ada.post(
        f"/v1/versions/{version['id']}/notes",
        {
            "note": "grain is heavy here",
            "frame": 1012,
            "region": {"left": 0.5, "top": 0, "width": 0.25, "height": 1},
        },
    )
    assert noted.status == 201, noted.body
    notes = (await house.studio.get(f"/v1/versions/{version['id']}/notes")).json["data"]
    assert [(note["note"], note["to_status"]) for note in notes] == [
        ("grain is heavy here", None),
        (None, "approved"),
        ("the lamp reads well", "wfa"),
    ]
    log = (await house.studio.get(f"/v1/authorship-entries?take_id={version['take_id']}")).json["data"]
    assert [(entry["what"], entry["person_id"], bool(entry["act_id"])) for entry in log] == [
        ("selected", version["submitted_by"], True)
    ]
    events = await told(house.studio, at_least=2, version_id=version["id"])
    assert [(event["type"], event["data"]["state"]) for event in events] == [
        ("version.submitted", "wfa"),
        ("version.status_changed", "approved"),
    ]
    assert "lamp" not in str(events)


async def test_two_submissions_at_once_get_two_numbers(house: House) -> None:
    """Numbers are given one at a time, whoever asks at the same moment."""
    made = await asyncio.gather(house.version(1), house.version(2))
    numbers = sorted(version["number"] for version in made)
    assert numbers[1] == numbers[0] + 1


async def test_a_key_takes_no_part_in_review(house: House) -> None:
    """Whatever its scopes, a key submits, approves, notes, records and rules nothing; it may look."""
    key, anything = house.studio, "01a00000-0000-7000-8000-000000000000"
    production = house.production["id"]
    for path, body in (
        (f"/v1/takes/{house.takes[0]['id']}/versions", {}),
        (f"/v1/versions/{anything}/status", {"status": "approved"}),
        (f"/v1/versions/{anything}/notes", {"note": "x"}),
        (
            "/v1/consultations",
            {"production_id": production, "role": "director", "name": "Jo", "held_on": "2026-11-01"},
        ),
        (
            "/v1/authorship-entries",
            {"take_id": house.takes[0]["id"], "what": "painted", "done_on": "2026-11-01"},
        ),
    ):
        refused = await key.post(path, body)
        assert (refused.status, refused.json["code"]) == (403, "person_required"), path
    ruled = await key.call("PUT", "/v1/review-rules", json={"approved_before_download": False})
    assert (ruled.status, ruled.json["code"]) == (403, "person_required")
    assert (await key.get("/v1/inbox")).json["code"] == "person_required"
    assert (await key.get(f"/v1/versions?production_id={production}")).status == 200


async def test_full_resolution_waits_for_the_approval_where_the_studio_says_so(house: House) -> None:
    """Neither the take nor the same bytes under another role; its preview always; all of it once approved."""
    rule = {"approved_before_download": True}
    assert (await house.rob.call("PUT", "/v1/review-rules", json=rule)).json["code"] == "missing_role"
    assert (await house.mo.call("PUT", "/v1/review-rules", json=rule)).status == 200
    take = house.takes[3]
    file = (await house.studio.get(f"/v1/media/{take['media_id']}")).json
    copied = await house.studio.post(
        "/v1/media",
        {
            "production_id": house.production["id"],
            "role": "reference",
            "name": "ref.png",
            "rights_basis": "owned",
            **{name: file[name] for name in ("media_type", "size", "sha256")},
        },
    )
    assert copied.status == 201, copied.body
    copy = await house.studio.get(f"/v1/media/{copied.json['id']}", headers={"Prefer": "wait=20"})
    assert copy.json["state"] == "ready"
    for media_id in (take["media_id"], copy.json["id"]):
        status, problem = await house.download(media_id)
        assert (status, problem["code"], problem["take_id"]) == (409, "approval_required", take["id"])
    preview = await _preview(house.studio, take["id"])
    assert (await house.download(preview["media_id"]))[0] == 200
    version = await house.version(3)
    assert (await house.download(take["media_id"]))[0] == 409
    assert (await house.status(version, "approved")).status == 200
    assert (await house.download(take["media_id"]))[0] == 200
    await house.status(version, "retake")
    assert (await house.download(take["media_id"]))[0] == 409
    await house.mo.call("PUT", "/v1/review-rules", json={"approved_before_download": False})


async def test_a_preview_is_small_signed_and_of_one_viewer(house: House) -> None:
    """Made once for each viewer; its manifest is trusted, and its bytes are nobody else's."""
    take = house.takes[1]["id"]
    mine, again, theirs = [await _preview(caller, take) for caller in (house.studio, house.studio, house.rob)]
    assert mine == again
    assert mine["media_id"] != theirs["media_id"]
    files = [(await house.studio.get(f"/v1/media/{each['media_id']}")).json for each in (mine, theirs)]
    assert files[0]["sha256"] != files[1]["sha256"]
    assert {file["role"] for file in files} == {"proxy"}
    assert max(files[0]["width"], files[0]["height"]) <= 1280
    granted = await house.studio.post(f"/v1/media/{mine['media_id']}/download")
    async with house.studio.http.get(granted.json["url"]) as fetched:
        assert hashlib.sha256(await fetched.read()).hexdigest() == files[0]["sha256"]
    verified = await house.studio.post(
        "/v1/verify", {"media_id": mine["media_id"]}, headers={"Prefer": "wait=20"}
    )
    assert verified.json["status"] == "trusted", verified.body
    assert (await house.ada.get(f"/v1/takes/{take}/preview")).status == 404


async def _preview(caller: Client, take_id: str) -> Any:
    asked = await caller.post(f"/v1/takes/{take_id}/preview", headers={"Prefer": "wait=20"})
    assert (asked.status, asked.json["state"]) == (200, "ready"), asked.body
    return asked.json


async def test_an_inbox_shows_what_its_owner_may_decide(house: House) -> None:
    """The oldest first, page by page, and nothing that somebody asked for themselves."""
    production = await house.studio.production()
    switch = f"/v1/productions/{production['id']}/labour-action"
    await house.mo.call("PUT", switch, json={"on": True})
    asked = {"production_id": production["id"], "kind": "concept_art", "prompt": "a pier"}
    held = (await house.rita.post("/v1/generations", asked)).json["holds"][0]
    own = (await house.mo.post("/v1/generations", asked)).json["holds"][0]
    shown = (await house.mo.get("/v1/inbox")).json["data"]
    assert held["id"] in {item["id"] for item in shown}
    assert own["id"] not in {item["id"] for item in shown}
    (item,) = [item for item in shown if item["id"] == held["id"]]
    assert (item["kind"], item["reason"], item["you_can"]) == (
        "hold",
        "labour_action",
        ["release", "decline"],
    )
    assert item["href"] == f"/v1/holds/{held['id']}"
    waiting = (await house.ada.get("/v1/inbox")).json["data"]
    assert {item["kind"] for item in waiting} == {"version"}
    first = (await house.ada.get("/v1/inbox?limit=1")).json
    second = (await house.ada.get(f"/v1/inbox?limit=1&cursor={first['next_cursor']}")).json
    assert [*first["data"], *second["data"]] == waiting[:2]
    await house.mo.call("PUT", switch, json={"on": False})


CONSULT = b"""\
pack: consult-first
version: 1
dated: 2026-11-22
title: House rules
sources:
  memo: {title: A memo, document: memo 4, date: 2026-11, seen: read}
rules:
  - id: designer
    says: Concept art is talked over with the production designer.
    outcome: notify
    when: {kind: {is: concept_art}}
    requires: [{consultation: production_designer}]
    source: memo
"""


async def test_a_policy_pack_can_want_a_consultation_before_an_approval(house: House) -> None:
    """What was asked for without it runs as the rule says; approved it is only once the talk is on record."""
    counsel = await house.studio.person("rights_clearance_manager", name="Lea")
    made = await house.studio.call(
        "POST", "/v1/policy-packs", data=CONSULT, headers={"Content-Type": "application/yaml"}
    )
    assert made.status == 201, made.body
    signature = {"version": 1, "sha256": made.json["sha256"], "reference": "memo 4"}
    await counsel.post("/v1/policy-packs/consult-first/signatures", signature)
    production = (await house.studio.production())["id"]
    chosen = {"packs": [{"pack_id": "consult-first", "version": 1}]}
    await counsel.call("PUT", f"/v1/productions/{production}/policy-packs", json=chosen)
    asked = await house.rita.post(
        "/v1/generations",
        {"production_id": production, "kind": "concept_art", "prompt": "a quay"},
        headers={"Prefer": "wait=30"},
    )
    take = asked.json["takes"][0]["id"]
    await house.rob.post(f"/v1/takes/{take}/circle")
    version = (await house.rob.post(f"/v1/takes/{take}/versions")).json
    refused = await house.status(version, "approved")
    assert (refused.status, refused.json["code"]) == (409, "not_approvable")
    assert [each["code"] for each in refused.json["missing"]] == ["consultation_required"]
    said = {"production_id": production, "role": "production_designer", "held_on": "2026-11-20"}
    assert (await house.mo.post("/v1/consultations", {**said, "name": "Pat"})).status == 201
    assert (await house.status(version, "approved")).status == 200


async def test_consultations_and_authorship_are_kept_as_they_were_entered(house: House) -> None:
    """With whom, when, about what; who painted. What doesn't exist or hasn't happened is refused with a pointer."""
    said = {"production_id": house.production["id"], "role": "director", "held_on": "2026-11-01"}
    nobody = await house.mo.post("/v1/consultations", said)
    assert nobody.status == 422
    future = await house.mo.post("/v1/consultations", {**said, "name": "Jo", "held_on": "2199-01-01"})
    assert [error["pointer"] for error in future.json["errors"]] == ["/held_on"]
    made = await house.mo.post("/v1/consultations", {**said, "name": "Jo Doe", "note": "agreed to the fog"})
    assert made.status == 201, made.body
    read = (await house.studio.get(f"/v1/consultations/{made.json['id']}")).json
    assert (read["name"], read["note"], read["held_on"]) == ("Jo Doe", "agreed to the fog", "2026-11-01")
    entry = {"take_id": house.takes[2]["id"], "what": "painted", "done_on": "2026-11-02"}
    painted = await house.rob.post("/v1/authorship-entries", {**entry, "name": "Kim Lee"})
    assert (painted.status, painted.json["name"]) == (201, "Kim Lee")
    stranger = await house.rob.post("/v1/authorship-entries", {**entry, "person_id": house.production["id"]})
    assert [error["code"] for error in stranger.json["errors"]] == ["unknown_person"]
