"""Reference sets over HTTP: pictures are looked at when they are added, and a person approves them."""

import secrets

import asyncpg
import pytest

from tests.api import faces
from tests.api.test_characters import character, look
from tests.api.test_media import ready
from tests.events import told
from tests.gateway import onboard

WAIT = {"Prefer": "wait=30"}
NOWHERE = "0190a5b0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
async def production(studio):
    return await studio.production()


async def upload(studio, production, picture, **changes):
    """A file of its own: the same bytes would be found again."""
    picture = picture.copy()
    picture.putpixel((0, 0), tuple(secrets.token_bytes(3)))
    body = {"role": "reference", "name": f"{secrets.token_hex(3)}.png", **changes}
    return await ready(studio, {"production_id": production["id"]}, faces.png(picture), **body)


async def draft(studio, production, kind="human", **body):
    of = await look(studio, await character(studio, production, kind=kind))
    made = await studio.post(f"/v1/looks/{of['id']}/reference-sets", body or None)
    assert made.status == 201, made.body
    return made.json


async def add(studio, to, file, **more):
    path = f"/v1/reference-sets/{to['id']}/references"
    return await studio.post(path, {"media_id": file["id"], **more}, headers=WAIT)


async def added(studio, production, to, picture, **more):
    """A picture in a draft, inspected."""
    answer = await add(studio, to, await upload(studio, production, picture), **more)
    assert answer.status == 200, answer.body
    return answer.json


async def approve(studio, found, **body):
    approver = await studio.person("approver", subject="ada")
    return await approver.post(f"/v1/reference-sets/{found['id']}/approve", body or None)


def codes(reference):
    return [each["code"] for each in reference["findings"]]


async def test_a_picture_is_looked_at_when_it_is_added(running, http):
    """A sharp face is a good reference: nothing is wrong with it, and its face is told."""
    studio = await onboard(http, running)
    production = await studio.production()
    to = await draft(studio, production)
    file = await upload(studio, production, faces.portrait())
    answer = await add(studio, to, file)
    assert (answer.status, answer.headers["Preference-Applied"]) == (200, "wait=30"), answer.body
    found = answer.json
    assert (found["state"], found["findings"], found["figure"]) == ("ready", [], 0)
    assert 30 < found["face_px"] < 60
    assert found["box"]["width"] > 50
    assert answer.headers["Location"] == f"/v1/references/{found['id']}"
    assert (await studio.get(answer.headers["Location"])).json == found
    assert (await studio.get(f"/v1/reference-sets/{to['id']}")).json["references"] == [found]
    (event,) = await told(studio, reference_id=found["id"])
    data = event["data"]
    assert (data["state"], data["findings"], data["media_id"]) == ("ready", [], file["id"])


async def test_without_waiting_it_is_accepted_and_can_be_followed(studio, production):
    """202 and a Location."""
    to = await draft(studio, production)
    file = await upload(studio, production, faces.portrait())
    answer = await studio.post(f"/v1/reference-sets/{to['id']}/references", {"media_id": file["id"]})
    assert (answer.status, answer.json["state"]) == (202, "inspecting")
    settled = await studio.get(answer.headers["Location"], headers=WAIT)
    assert settled.json["state"] == "ready"


@pytest.mark.parametrize(
    ("picture", "code", "state"),
    [
        (faces.faceless, "no_face", "unusable"),
        (faces.two_faces, "several_faces", "unusable"),
        (faces.tiny, "too_small", "ready"),
        (faces.blurred, "blurred", "ready"),
    ],
)
async def test_what_is_wrong_with_a_picture_is_said(studio, production, picture, code, state):
    """What makes it useless blocks it; what makes it poor is a finding that a person may accept."""
    found = await added(studio, production, await draft(studio, production), picture())
    assert (found["state"], codes(found)) == (state, [code])
    assert found["findings"][0]["blocking"] == (state == "unusable")
    assert found["findings"][0]["detail"]


