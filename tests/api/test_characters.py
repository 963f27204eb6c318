"""Characters and looks over HTTP: who is in the script, how they look, and in which shots."""

import secrets

import asyncpg
import pytest

from tests.gateway import Studio, onboard

NOWHERE = "0190a5b0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
async def production(studio):
    return await studio.production()


def script_name():
    return f"MARA {secrets.token_hex(3)}"


async def character(studio, production, **changes):
    body = {"kind": "human", "script_name": script_name(), **changes}
    made = await studio.post(f"/v1/productions/{production['id']}/characters", body)
    assert made.status == 201, made.body
    return made.json


async def look(studio, of, **changes):
    made = await studio.post(f"/v1/characters/{of['id']}/looks", {"name": secrets.token_hex(3), **changes})
    assert made.status == 201, made.body
    return made.json


async def shot(studio, production, **more):
    body = {"code": f"S_{secrets.token_hex(4)}", **more}
    made = await studio.post(f"/v1/productions/{production['id']}/shots", body)
    assert made.status == 201, made.body
    return made.json


async def put_shots(studio, of, body, match="*"):
    return await studio.call("PUT", f"/v1/looks/{of['id']}/shots", json=body, headers={"If-Match": match})


async def test_a_character_is_made_read_and_listed(studio, production):
    """With its description where it is read by itself, and without it in lists."""
    name = script_name()
    body = {
        "kind": "human",
        "script_name": name,
        "description": "A scar over the left brow.",
        "external_ref": "sg:1182",
    }
    made = await studio.post(f"/v1/productions/{production['id']}/characters", body)
    assert made.status == 201, made.body
    assert made.headers["Location"] == f"/v1/characters/{made.json['id']}"
    assert made.headers["ETag"] == '"1"'
    assert made.json["description"] == body["description"]
    read = await studio.get(made.headers["Location"])
    assert (read.json, read.headers["ETag"]) == (made.json, '"1"')
    listed = await studio.get(
        f"/v1/productions/{production['id']}/characters", params={"script_name": name, "kind": "human"}
    )
    (found,) = listed.json["data"]
    assert (found["id"], found["external_ref"]) == (made.json["id"], "sg:1182")
    assert "description" not in found


async def test_the_description_is_kept_encrypted(running, studio, production):
    """Whoever reads the database without the studio's key reads nothing of it."""
    secret = f"a limp {secrets.token_hex(8)}"
    made = await character(studio, production, description=secret)
    await look(studio, made, wardrobe=secret)
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        stored = [
            await connection.fetchval("select description from characters where id = $1", made["id"]),
            await connection.fetchval("select details from looks where character_id = $1", made["id"]),
        ]
    finally:
        await connection.close()
    assert all(stored)
    assert not any(secret.encode() in each for each in stored)


async def test_characters_are_listed_by_pages(studio):
    """Newest first, each once."""
    production = await studio.production()
    made = [(await character(studio, production))["id"] for _ in range(3)]
    base = f"/v1/productions/{production['id']}/characters"
    first = await studio.get(f"{base}?limit=2")
    second = await studio.get(base, params={"limit": 2, "cursor": first.json["next_cursor"]})
    assert [each["id"] for page in (first, second) for each in page.json["data"]] == made[::-1]
    assert second.json["next_cursor"] is None


async def test_a_script_name_is_taken_once(studio, production):
    """In one production; another one may have somebody of the same name."""
    made = await character(studio, production)
    body = {"kind": "object", "script_name": made["script_name"]}
    again = await studio.post(f"/v1/productions/{production['id']}/characters", body)
    assert (again.status, again.json["code"]) == (409, "name_taken")
    assert again.json["errors"][0]["pointer"] == "/script_name"
    elsewhere = await studio.production()
    assert (await studio.post(f"/v1/productions/{elsewhere['id']}/characters", body)).status == 201


