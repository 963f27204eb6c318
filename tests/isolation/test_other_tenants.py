"""Every route with another studio's ids: 404, exactly as for an unknown id, and nothing of it in the answer.

The routes are read from the gateway's own document, so a new one is under this test from its first day.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from services.embedded.stack import Stack
from tests.cast import character as known_character
from tests.cast import portrait
from tests.consenting import PDF, consent, performer, portrayal
from tests.consenting import character as character_played
from tests.gateway import Client, Studio

# A valid body for each operation that takes one, so that it is the id that is refused.
BODIES: dict[str, Any] = {
    "PATCH /v1/productions/{production_id}": {"title": "Mine now"},
    "PATCH /v1/episodes/{episode_id}": {"title": "Mine now"},
    "PATCH /v1/sequences/{sequence_id}": {"title": "Mine now"},
    "PATCH /v1/shots/{shot_id}": {"frame_in": 1},
    "PATCH /v1/characters/{character_id}": {"external_ref": "mine"},
    "PATCH /v1/looks/{look_id}": {"wardrobe": "mine"},
    "PATCH /v1/references/{reference_id}": {"figure": 0},
    "PATCH /v1/storyboards/{storyboard_id}": {"title": "Mine now"},
    "PATCH /v1/storyboards/{storyboard_id}/panels/{panel_id}": {"caption": "mine"},
    "PUT /v1/storyboards/{storyboard_id}/panels": {"panels": []},
    "PATCH /v1/script-breakdowns/{script_breakdown_id}": {"shots": []},
    "PATCH /v1/webhook-endpoints/{endpoint_id}": {"description": "Mine now"},
    "POST /v1/characters/{character_id}/looks": {"name": "mine"},
    "POST /v1/productions/{production_id}/characters": {"kind": "human", "script_name": "MARA"},
    "POST /v1/productions/{production_id}/episodes": {"code": "E01"},
    "POST /v1/productions/{production_id}/exposure-limits": {
        "metric": "screen_time",
        "value": "0.1",
        "action": "warn",
    },
    "POST /v1/productions/{production_id}/consistency-profiles": {"statistic": "minimum"},
    "POST /v1/policy-packs/{pack_id}/signatures": {"version": 1},
    "POST /v1/policy-packs/{pack_id}/signatures/{signature_id}/withdraw": {"reason": "no"},
    "POST /v1/productions/{production_id}/sequences": {"code": "S01"},
    "POST /v1/productions/{production_id}/shots": {"code": "X_0010"},
    "POST /v1/reference-sets/{reference_set_id}/references": {"media_id": str(uuid.uuid4())},
    "POST /v1/media/{media_id}/rights-records": {"basis": "owned"},
    "POST /v1/takes/{take_id}/reject": {"reason": "no"},
    "POST /v1/takes/{take_id}/reroute": {"model": "stability.stable-image-core-v1:1", "reason": "no"},
    "POST /v1/shots/{shot_id}/clearances": {"subjects": ["battle"], "statement": "mine"},
    "PUT /v1/productions/{production_id}/models/{kind}": {"model": "stability.stable-image-core-v1:1"},
    "POST /v1/takes/{take_id}/finish": {},
    "POST /v1/takes/{take_id}/feedback": {"rating": 3, "would_use_in_cut": False},
    "POST /v1/productions/{production_id}/golden-shots": {"take_id": str(uuid.uuid4()), "name": "mine"},
    "PUT /v1/productions/{production_id}/golden-rules": {"on_change": True, "golden_max_usd": "1"},
    "POST /v1/versions/{version_id}/status": {"status": "retake"},
    "POST /v1/versions/{version_id}/notes": {"note": "mine"},
    "POST /v1/webhook-endpoints/{endpoint_id}/recover": {"since": datetime.now(UTC).isoformat()},
    "POST /v1/characters/{character_id}/portrayals": {"performer_id": str(uuid.uuid4())},
    "POST /v1/characters/{character_id}/exemptions": {
        "performer_id": str(uuid.uuid4()),
        "kinds": ["cleanup"],
        "reason": "cosmetics",
        "explanation": "mine",
        "until": "2099-12-31",
    },
    "POST /v1/characters/{character_id}/synthetic-performer-notices": {
        "value_statement": "mine",
        "notice_on": "2026-11-01",
    },
    "POST /v1/performers/{performer_id}/consents": {"replica_type": "background"},
    "POST /v1/performers/{performer_id}/compensation-events": {
        "production_id": str(uuid.uuid4()),
        "basis": "fee",
        "amount": "1",
        "currency": "USD",
        "paid_at": "2026-11-20T10:00:00Z",
    },
    "PATCH /v1/performers/{performer_id}": {"external_ref": "mine"},
    "PATCH /v1/consents/{consent_id}": {"external_ref": "mine"},
    "PATCH /v1/synthetic-performer-notices/{notice_id}": {"bargaining_status": "agreed"},
    "PUT /v1/looks/{look_id}/shots": {"shot_ids": []},
    "PUT /v1/productions/{production_id}/time-zone": {"time_zone": "Europe/Berlin"},
    "PUT /v1/productions/{production_id}/labour-action": {"on": True},
    "PUT /v1/productions/{production_id}/policy-packs": {"packs": []},
    "PUT /v1/budgets/productions/{production_id}": {"hard_usd": "1"},
    "PUT /v1/budgets/shots/{shot_id}": {"hard_usd": "1"},
}
TOLD = {"role": "writer", "name": "x", "disclosed_at": "2026-11-20T10:00:00Z"}
PACK = b"""\
pack: secret-house
version: 1
dated: 2026-11-22
title: Secret rules
sources: {memo: {title: A memo, document: memo 4, date: 2026-11, seen: read}}
rules:
  - {id: finals, says: Ask first., outcome: notify, when: always, source: memo}