async def test_a_face_is_chosen_where_there_are_several(studio, production):
    """The answer lists the faces; a choice settles it, another one can be made, and one that isn't there is refused."""
    to = await draft(studio, production)
    found = await added(studio, production, to, faces.two_faces())
    assert [each["figure"] for each in found["faces"]] == [0, 1]
    assert found["figure"] is None
    path = f"/v1/references/{found['id']}"
    for figure in (1, 0):
        chosen = await studio.call("PATCH", path, json={"figure": figure}, headers=WAIT)
        assert chosen.status == 200, chosen.body
        assert (chosen.json["state"], chosen.json["findings"], chosen.json["figure"]) == ("ready", [], figure)
        assert chosen.json["box"] == found["faces"][figure]["box"]
    refused = await studio.call("PATCH", path, json={"figure": 7})
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "unknown_figure")
    approved = await approve(studio, to)
    assert approved.status == 200, approved.body
    again = await studio.call("PATCH", path, json={"figure": 1})
    assert (again.status, again.json["code"]) == (409, "not_a_draft")


async def test_a_face_can_be_chosen_when_the_picture_is_added(studio, production):
    """Whoever knows which one it is needn't be asked."""
    to = await draft(studio, production)
    found = await added(studio, production, to, faces.two_faces(), figure=1)
    assert (found["state"], found["figure"], found["findings"]) == ("ready", 1, [])
    wrong = await added(studio, production, await draft(studio, production), faces.portrait(), figure=3)
    assert (wrong["state"], codes(wrong)) == ("unusable", ["no_face"])


async def test_the_same_picture_twice_is_a_near_duplicate(studio, production):
    """It teaches nothing; the finding names the other one, and goes when that one is taken out."""
    to = await draft(studio, production)
    first = await added(studio, production, to, faces.portrait())
    copy = await ready(
        studio,
        {"production_id": production["id"]},
        faces.jpeg(faces.portrait()),
        role="reference",
        name="again.jpg",
        media_type="image/jpeg",
    )
    second = (await add(studio, to, copy)).json
    assert codes(second) == ["near_duplicate"]
    assert second["findings"][0]["reference_id"] == first["id"]
    assert (await studio.call("DELETE", f"/v1/references/{first['id']}")).status == 204
    alone = await studio.get(f"/v1/references/{second['id']}", headers=WAIT)
    assert (alone.json["state"], alone.json["findings"]) == ("ready", [])


async def test_another_view_of_the_same_person_is_welcome(studio, production):
    """Neither a duplicate nor somebody else."""
    to = await draft(studio, production)
    await added(studio, production, to, faces.portrait())
    found = await added(studio, production, to, faces.another_view())
    assert (found["state"], found["findings"]) == ("ready", [])


async def test_a_picture_that_does_not_match_the_others_is_told(studio, production):
    """In which aspect: the same face over other clothes, or quite another thing."""
    to = await draft(studio, production)
    await added(studio, production, to, faces.portrait())
    found = await added(studio, production, to, faces.recoloured())
    assert found["state"] == "ready"
    (said,) = [each for each in found["findings"] if each["code"] == "does_not_match"]
    assert (said["aspects"], said["blocking"]) == (["wardrobe"], False)
    creature = await draft(studio, production, kind="creature")
    await added(studio, production, creature, faces.cat())
    other = await added(studio, production, creature, faces.faceless())
    assert codes(other) == ["does_not_match"]
    assert other["findings"][0]["aspects"] == ["overall"]