async def test_a_character_is_edited_from_what_was_read(studio, production):
    """An edit names its ETag; null clears; an edit that changes nothing is no new version."""
    made = await character(studio, production, description="tall", external_ref="x")
    path = f"/v1/characters/{made['id']}"
    edit = {"description": None, "external_ref": "y"}
    assert (await studio.call("PATCH", path, json=edit)).status == 428
    done = await studio.call("PATCH", path, json=edit, headers={"If-Match": '"1"'})
    assert (done.json["description"], done.json["external_ref"], done.json["version"]) == (None, "y", 2)
    stale = await studio.call("PATCH", path, json={"external_ref": "z"}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    same = await studio.call("PATCH", path, json=edit, headers={"If-Match": '"2"'})
    assert same.headers["ETag"] == '"2"'


async def test_an_idempotency_key_makes_one_character(studio, production):
    """The same request again gives the same answer."""
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"kind": "creature", "script_name": script_name(), "description": "six legs"}
    base = f"/v1/productions/{production['id']}/characters"
    first = await studio.post(base, body, headers=key)
    again = await studio.post(base, body, headers=key)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_kind_is_fixed_once_there_are_looks(studio, production):
    """References are judged by the kind, so it can't change under them."""
    made = await character(studio, production)
    path = f"/v1/characters/{made['id']}"
    match = {"If-Match": "*"}
    assert (await studio.call("PATCH", path, json={"kind": "creature"}, headers=match)).status == 200
    await look(studio, made)
    refused = await studio.call("PATCH", path, json={"kind": "human"}, headers=match)
    assert (refused.status, refused.json["code"]) == (409, "character_has_looks")


async def test_a_look_is_made_edited_and_listed(studio, production):
    """Details can be given one by one and cleared one by one; lists don't show them."""
    of = await character(studio, production)
    made = await look(studio, of, name="storm", wardrobe="oilskin", hair="wet", wounds="cut on the cheek")
    assert (made["wardrobe"], made["age"]) == ("oilskin", None)
    edited = await studio.call(
        "PATCH",
        f"/v1/looks/{made['id']}",
        json={"hair": None, "age": "40"},
        headers={"If-Match": '"1"'},
    )
    assert edited.status == 200, edited.body
    assert (edited.json["wardrobe"], edited.json["hair"], edited.json["age"]) == ("oilskin", None, "40")
    assert (await studio.get(f"/v1/looks/{made['id']}")).json == edited.json
    (listed,) = (await studio.get(f"/v1/characters/{of['id']}/looks")).json["data"]
    assert (listed["name"], "wardrobe" in listed) == ("storm", False)
    twice = await studio.post(f"/v1/characters/{of['id']}/looks", {"name": "storm"})
    assert (twice.status, twice.json["code"]) == (409, "name_taken")


async def test_a_look_holds_for_shots(studio, production):
    """Named one by one or by their sequence; a new list replaces the old one."""
    of = await character(studio, production)
    storm = await look(studio, of)
    sequence = (
        await studio.post(
            f"/v1/productions/{production['id']}/sequences", {"code": f"Q{secrets.token_hex(3)}"}
        )
    ).json
    inside = [await shot(studio, production, sequence_id=sequence["id"]) for _ in range(2)]
    apart = await shot(studio, production)
    done = await put_shots(
        studio, storm, {"sequence_ids": [sequence["id"]], "shot_ids": [apart["id"]]}, match='"1"'
    )
    assert (done.status, done.headers["ETag"]) == (200, '"2"'), done.body
    first = await studio.get(f"/v1/looks/{storm['id']}/shots?limit=2")
    rest = await studio.get(
        f"/v1/looks/{storm['id']}/shots", params={"limit": 2, "cursor": first.json["next_cursor"]}
    )
    listed = [each["shot_id"] for page in (first, rest) for each in page.json["data"]]
    wanted = sorted([*inside, apart], key=lambda each: each["code"])
    assert listed == [each["id"] for each in wanted]
    await put_shots(studio, storm, {"shot_ids": [apart["id"]]})
    left = await studio.get(f"/v1/looks/{storm['id']}/shots")
    assert [each["shot_id"] for each in left.json["data"]] == [apart["id"]]


