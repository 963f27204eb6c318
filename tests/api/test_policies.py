"""Policy packs over HTTP: uploaded, signed by counsel, chosen by a production, and asked before anything is paid."""

import hashlib
import secrets
from typing import Any

import pytest

from tests.consenting import character, granted, performer, portrayal
from tests.gateway import Client, Reply, Studio

YAML = {"Content-Type": "application/yaml"}


def pack(rules: str, *, version: int = 1, name: str | None = None) -> tuple[str, bytes]:
    """A pack of these rules, with its id."""
    name = name or f"house-{secrets.token_hex(4)}"
    text = f"""\
pack: {name}
version: {version}
dated: 2026-11-22
title: House rules
sources:
  memo: {{title: A memo, document: memo 4, date: 2026-11, seen: read}}
rules:
{rules}"""
    return name, text.encode()


FINALS = """\
  - id: finals
    says: Finals are approved first.
    outcome: needs_approval
    when: {deliverable_stage: {is: final}}
    released_by: [approver, production_manager]
    source: memo
  - id: ads
    says: This house makes no advertising.
    outcome: prohibited
    when: {intended_use: {is: advertising}}
    source: memo
  - id: told
    says: Everybody is told of temps.
    outcome: notify
    when: {deliverable_stage: {is: temp}}
    source: memo
"""


async def upload(client: Client, text: bytes, **headers: str) -> Reply:
    return await client.call("POST", "/v1/policy-packs", data=text, headers={**YAML, **headers})


@pytest.fixture(scope="module")
async def counsel(studio: Studio) -> Client:
    return await studio.person("rights_clearance_manager", name="Counsel", subject="counsel")


async def test_a_pack_of_ones_own_is_asked_once_it_is_signed_and_chosen(
    studio: Studio, counsel: Client
) -> None:
    """Uploaded it isn't active and can't be chosen; signed and chosen, a dry run says what it says and why."""
    production = (await studio.production())["id"]
    place = f"/v1/productions/{production}/policy-packs"
    name, text = pack(FINALS)
    made = await upload(studio, text)
    assert (made.status, made.json["active"]) == (201, False), made.body
    assert made.json["sha256"] == hashlib.sha256(text).hexdigest()
    choice = {"packs": [{"pack_id": name, "version": 1}]}
    refused = await counsel.call("PUT", place, json=choice)
    assert (refused.status, refused.json["code"]) == (409, "pack_not_signed")
    by_key = await studio.post(f"/v1/policy-packs/{name}/signatures", {"version": 1})
    assert (by_key.status, by_key.json["code"]) == (403, "person_required")

    signed = await counsel.post(
        f"/v1/policy-packs/{name}/signatures",
        {"version": 1, "sha256": made.json["sha256"], "reference": "memo 12 of 3 November"},
    )
    assert signed.status == 201, signed.body
    chosen = await counsel.call("PUT", place, json=choice)
    assert [(each["pack_id"], each["active"]) for each in chosen.json["packs"]] == [(name, True)]

    async def ask(**use: str) -> Any:
        answer = await studio.post(
            "/v1/policy-evaluations", {"production_id": production, "kind": "concept_art", "use": use}
        )
        assert answer.status == 200, answer.body
        return answer.json

    final = await ask(deliverable_stage="final")
    assert final["outcome"] == "needs_approval"
    assert final["packs"] == [{"pack_id": name, "version": 1, "sha256": made.json["sha256"]}]
    (hit,) = final["hits"]
    assert (hit["rule"], hit["says"]) == ("finals", "Finals are approved first.")
    assert hit["released_by"] == ["approver", "production_manager"]
    assert hit["source"]["document"] == "memo 4"
    assert (await ask(deliverable_stage="temp"))["outcome"] == "notify"
    worst = await ask(deliverable_stage="final", intended_use="advertising")
    assert (worst["outcome"], len(worst["hits"])) == ("prohibited", 2)
    assert (await ask())["outcome"] == "no_rule_hit"

    withdrawn = await counsel.post(
        f"/v1/policy-packs/{name}/signatures/{signed.json['id']}/withdraw", {"reason": "superseded"}
    )
    assert withdrawn.json["reason"] == "superseded"
    after = await ask(intended_use="advertising")
    assert (after["outcome"], after["packs"]) == ("no_rule_hit", [])
    assert [each["pack_id"] for each in after["not_active"]] == [name]


async def test_a_version_never_changes(studio: Studio) -> None:
    """The same text again changes nothing; another text is refused, and is welcome as the next version."""
    name, text = pack(FINALS)
    assert (await upload(studio, text)).status == 201
    assert (await upload(studio, text)).status == 201
    other = text.replace(b"no advertising", b"some advertising")
    refused = await upload(studio, other)
    assert (refused.status, refused.json["code"]) == (409, "pack_version_exists")
    assert (await upload(studio, other.replace(b"version: 1", b"version: 2"))).status == 201
    read = (await studio.get(f"/v1/policy-packs/{name}?version=1")).json
    assert read["text"].encode() == text
    assert [each["version"] for each in read["versions"]] == [2, 1]
    taken = await upload(studio, pack(FINALS, name="dga")[1])
    assert (taken.status, taken.json["code"]) == (409, "shipped_pack_id")


async def test_a_broken_pack_is_refused_with_line_and_column(studio: Studio) -> None:
    """The place stands in the pointer, the key and the reason in the message."""
    _, text = pack(FINALS.replace("final}", "finale}"))
    answer = await upload(studio, text)
    assert (answer.status, answer.json["code"]) == (422, "invalid_pack")
    (error,) = answer.json["errors"]
    assert (error["pointer"], error["code"]) == ("line 11, column 36", "unknown_value")
    assert error["message"].startswith("/rules/0/when/deliverable_stage/is: ")
    as_json = await studio.post("/v1/policy-packs", {"pack": "x"})
    assert as_json.status == 415
    assert (await upload(studio, b"#" * 300_000)).status == 413