async def test_a_character_without_a_face_needs_none(studio, production):
    """A creature is known by the whole of it."""
    to = await draft(studio, production, kind="creature")
    found = await added(studio, production, to, faces.cat())
    assert (found["state"], found["figure"], found["findings"]) == ("ready", None, [])
    small = await added(studio, production, to, faces.cat().resize((120, 80)))
    assert "too_small" in codes(small)
    assert "no_face" not in codes(small)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rights_basis": "unknown"}, "rights_unknown"),
        ({"role": "matte"}, "wrong_role"),
    ],
)
async def test_a_file_that_may_not_define_anybody_is_refused(studio, production, change, code):
    """Without a ground to use it, or made for something else."""
    file = await upload(studio, production, faces.portrait(), **change)
    refused = await add(studio, await draft(studio, production), file)
    assert refused.status == 422
    assert [(each["pointer"], each["code"]) for each in refused.json["errors"]] == [("/media_id", code)]


async def test_a_file_of_another_production_is_unknown(studio, production):
    """As is one that doesn't exist."""
    to = await draft(studio, production)
    elsewhere = await upload(studio, await studio.production(), faces.portrait())
    for file in (elsewhere, {"id": NOWHERE}):
        refused = await add(studio, to, file)
        assert (refused.status, refused.json["errors"][0]["code"]) == (422, "unknown_media")


async def test_a_person_approves_and_the_set_stands(studio, production):
    """The next version supersedes it, may begin with its pictures, and there is one draft at a time."""
    to = await draft(studio, production)
    empty = await approve(studio, to)
    assert (empty.status, empty.json["code"]) == (409, "reference_set_empty")
    found = await added(studio, production, to, faces.portrait())
    approved = await approve(studio, to)
    assert (approved.status, approved.json["state"], approved.json["version"]) == (200, "approved", 1)
    assert approved.json["approved_by_person"]
    assert approved.json["ledger_entry_id"]
    assert (await approve(studio, to)).json == approved.json
    for refused in (
        await add(studio, to, await upload(studio, production, faces.closer())),
        await studio.call("DELETE", f"/v1/references/{found['id']}"),
    ):
        assert (refused.status, refused.json["code"]) == (409, "not_a_draft")
    sets = f"/v1/looks/{to['look_id']}/reference-sets"
    second = (await studio.post(sets, {"copy_latest": True})).json
    assert (second["version"], second["state"]) == (2, "draft")
    assert [each["media_id"] for each in second["references"]] == [found["media_id"]]
    twice = await studio.post(sets)
    assert (twice.status, twice.json["code"], twice.json["reference_set_id"]) == (
        409,
        "draft_exists",
        second["id"],
    )
    assert (await approve(studio, second)).status == 200
    listed = (await studio.get(sets)).json["data"]
    assert [(each["version"], each["state"]) for each in listed] == [(2, "approved"), (1, "superseded")]
    late = await approve(studio, to)
    assert (late.status, late.json["code"]) == (409, "not_a_draft")


async def test_findings_are_accepted_knowingly_or_not_at_all(studio, production):
    """What is poor needs a word of the approver; what is useless can't be approved by anybody."""
    to = await draft(studio, production)
    poor = await added(studio, production, to, faces.blurred())
    refused = await approve(studio, to)
    assert (refused.status, refused.json["code"]) == (409, "findings_not_accepted")
    assert refused.json["references"] == [
        {"reference_id": poor["id"], "state": "ready", "findings": ["blurred"]}
    ]
    useless = await added(studio, production, to, faces.faceless())
    refused = await approve(studio, to, accept_findings=True)
    assert (refused.status, refused.json["code"]) == (409, "reference_set_not_ready")
    assert [each["reference_id"] for each in refused.json["references"]] == [useless["id"]]
    await studio.call("DELETE", f"/v1/references/{useless['id']}")
    assert (await approve(studio, to, accept_findings=True)).json["state"] == "approved"


