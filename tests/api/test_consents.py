"""Performers, portrayals and consents over HTTP: who may draft, who decides, what stays sealed."""

import hashlib
import io
import secrets
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.consenting import PDF, character, consent, grant, granted, performer, portrayal
from tests.events import told

MATCH = {"If-Match": "*"}


@pytest.fixture(scope="module")
async def production(studio):
    return await studio.production()


@pytest.fixture(scope="module")
async def manager(studio):
    return await studio.person("rights_clearance_manager", name="Rhea")


async def test_a_consent_goes_from_draft_to_granted_by_a_person(studio, manager, production):
    """A key drafts and sends it out; a person who has read it puts it on record as granted."""
    of = await performer(studio)
    draft = await consent(studio, of["id"], production, signer_role=None, signer_name=None, signed_on=None)
    place = f"/v1/consents/{draft['id']}"
    assert draft["state"] == "draft"
    requested = await studio.post(f"{place}/request")
    assert requested.json["state"] == "requested"
    edited = await studio.call("PATCH", place, json={"kinds": ["cleanup"]}, headers=MATCH)
    assert (edited.status, edited.json["code"]) == (409, "not_a_draft")
    unsigned = await manager.post(f"{place}/grant", {}, headers=MATCH)
    assert (unsigned.status, unsigned.json["code"]) == (409, "consent_incomplete")
    assert unsigned.json["lacking"] == ["signer_role", "signer_name", "signed_on", "document"]
    paper = await studio.call(
        "PUT", f"{place}/document", data=PDF, headers={**MATCH, "Content-Type": "application/pdf"}
    )
    assert paper.json["document_sha256"] == hashlib.sha256(PDF).hexdigest()
    signature = {"signer_role": "performer", "signer_name": "Ida Berg", "signed_on": "2026-01-05"}
    stale = await manager.post(f"{place}/grant", signature, headers={"If-Match": requested.headers["ETag"]})
    assert stale.status == 412
    done = await manager.post(f"{place}/grant", signature, headers={"If-Match": paper.headers["ETag"]})
    assert (done.status, done.json["state"]) == (200, "granted"), done.body
    assert done.json["granted_by"]
    assert done.json["ends_at"] == "2099-01-01T00:00:00Z"
    read = (await studio.get(place)).json
    assert (read["signer_name"], read["description"]) == ("Ida Berg", draft["description"])
    (listed,) = (await studio.get(f"/v1/consents?performer_id={of['id']}&state=granted")).json["data"]
    assert listed["id"] == draft["id"]
    assert "signer_name" not in listed


async def test_a_key_decides_nothing(studio, production):
    """Granting, declining, revoking, exempting, ending and forgetting are acts of a person with the role for it."""
    of = await performer(studio)
    who = await character(studio, production)
    made = await portrayal(studio, who, of["id"])
    draft = await consent(studio, of["id"], production)
    reviewer = await studio.person("reviewer")
    calls = [
        ("POST", f"/v1/consents/{draft['id']}/grant", {}),
        ("POST", f"/v1/consents/{draft['id']}/decline", {}),
        ("POST", f"/v1/consents/{draft['id']}/revoke", {}),
        ("GET", f"/v1/consents/{draft['id']}/document", None),
        ("POST", f"/v1/portrayals/{made['id']}/end", None),
        ("DELETE", f"/v1/performers/{of['id']}", None),
        (
            "POST",
            f"/v1/characters/{who}/exemptions",
            {
                "performer_id": of["id"],
                "kinds": ["cleanup"],
                "reason": "cosmetics",
                "explanation": "a blemish",
                "until": "2099-12-31",
            },
        ),
    ]
    for method, path, body in calls:
        by_key = await studio.call(method, path, json=body, headers=MATCH)
        by_reviewer = await reviewer.call(method, path, json=body, headers=MATCH)
        assert (by_key.status, by_key.json["code"]) == (403, "person_required"), path
        assert (by_reviewer.status, by_reviewer.json["code"]) == (403, "missing_role"), path
    standing = await studio.call(
        "PATCH", f"/v1/performers/{of['id']}", json={"deceased": True}, headers=MATCH
    )
    assert (standing.status, standing.json["code"]) == (403, "person_required")


async def test_the_paper_comes_back_as_it_was_and_is_kept_encrypted(running, studio, manager, production):
    """Whoever reads the database without the studio's key reads neither paper nor names."""
    secret = f"Ida {secrets.token_hex(6)}"
    of = await performer(studio, name=secret, contact=f"agent of {secret}")
    made = await consent(studio, of["id"], production, description=f"De-age {secret}", signer_name=secret)
    paper = PDF + secret.encode()
    place = f"/v1/consents/{made['id']}/document"
    sent = {**MATCH, "Content-Type": "application/pdf"}
    assert (await studio.call("PUT", place, data=paper, headers=sent)).status == 200
    back = await manager.get(place)
    assert (back.status, back.body, back.headers["Content-Type"]) == (200, paper, "application/pdf")
    assert back.headers["Cache-Control"] == "no-store"
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        rows = [
            await connection.fetchrow("select name, contact from performers where id = $1", of["id"]),
            await connection.fetchrow(
                "select description, signer_name from consents where id = $1", made["id"]
            ),
            await connection.fetchrow(
                "select content from consent_documents where consent_id = $1", made["id"]
            ),
        ]
    finally:
        await connection.close()
    stored = b"".join(value for row in rows for value in row.values())
    assert len(stored) > len(paper)
    assert secret.encode() not in stored