async def test_one_look_per_character_and_shot(studio, production):
    """A shot that another look holds for is refused by name; another character may be in it."""
    of = await character(studio, production)
    storm, calm = await look(studio, of, name="storm"), await look(studio, of, name="calm")
    where = await shot(studio, production)
    await put_shots(studio, storm, {"shot_ids": [where["id"]]})
    refused = await put_shots(studio, calm, {"shot_ids": [where["id"]]})
    assert (refused.status, refused.json["code"]) == (409, "shot_has_another_look")
    (taken,) = refused.json["shots"]
    assert taken == {
        "shot_id": where["id"],
        "shot_code": where["code"],
        "look_id": storm["id"],
        "look_name": "storm",
    }
    beside = await look(studio, await character(studio, production))
    assert (await put_shots(studio, beside, {"shot_ids": [where["id"]]})).status == 200


async def test_shots_of_another_production_are_refused(studio, production):
    """With a pointer at each."""
    storm = await look(studio, await character(studio, production))
    elsewhere = await shot(studio, await studio.production())
    body = {"shot_ids": [elsewhere["id"]], "sequence_ids": [NOWHERE]}
    refused = await put_shots(studio, storm, body)
    assert refused.status == 422
    assert {(each["pointer"], each["code"]) for each in refused.json["errors"]} == {
        ("/shot_ids/0", "unknown_shot"),
        ("/sequence_ids/0", "unknown_sequence"),
    }


async def test_a_deleted_character_keeps_its_id_and_nothing_else(studio, production):
    """Its name is free again, its looks go with it, and nothing can be written to what is left."""
    made = await character(studio, production, description="tall", external_ref="sg:1")
    storm = await look(studio, made, wardrobe="oilskin")
    where = await shot(studio, production)
    await put_shots(studio, storm, {"shot_ids": [where["id"]]})
    path = f"/v1/characters/{made['id']}"
    gone = await studio.call("DELETE", path)
    assert (gone.status, gone.json["script_name"], gone.json["description"]) == (200, None, None)
    assert (gone.json["deleted_at"] is not None, gone.json["external_ref"]) == (True, None)
    read = (await studio.get(f"/v1/looks/{storm['id']}")).json
    assert (read["name"], read["wardrobe"], read["deleted_at"] is not None) == (None, None, True)
    assert (await studio.get(f"/v1/looks/{storm['id']}/shots")).json["data"] == []
    assert (await studio.call("DELETE", path)).json == (await studio.get(path)).json
    refused = [
        await studio.call("PATCH", path, json={"external_ref": "x"}, headers={"If-Match": "*"}),
        await studio.post(f"{path}/looks", {"name": "x"}),
        await put_shots(studio, storm, {"shot_ids": [where["id"]]}),
        await studio.post(f"/v1/looks/{storm['id']}/reference-sets"),
    ]
    assert {answer.status for answer in refused} == {409}
    again = await character(studio, production, script_name=made["script_name"])
    listed = (await studio.get(f"/v1/productions/{production['id']}/characters?limit=200")).json["data"]
    ids = [each["id"] for each in listed]
    assert (again["id"] in ids, made["id"] in ids) == (True, False)


async def test_reading_keys_may_not_write(running, http):
    """A key that may only read sees characters and changes none."""
    other = await onboard(http, running)
    keys = await reader_of(running, http, other)
    place = await other.production()
    mine = await character(other, place)
    refused = [
        await keys.post(f"/v1/productions/{place['id']}/characters", {"kind": "human", "script_name": "X"}),
        await keys.call("DELETE", f"/v1/characters/{mine['id']}"),
    ]
    assert {(answer.status, answer.json["code"]) for answer in refused} == {(403, "missing_scope")}
    assert (await keys.get(f"/v1/characters/{mine['id']}")).status == 200


async def reader_of(running, http, studio, *scopes):
    """A caller of the same studio with these scopes only, `read` without any."""
    operator = Studio(http, running.api_url, running.facts.admin_key)
    made = await operator.post(
        f"/admin/v1/tenants/{studio.tenant_id}/keys", {"name": "reader", "scopes": list(scopes) or ["read"]}
    )
    assert made.status == 201, made.body
    return Studio(http, running.api_url, made.json["text"], tenant_id=studio.tenant_id)