async def test_approving_takes_a_person(studio, production):
    """No key defines a look, whatever its scopes, and no person who may only review; who did it is on the record."""
    to = await draft(studio, production)
    await added(studio, production, to, faces.portrait())
    path = f"/v1/reference-sets/{to['id']}/approve"
    by_key = await studio.post(path)
    assert (by_key.status, by_key.json["code"]) == (403, "person_required")
    by_reviewer = await (await studio.person("reviewer")).post(path)
    assert (by_reviewer.status, by_reviewer.json["code"]) == (403, "missing_role")
    assert by_reviewer.json["roles"] == ["approver", "rights_clearance_manager"]
    manager = await studio.person("rights_clearance_manager")
    approved = await manager.post(path)
    me = (await manager.get("/v1/me")).json["person_id"]
    assert (approved.status, approved.json["approved_by"], approved.json["approved_by_person"]) == (
        200,
        None,
        me,
    )


async def rows(running, query, *values):
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        return await connection.fetch(query, *values)
    finally:
        await connection.close()


async def seen_in(running, *files):
    query = "select media_id, body from observations where media_id = any($1::uuid[])"
    return await rows(running, query, [file["id"] for file in files])


async def test_what_was_seen_goes_with_the_character(running, studio):
    """At once and whole: no row is left of what evaluators saw; the files stay the studio's and can be withdrawn."""
    production = await studio.production()
    to = await draft(studio, production)
    file = await upload(studio, production, faces.portrait())
    await add(studio, to, file)
    await approve(studio, to)
    (stored,) = await seen_in(running, file)
    assert b"figures" not in stored["body"]
    assert b"box" not in stored["body"]
    of = (await studio.get(f"/v1/looks/{to['look_id']}")).json["character_id"]
    assert (await studio.call("DELETE", f"/v1/characters/{of}")).status == 200
    assert await seen_in(running, file) == []
    left = (await studio.get(f"/v1/reference-sets/{to['id']}")).json
    assert (left["state"], left["references"]) == ("superseded", [])
    assert (await studio.get(f"/v1/media/{file['id']}")).json["state"] == "ready"
    assert (await studio.call("DELETE", f"/v1/media/{file['id']}")).json["state"] == "withdrawn"
    (entry,) = await rows(
        running, "select kind from ledger_entries where subject_id = $1 order by created_at", of
    )
    assert entry["kind"] == "character.deleted"


async def test_another_look_keeps_what_was_seen_of_it(running, studio, production):
    """Deleting one look takes its own pictures' observations only."""
    first, second = await draft(studio, production), await draft(studio, production)
    one, other = [await upload(studio, production, each) for each in (faces.portrait(), faces.closer())]
    await add(studio, first, one)
    await add(studio, second, other)
    assert (await studio.call("DELETE", f"/v1/looks/{first['look_id']}")).status == 200
    assert await seen_in(running, one) == []
    assert len(await seen_in(running, other)) == 1


async def test_a_withdrawn_file_ends_the_set_it_was_approved_with(running, studio, production):
    """Whoever holds the rights may insist: the file goes, what was seen in it goes, the look needs a new version."""
    to = await draft(studio, production)
    kept, gone = [await upload(studio, production, each) for each in (faces.portrait(), faces.another_view())]
    for file in (kept, gone):
        assert (await add(studio, to, file)).status == 200
    assert (await approve(studio, to, accept_findings=True)).status == 200
    assert (await studio.call("DELETE", f"/v1/media/{gone['id']}")).json["state"] == "withdrawn"
    left = (await studio.get(f"/v1/reference-sets/{to['id']}")).json
    assert left["state"] == "superseded"
    states = {each["media_id"]: (each["state"], codes(each)) for each in left["references"]}
    assert states[gone["id"]] == ("unusable", ["withdrawn"])
    assert states[kept["id"]][0] == "ready"
    assert await seen_in(running, gone) == []
    sets = f"/v1/looks/{to['look_id']}/reference-sets"
    again = (await studio.post(sets, {"copy_latest": True})).json
    assert [each["media_id"] for each in again["references"]] == [kept["id"]]
    assert (await approve(studio, again)).status == 200
    refused = await add(studio, await draft(studio, production), gone)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "media_not_ready")