async def test_a_shipped_pack_is_signed_like_any_other(studio: Studio, counsel: Client) -> None:
    """It stands in the list, isn't active by itself, and asks for records that the studio can make."""
    newest_first = (await studio.get("/v1/policy-packs")).json["data"]
    listed = {each["pack_id"]: each for each in reversed(newest_first)}
    assert {"partner-guidance", "sag-aftra-2026", "wga", "dga", "owned-source"} <= listed.keys()
    version = listed["wga"]["version"]
    if not listed["wga"]["active"]:
        signed = await counsel.post("/v1/policy-packs/wga/signatures", {"version": version})
        assert signed.json["sha256"] == listed["wga"]["sha256"]
    again = await counsel.post("/v1/policy-packs/wga/signatures", {"version": version})
    assert (again.status, again.json["code"]) == (409, "already_signed")
    read = (await studio.get("/v1/policy-packs/wga")).json
    assert (read["origin"], read["active"]) == ("shipped", True)

    production = (await studio.production())["id"]
    choice = {"packs": [{"pack_id": "wga", "version": version}]}
    await counsel.call("PUT", f"/v1/productions/{production}/policy-packs", json=choice)
    request = {"production_id": production, "kind": "concept_art", "use": {"ai_text": True}}
    before = (await studio.post("/v1/policy-evaluations", request)).json
    assert before["outcome"] == "needs_approval"
    assert [each["requires"] for each in before["hits"] if each["rule"] == "disclose-ai-text"] == [
        ["disclosure(writer)"]
    ]
    told = await studio.post(
        "/v1/disclosures",
        {
            "production_id": production,
            "text_ref": "outline-3",
            "extent": "incorporates",
            "role": "writer",
            "name": "W. Riter",
            "disclosed_at": "2026-11-20T10:00:00Z",
        },
    )
    assert (told.status, told.json["ai_generated"], told.json["name"]) == (201, True, "W. Riter")
    assert (await studio.post("/v1/policy-evaluations", request)).json["outcome"] == "notify"
    (found,) = (await studio.get(f"/v1/disclosures?production_id={production}")).json["data"]
    assert found == told.json
    assert (await studio.get(f"/v1/disclosures/{found['id']}")).json == found


async def test_models_that_an_enforcement_may_climb_to_count_too(studio: Studio, counsel: Client) -> None:
    """A rule against a model speaks against a request that may end up with it."""
    rule = """\
  - id: not-this-one
    says: The house doesn't use this model.
    outcome: prohibited
    when: {models: {has: "stability.stable-image-ultra-v1:1"}}
    source: memo
"""
    name, text = pack(rule)
    await upload(studio, text)
    await counsel.post(f"/v1/policy-packs/{name}/signatures", {"version": 1})
    place = f"/v1/productions/{(await studio.production())['id']}"
    choice = {"packs": [{"pack_id": name, "version": 1}]}
    await counsel.call("PUT", f"{place}/policy-packs", json=choice)
    mara = await studio.post(f"{place}/characters", {"kind": "creature", "script_name": "MARA"})
    request = {"production_id": place.rsplit("/", 1)[-1], "kind": "concept_art"}
    assert (await studio.post("/v1/policy-evaluations", request)).json["outcome"] == "no_rule_hit"
    consistency = {
        "subjects": [{"character_id": mara.json["id"]}],
        "max_attempts": 3,
        "max_cost_usd": "1",
        "other_models": ["stability.stable-image-ultra-v1:1"],
    }
    found = await studio.post("/v1/policy-evaluations", {**request, "consistency": consistency})
    assert found.json["outcome"] == "prohibited", found.body
    assert "stability.stable-image-ultra-v1:1" in found.json["facts"]["models"]


async def test_rules_see_who_is_depicted_whatever_was_declared(studio: Studio, counsel: Client) -> None:
    """A human whom nobody portrays is a synthetic performer, and the union's notice counts; one whom a minor portrays
    isn't, and the consents in force say of which type the replica is."""
    production = await studio.production()
    nobodys, played = await character(studio, production), await character(studio, production)
    of = await performer(studio, is_minor=True, guardian="H. Berg")
    await portrayal(studio, played, of["id"])
    await granted(studio, counsel, of["id"], production, signer_role="guardian", replica_type="background")

    async def facts(**more: Any) -> Any:
        request = {"production_id": production["id"], "kind": "concept_art", **more}
        answer = await studio.post("/v1/policy-evaluations", request)
        assert answer.status == 200, answer.body
        return answer.json["facts"]

    told = await facts(depicts=[nobodys], use={"involves_talent_likeness": False})
    assert (told["synthetic_performer"], told["synthetic_notice"]) == (True, "none")
    assert (told["depicts_performer"], told["involves_talent_likeness"]) == (False, False)
    notice = {"value_statement": "a crowd of thousands", "notice_on": "2026-11-01"}
    await counsel.post(f"/v1/characters/{nobodys}/synthetic-performer-notices", notice)
    assert (await facts(depicts=[nobodys]))["synthetic_notice"] == "notified"

    told = await facts(depicts=[played])
    assert (told["synthetic_performer"], told["depicts_performer"], told["minor_involved"]) == (
        False,
        True,
        True,
    )
    assert told["replica_types"] == ["background"]
    assert "synthetic_notice" not in told
    told = await facts(prompt="a quay at night")
    assert (told["depicts_character"], told["prompt_given"], told["has_plate"]) == (False, True, False)
    assert (told["labour_action"], told["model_trains_on_inputs"]) == (False, False)
