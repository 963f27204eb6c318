"""The beta programme: a partner is invited under an NDA, features are opened and closed, and people say what they think."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from services.embedded.stack import Stack
from tests.gateway import Client, Studio, onboard


async def _until(answer: Any, status: int) -> Any:
    """What the operator changes is so within seconds."""
    for _ in range(100):
        found = await answer()
        if found.status == status:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError((found.status, found.body))


async def test_an_invited_studio_is_served_once_somebody_accepts_the_nda(
    running: Stack, http: aiohttp.ClientSession, operator: Client, other_studio: Studio
) -> None:
    """Until then keys and people are told what is missing; nobody else is concerned; revoked, the door is shut."""
    studio = await onboard(http, running)
    manager, artist = await studio.person("production_manager"), await studio.person("requester", name="Art")
    ends = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    wanted = {"tenant_id": studio.tenant_id, "nda_version": "2026-10", "expires_at": ends}
    invited = await operator.post("/admin/v1/invitations", wanted)
    assert (invited.status, invited.json["state"]) == (201, "pending"), invited.body
    for caller in (studio, manager):
        refused = await _until(lambda caller=caller: caller.get("/v1/productions"), 403)
        assert refused.json["code"] == "nda_required"
    assert (await other_studio.get("/v1/productions")).status == 200
    assert (await other_studio.get("/v1/nda")).status == 404
    shown = await studio.get("/v1/nda")
    assert (shown.status, shown.json["nda_version"], shown.json["state"]) == (200, "2026-10", "pending")
    for caller, version, code in (
        (studio, "2026-10", "person_required"),
        (artist, "2026-10", "missing_role"),
        (manager, "2025-01", "other_nda_version"),
    ):
        answered = await caller.post("/v1/nda-acceptance", {"nda_version": version})
        assert answered.json["code"] == code
    accepted = await manager.post("/v1/nda-acceptance", {"nda_version": "2026-10"})
    assert (accepted.status, accepted.json["state"]) == (200, "accepted")
    await _until(lambda: studio.get("/v1/productions"), 200)
    listed = await operator.get(f"/admin/v1/invitations?tenant_id={studio.tenant_id}")
    assert [each["accepted_by"] for each in listed.json["data"]] == [accepted.json["accepted_by"]]
    await operator.post(f"/admin/v1/invitations/{invited.json['id']}/revoke")
    refused = await _until(lambda: studio.get("/v1/productions"), 403)
    assert refused.json["code"] == "invitation_revoked"


async def test_feedback_makes_the_cohort_report_and_a_closed_feature_says_so(
    running: Stack, http: aiohttp.ClientSession, operator: Client
) -> None:
    """Five people's ratings become one line without a word of theirs; fewer become none."""
    studio = await onboard(http, running)
    people = [await studio.person("reviewer", name=name) for name in ("Al", "Bo", "Cy", "Di", "Ed")]
    closed = await operator.call(
        "PUT", f"/admin/v1/tenants/{studio.tenant_id}/features", json={"features": {"previews": False}}
    )
    assert (closed.json["features"]["previews"], closed.json["features"]["webhooks"]) == (False, True)
    production = await studio.production()
    made = await studio.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "a quay"},
        headers={"Prefer": "wait=30"},
    )
    take, model = made.json["takes"][0]["id"], made.json["model"]
    refused = await _until(lambda: studio.post(f"/v1/takes/{take}/preview"), 403)
    assert (refused.json["code"], refused.json["feature"]) == ("not_enabled", "previews")
    said = {"rating": 4, "reasons": ["edges"], "would_use_in_cut": True, "minutes_saved": 30}
    by_key = await studio.post(f"/v1/takes/{take}/feedback", said)
    assert (by_key.status, by_key.json["code"]) == (403, "person_required")
    for person in people[:4]:
        assert (await person.post(f"/v1/takes/{take}/feedback", said)).status == 201
    comment = {"comment": "the quay of our secret port"}
    again = await people[0].post(f"/v1/takes/{take}/feedback", {**said, "rating": 5, **comment})
    assert again.status == 201, again.body
    mine = (await studio.get(f"/v1/takes/{take}/feedback")).json["data"]
    assert sorted(each["rating"] for each in mine) == [4, 4, 4, 5]
    assert comment["comment"] in {each["comment"] for each in mine}
    before = await _cell(operator, model)
    await people[4].post(f"/v1/takes/{take}/feedback", said)
    after = await _cell(operator, model)
    if before["suppressed"]:  # nobody else has said anything on this stack
        assert before["rating"] is None
        assert (after["feedbacks"], float(after["rating"]), after["reasons"]) == (5, 4.2, {"edges": 5})
    assert after["suppressed"] is False
    assert "secret" not in str(after)
    assert float(after["cost_usd"]) > 0


async def _cell(operator: Client, model: str) -> Any:
    report = await operator.get("/admin/v1/cohort-report")
    assert report.status == 200, report.body
    (cell,) = [
        each for each in report.json["cells"] if (each["model"], each["kind"]) == (model, "concept_art")
    ]
    return cell