"""
# what isn't sent as JSON
FILES = {
    "POST /v1/productions/{production_id}/shots/import": ("text/csv", b"code\nX_0010\n"),
    "PUT /v1/consents/{consent_id}/document": ("application/pdf", b"%PDF-1.7"),
}
# their ids name what every studio shares
SHARED = {"model_id"}


@pytest.fixture(scope="session")
async def theirs(studio: Studio) -> dict[str, str]:
    """One of everything that the first studio owns, by the name of its path parameter."""
    production = await studio.production()
    place = f"/v1/productions/{production['id']}"
    episode = (await studio.post(f"{place}/episodes", {"code": "E01"})).json
    sequence = (await studio.post(f"{place}/sequences", {"code": "S01"})).json
    shot = await studio.shot(production["id"])
    made = await studio.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "a secret lighthouse"},
        headers={"Prefer": "wait=30"},
    )
    take = made.json["takes"][0]
    endpoint = (await studio.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"})).json
    verification = await studio.post("/v1/verify", {"take_id": take["id"]}, headers={"Prefer": "wait=20"})
    event = (await studio.get("/v1/events?limit=1")).json["data"][0]
    person = (await (await studio.person("reviewer")).get("/v1/me")).json
    character = await studio.post(f"{place}/characters", {"kind": "human", "script_name": "MARA"})
    look = await studio.post(f"/v1/characters/{character.json['id']}/looks", {"name": "storm"})
    references = await studio.post(f"/v1/looks/{look.json['id']}/reference-sets")
    reference = await studio.post(
        f"/v1/reference-sets/{references.json['id']}/references", {"media_id": take["media_id"]}
    )
    profile = await studio.post(f"{place}/consistency-profiles", {"statistic": "minimum"})
    known = await known_character(studio, production["id"], [portrait()], name="JUNE")
    check = await studio.post(
        "/v1/consistency-checks",
        {
            "production_id": production["id"],
            "subjects": [{"character_id": known["character"]}],
            "material": [{"take_id": take["id"]}],
        },
    )
    enforcement = await studio.post(
        "/v1/consistency-enforcements",
        {
            "generation_id": made.json["id"],
            "subjects": [{"character_id": known["character"]}],
            "max_attempts": 1,
            "max_cost_usd": "1",
        },
    )
    everybody = await studio.everybody()
    for budget in (f"productions/{production['id']}", f"shots/{shot['id']}"):
        made_budget = await everybody.call("PUT", f"/v1/budgets/{budget}", json={"hard_usd": "100"})
        assert made_budget.status == 201
    cut = await studio.post(f"{place}/cuts", {})
    limited = await everybody.post(
        f"{place}/exposure-limits", BODIES["POST /v1/productions/{production_id}/exposure-limits"]
    )
    assert (await everybody.post(f"/v1/takes/{take['id']}/circle")).status == 200
    version = await everybody.post(f"/v1/takes/{take['id']}/versions")
    consultation = await everybody.post(
        "/v1/consultations",
        {"production_id": production["id"], "role": "director", "name": "Jo", "held_on": "2026-11-01"},
    )
    stopped = (await studio.production())["id"]
    await everybody.call("PUT", f"/v1/productions/{stopped}/labour-action", json={"on": True})
    held = await studio.post(
        "/v1/generations", {"production_id": stopped, "kind": "concept_art", "prompt": "a secret quay"}
    )
    pack = await studio.call(
        "POST", "/v1/policy-packs", data=PACK, headers={"Content-Type": "application/yaml"}
    )
    signed = await everybody.post(f"/v1/policy-packs/{pack.json['pack_id']}/signatures", {"version": 1})
    disclosed = await studio.post(
        "/v1/disclosures", {**TOLD, "production_id": production["id"], "take_id": take["id"]}
    )
    ghost = await character_played(studio, production)
    performed = await performer(studio)
    played = await portrayal(studio, ghost, performed["id"])
    agreed = await consent(studio, performed["id"], production)
    paper = {"If-Match": "*", "Content-Type": "application/pdf"}
    kept = await studio.call("PUT", f"/v1/consents/{agreed['id']}/document", data=PDF, headers=paper)
    assert kept.status == 200
    exempted = await everybody.post(
        f"/v1/characters/{ghost}/exemptions",
        {
            "performer_id": performed["id"],
            "kinds": ["cleanup"],
            "reason": "cosmetics",
            "explanation": "a blemish",
            "until": "2099-12-31",
        },
    )
    noticed = await everybody.post(
        f"/v1/characters/{ghost}/synthetic-performer-notices",
        {"value_statement": "nobody could play it", "notice_on": "2026-11-01"},
    )
    boards = await _storyboard(studio, production["id"], take["id"])
    cleared = await everybody.post(
        f"/v1/shots/{shot['id']}/clearances", BODIES["POST /v1/shots/{shot_id}/clearances"]
    )
    golden = await everybody.post(
        f"{place}/golden-shots", {"take_id": take["id"], "name": "a secret picture"}
    )
    golden_run = await studio.post(f"{place}/golden-runs", {})
    batch = await studio.call(
        "POST",
        f"/v1/generation-batches?production_id={production['id']}&kind=concept_art",
        data='{"prompt": "a secret jetty"}',
        headers={"Content-Type": "application/jsonl"},
    )
    assert all([take["media_id"], verification.json["id"], event["id"], enforcement.json["id"]])
    return {
        "production_id": production["id"],
        "episode_id": episode["id"],
        "sequence_id": sequence["id"],
        "shot_id": shot["id"],
        **await _language(studio, production["id"], shot["id"]),
        "character_id": character.json["id"],
        "look_id": look.json["id"],
        "reference_set_id": references.json["id"],
        "reference_id": reference.json["id"],
        "profile_id": profile.json["id"],
        "check_id": check.json["id"],
        "enforcement_id": enforcement.json["id"],
        "generation_id": made.json["id"],
        "batch_id": batch.json["batch"]["id"],
        "take_id": take["id"],
        "version_id": version.json["id"],
        "consultation_id": consultation.json["id"],
        "media_id": take["media_id"],
        "endpoint_id": endpoint.get("id") or endpoint["endpoint"]["id"],
        "verification_id": verification.json["id"],
        "event_id": event["id"],
        "person_id": person["person_id"],
        "cut_id": cut.json["id"],
        "limit_id": limited.json["id"],
        "delivery_id": str(uuid.uuid4()),
        "cleared_face_id": str(uuid.uuid4()),
        "performer_id": performed["id"],
        "portrayal_id": played["id"],
        "consent_id": agreed["id"],
        "exemption_id": exempted.json["id"],
        "notice_id": noticed.json["id"],
        "hold_id": held.json["holds"][0]["id"],
        "pack_id": pack.json["pack_id"],
        "signature_id": signed.json["id"],
        "golden_shot_id": golden.json["id"],
        "golden_run_id": golden_run.json["id"],
        "disclosure_id": disclosed.json["id"],
        **boards,
        "clearance_id": cleared.json["id"],
        "kind": "concept_art",
    }


async def _language(studio: Studio, production: str, shot: str) -> dict[str, str]:
    page = {"production_id": production, "text": "INT. A SECRET QUAY - DAY"}
    notes = {"shot_id": shot, "kind": "concept_art", "notes": "a secret quay"}
    return {
        "script_breakdown_id": (await studio.post("/v1/script-breakdowns", page)).json["id"],
        "shot_prompt_id": (await studio.post("/v1/shot-prompts", notes)).json["id"],
    }


async def _storyboard(studio: Studio, production_id: str, take_id: str) -> dict[str, str]:
    """A storyboard of one panel, with what is drawn of it."""
    board = await studio.post("/v1/storyboards", {"production_id": production_id, "title": "a secret board"})
    place = f"/v1/storyboards/{board.json['id']}"
    panels = await studio.call(
        "PUT", f"{place}/panels", json={"panels": [{"take_id": take_id}]}, headers={"If-Match": "*"}
    )
    return {
        "storyboard_id": board.json["id"],
        "panel_id": panels.json["panels"][0]["id"],
        "drawing_id": (await studio.post(f"{place}/drawings")).json["id"],
        "animatic_id": (await studio.post(f"{place}/animatics", {})).json["id"],
    }


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        for method in methods:
            if "{" in path and not any("{" + name in path for name in SHARED):
                yield method.upper(), path


async def test_every_route_answers_another_studio_with_404(
    running: Stack, http: aiohttp.ClientSession, other_studio: Studio, theirs: dict[str, str]
) -> None:
    """A foreign id is answered exactly as an unknown one, and nothing of it is told."""
    async with http.get(f"{running.api_url}/v1/openapi.json") as answer:
        document = await answer.json()
    anybody = await other_studio.everybody()  # refused for nothing but the id
    wrong = []
    for method, path in _operations(document):
        foreign = await _call(anybody, method, path, theirs)
        unknown = await _call(anybody, method, path, dict.fromkeys(theirs, str(uuid.uuid4())))
        told = _without_support_id(foreign)
        if foreign[0] != 404 or told != _without_support_id(unknown):
            wrong.append((method, path, foreign[0], unknown[0]))
    assert wrong == []


async def _call(studio: Client, method: str, path: str, ids: dict[str, str]) -> tuple[int, bytes]:
    operation = f"{method} {path}"
    headers = {"If-Match": "*"}
    if operation in FILES:
        headers["Content-Type"], content = FILES[operation]
        answer = await studio.call(method, path.format(**ids), data=content, headers=headers)
    else:
        answer = await studio.call(
            method,
            path.format(**ids),
            json=BODIES.get(operation, {} if method == "POST" else None),
            headers=headers,
        )
    return answer.status, answer.body


def _without_support_id(answer: tuple[int, bytes]) -> tuple[int, Any]:
    try:
        body = json.loads(answer[1])
    except ValueError:
        return answer
    body.pop("support_id", None)
    return answer[0], body


async def test_lists_show_only_ones_own(other_studio: Studio, theirs: dict[str, str]) -> None:
    """Whatever is listed or filtered for, nothing of the other studio is in it."""
    for path in (
        "productions",
        "generations",
        "generation-batches",
        "media",
        "events",
        "webhook-endpoints",
        "consistency-checks",
        "script-breakdowns",
        "shot-prompts",
        "versions",
        "consultations",
        "authorship-entries",
        "storyboards",
    ):
        answer = await other_studio.get(f"/v1/{path}?limit=200")
        assert not any(identifier.encode() in answer.body for identifier in theirs.values()), path
    sha256 = hashlib.sha256(b"").hexdigest()
    for query in (
        f"generations?production_id={theirs['production_id']}",
        f"generations?shot_id={theirs['shot_id']}",
        f"media?production_id={theirs['production_id']}",
        f"media?sha256={sha256}",
        f"storyboards?production_id={theirs['production_id']}",
        f"consents?performer_id={theirs['performer_id']}",
        f"portrayals?character_id={theirs['character_id']}",
        f"budgets?production_id={theirs['production_id']}",
        f"script-breakdowns?production_id={theirs['production_id']}",
        f"shot-prompts?shot_id={theirs['shot_id']}",
        f"usage?production_id={theirs['production_id']}",
    ):
        answer = await other_studio.get(f"/v1/{query}")
        assert answer.status in {200, 404}
        assert answer.status == 404 or answer.json["data"] == []


async def test_a_batch_cannot_reach_into_another_studio(other_studio: Studio, theirs: dict[str, str]) -> None:
    """Whatever its rows name of another studio's doesn't exist; nor does the production."""
    own = (await other_studio.production())["id"]
    rows = [
        {"shot_id": theirs["shot_id"]},
        {"inputs": {"reference": theirs["media_id"]}},
        {"depicts": [theirs["character_id"]]},
    ]
    file = "\n".join(json.dumps({"kind": "concept_art", "prompt": "x", **row}) for row in rows)
    said = []
    for production in (own, theirs["production_id"]):
        answer = await other_studio.call(
            "POST",
            f"/v1/generation-batches?production_id={production}",
            data=file,
            headers={"Content-Type": "application/jsonl"},
        )
        said.append(answer)
    assert [row["violations"][0]["code"] for row in said[0].json["report"]["rows"]] == [
        "unknown_shot",
        "unknown_media",
        "unknown_character",
    ]
    assert said[1].status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/generations", {"kind": "concept_art", "prompt": "x", "production_id": "production_id"}),
        (
            "/v1/generations",
            {"kind": "previs_shot", "prompt": "x", "production_id": None, "shot_id": "shot_id"},
        ),
        (
            "/v1/generations",
            {
                "kind": "concept_art",
                "prompt": "x",
                "production_id": None,
                "inputs": {"reference": "media_id"},
            },
        ),
        ("/v1/quotes", {"kind": "concept_art", "prompt": "x", "production_id": "production_id"}),
        ("/v1/script-breakdowns", {"text": "x", "production_id": "production_id"}),
        ("/v1/shot-prompts", {"shot_id": "shot_id", "kind": "concept_art", "notes": "x"}),
        (
            "/v1/consistency-enforcements",
            {
                "generation_id": "generation_id",
                "subjects": [{"character_id": str(uuid.uuid4())}],
                "max_attempts": 1,
                "max_cost_usd": "1",
            },
        ),
        (
            "/v1/consistency-checks",
            {
                "production_id": "production_id",
                "subjects": [{"character_id": "character_id"}],
                "material": [{"take_id": "take_id"}],
            },
        ),
        (
            "/v1/consistency-checks",
            {
                "production_id": None,
                "subjects": [{"character_id": "character_id"}],
                "material": [{"media_id": "media_id"}],
            },
        ),
        ("/v1/policy-evaluations", {"kind": "concept_art", "production_id": "production_id"}),
        (
            "/v1/policy-evaluations",
            {"kind": "concept_art", "production_id": None, "inputs": {"reference": "media_id"}},
        ),
        ("/v1/disclosures", {**TOLD, "production_id": "production_id", "text_ref": "x"}),
        ("/v1/disclosures", {**TOLD, "production_id": None, "take_id": "take_id"}),
        ("/v1/disclosures", {**TOLD, "production_id": None, "media_id": "media_id"}),
        ("/v1/storyboards", {"production_id": "production_id", "title": "x"}),
        ("/v1/verify", {"take_id": "take_id"}),
        ("/v1/verify", {"media_id": "media_id"}),
    ],
)
async def test_a_body_cannot_reach_into_another_studio(
    other_studio: Studio, theirs: dict[str, str], path: str, body: dict[str, Any]
) -> None:
    """Ids in bodies are judged as ids in paths are: they don't exist."""
    own = (await other_studio.production())["id"]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        return own if value is None else theirs.get(value, value)

    answer = await other_studio.post(path, filled(body))
    assert answer.status in {404, 422}
    assert answer.status == 404 or {error["code"] for error in answer.json["errors"]} <= {
        "unknown_production",
        "unknown_shot",
        "unknown_media",
        "unknown_take",
        "unknown_generation",
        "not_found",
    }


async def test_the_operator_key_opens_no_studio_and_a_studios_key_no_operator_route(
    running: Stack, http: aiohttp.ClientSession, studio: Studio
) -> None:
    """The two doors have two keys."""
    statuses = await asyncio.gather(
        _status(http, f"{running.api_url}/admin/v1/tenants", studio.key),
        _status(http, f"{running.api_url}/v1/generations", running.facts.admin_key),
    )
    assert statuses == [401, 401]


async def _status(http: aiohttp.ClientSession, url: str, key: str) -> int:
    async with http.get(url, headers={"Authorization": f"Bearer {key}"}) as answer:
        return answer.status