async def test_what_is_no_paper_is_refused(studio, production):
    """A page that calls itself a PDF, another type, and more than ten MiB."""
    of = await performer(studio)
    place = f"/v1/consents/{(await consent(studio, of['id'], production))['id']}/document"

    async def sent(media_type, data):
        answer = await studio.call(
            "PUT", place, data=io.BytesIO(data), headers={**MATCH, "Content-Type": media_type}
        )
        return answer.status

    assert await sent("application/pdf", b"<html>") == 422
    assert await sent("text/html", b"<html>") == 415
    assert await sent("application/pdf", PDF + bytes(10 * 1024 * 1024)) == 413
    assert await sent("image/png", b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)) == 200


async def test_a_signer_who_cannot_speak_for_the_performer_is_refused(studio, manager, production):
    """A minor's guardian has to be on record and to sign; for somebody who has died it is the estate or the union."""
    child = await performer(studio, is_minor=True)
    requested = await consent(studio, child["id"], production, document_sha256="0" * 64)
    await studio.post(f"/v1/consents/{requested['id']}/request")
    place = f"/v1/consents/{requested['id']}/grant"
    assert (await manager.post(place, {}, headers=MATCH)).json["code"] == "guardian_missing"
    known = await manager.call(
        "PATCH", f"/v1/performers/{child['id']}", json={"guardian": "Ada Berg"}, headers=MATCH
    )
    assert known.json["has_guardian"]
    assert (await manager.post(place, {}, headers=MATCH)).json["code"] == "signer"
    done = await manager.post(place, {"signer_role": "guardian"}, headers=MATCH)
    assert (done.status, done.json["state"]) == (200, "granted"), done.body


async def test_a_term_that_is_over_shows_as_expired_at_once(running, studio, manager, production):
    """Nobody has to write it down first, and it is found as what it is."""
    of = await performer(studio)
    made = await granted(studio, manager, of["id"], production)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        await connection.execute(
            "update consents set valid_until = $2, ends_at = $3 where id = $1",
            made["id"],
            yesterday.date() - timedelta(days=1),
            yesterday,
        )
        await connection.execute(
            "update steps set run_at = now() where kind = 'consent' and subject_id = $1", made["id"]
        )
    finally:
        await connection.close()
    assert (await studio.get(f"/v1/consents/{made['id']}")).json["state"] == "expired"
    found = await studio.get(f"/v1/consents?performer_id={of['id']}&state=expired")
    assert [each["id"] for each in found.json["data"]] == [made["id"]]
    assert (await studio.get(f"/v1/consents?performer_id={of['id']}&state=granted")).json["data"] == []
    assert (
        ((await told(studio, event_type="consent.expired", consent_id=made["id"]))[0])["data"]["state"]
        == "expired"
    )


async def test_a_consent_that_ends_soon_is_told_of(studio, manager, production):
    """Granted, and told a month ahead that it ends; the events say where, never what."""
    of = await performer(studio)
    until = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    made = await granted(studio, manager, of["id"], production, valid_until=until)
    expiring = ((await told(studio, event_type="consent.expiring", consent_id=made["id"]))[0])["data"]
    assert expiring["links"]["consent"] == f"/v1/consents/{made['id']}"
    assert not {"description", "signer_name", "name"} & expiring.keys()


async def test_terms_end_at_midnight_where_the_production_is(studio, manager):
    """A production that moves takes the ends of its consents with it; a person moves it."""
    made = await studio.post(
        "/v1/productions",
        {"code": f"P{secrets.token_hex(3)}", "title": "Fog", "time_zone": "America/Los_Angeles"},
    )
    production = made.json
    of = await performer(studio)
    agreed = await granted(studio, manager, of["id"], production, valid_until="2098-12-31")
    assert agreed["ends_at"] == "2099-01-01T08:00:00Z"
    place = f"/v1/productions/{production['id']}/time-zone"
    assert (await studio.call("PUT", place, json={"time_zone": "Asia/Kolkata"})).status == 403
    assert (await manager.call("PUT", place, json={"time_zone": "Mars/Olympus"})).status == 422
    assert (await manager.call("PUT", place, json={"time_zone": "Asia/Kolkata"})).status == 200
    moved = (await studio.get(f"/v1/consents/{agreed['id']}")).json
    assert moved["ends_at"] == "2098-12-31T18:30:00Z"


async def test_forgetting_a_performer_keeps_the_proof_and_nothing_else(studio, manager, production):
    """Name and contact go; what was granted is revoked and stays readable; a draft is emptied."""
    of = await performer(studio, contact="agent@example.com")
    who = await character(studio, production)
    await portrayal(studio, who, of["id"])
    proof = await granted(studio, manager, of["id"], production)
    draft = await consent(studio, of["id"], production)
    gone = await manager.call("DELETE", f"/v1/performers/{of['id']}")
    assert (gone.json["name"], gone.json["contact"]) == (None, None)
    kept = (await studio.get(f"/v1/consents/{proof['id']}")).json
    assert (kept["state"], kept["signer_name"]) == ("revoked", "Ida Berg")
    emptied = (await studio.get(f"/v1/consents/{draft['id']}")).json
    assert (emptied["state"], emptied["signer_name"], emptied["description"]) == ("declined", None, None)
    again = await studio.post(f"/v1/performers/{of['id']}/consents", {"replica_type": "background"})
    assert (again.status, again.json["code"]) == (409, "performer_deleted")
    assert (await studio.get(f"/v1/portrayals?character_id={who}")).json["data"]


async def test_a_scope_names_only_what_is_there(studio, production):
    """Ids that aren't the studio's, a shot of another production, a term that ends before it begins."""
    of = await performer(studio)
    other = await studio.production()
    shot = await studio.shot(other["id"], f"S_{secrets.token_hex(3)}")
    place = f"/v1/performers/{of['id']}/consents"
    base = {"replica_type": "background", "production_ids": [production["id"]]}
    for wrong, code in (
        ({"production_ids": [of["id"]]}, "unknown_production"),
        ({"shot_ids": [shot["id"]]}, "unknown_shot"),
        ({"valid_from": "2027-01-02", "valid_until": "2027-01-01"}, "ends_before_it_begins"),
        ({"valid_until": "2027-01-01", "no_end": True}, "two_ends"),
    ):
        answer = await studio.post(place, {**base, **wrong})
        assert (answer.status, answer.json["errors"][0]["code"]) == (422, code)


async def test_what_stands_beside_a_consent_is_kept(studio, manager, production):
    """Payments, exemptions with a written reason, and notices of synthetic performers."""
    of = await performer(studio)
    who = await character(studio, production)
    stranger = await studio.post(
        f"/v1/performers/{of['id']}/compensation-events",
        {"production_id": of["id"], "basis": "fee", "amount": "1", "currency": "USD", "paid_at": _now()},
    )
    assert stranger.json["errors"][0]["code"] == "unknown_production"
    paid = await studio.post(
        f"/v1/performers/{of['id']}/compensation-events",
        {
            "production_id": production["id"],
            "basis": "day",
            "units": "1.5",
            "amount": "1872.50",
            "currency": "USD",
            "paid_at": _now(),
            "note": "scan day",
        },
    )
    assert (paid.status, paid.json["amount"], paid.json["note"]) == (201, "1872.50", "scan day"), paid.body
    exemption = {
        "performer_id": of["id"],
        "kinds": ["cleanup"],
        "reason": "wardrobe",
        "explanation": "a loose thread on the sleeve",
        "until": "2099-12-31",
    }
    place = f"/v1/characters/{who}/exemptions"
    nobody = await manager.post(place, exemption)
    assert nobody.json["errors"][0]["code"] == "unknown_performer"
    await portrayal(studio, who, of["id"])
    stated = await manager.post(place, exemption)
    assert (stated.status, stated.json["explanation"]) == (201, exemption["explanation"]), stated.body
    ended = await manager.post(f"/v1/exemptions/{stated.json['id']}/end")
    assert ended.json["ended_at"]
    promised = await manager.post(
        f"/v1/characters/{who}/synthetic-performer-notices",
        {"value_statement": "soon", "notice_on": "2099-01-01"},
    )
    assert promised.status == 422
    notice = await manager.post(
        f"/v1/characters/{who}/synthetic-performer-notices",
        {"value_statement": "a crowd of ghosts that nobody could play", "notice_on": "2026-10-01"},
    )
    assert notice.status == 201, notice.body
    changed = await manager.call(
        "PATCH",
        notice.headers["Location"],
        json={"bargaining_status": "agreed"},
        headers={"If-Match": notice.headers["ETag"]},
    )
    assert (changed.status, changed.json["bargaining_status"]) == (200, "agreed")


async def test_consents_are_declined_and_revoked_for_good(studio, manager, production):
    """What is over stays over; a new one has to be drafted."""
    of = await performer(studio)
    declined = await consent(studio, of["id"], production)
    await studio.post(f"/v1/consents/{declined['id']}/request")
    answer = await manager.post(f"/v1/consents/{declined['id']}/decline", {"note": "no de-ageing"})
    assert (answer.json["state"], answer.json["note"]) == ("declined", "no de-ageing")
    assert (await grant(manager, declined)).json["code"] == "consent_state"
    revoked = await granted(studio, manager, of["id"], production)
    answer = await manager.post(f"/v1/consents/{revoked['id']}/revoke")
    assert answer.json["state"] == "revoked"
    assert (await grant(manager, revoked)).json["code"] == "consent_state"


def _now():
    return datetime.now(UTC).isoformat()
