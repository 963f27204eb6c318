"""Productions, episodes, sequences and shots over HTTP."""

import asyncio
import secrets

import pytest

NOWHERE = "0190a5b0-0000-7000-8000-000000000000"


def some_code():
    """A code that no other test of this studio uses."""
    return f"C{secrets.token_hex(4)}"


async def patch(studio, path, changes, match):
    headers = {} if match is None else {"If-Match": match}
    return await studio.call("PATCH", path, json=changes, headers=headers)


async def episode(studio, production, code="104"):
    made = await studio.post(f"/v1/productions/{production['id']}/episodes", {"code": code})
    assert made.status == 201, made.body
    return made.json


async def sequence(studio, production, code="TCC", **more):
    made = await studio.post(f"/v1/productions/{production['id']}/sequences", {"code": code, **more})
    assert made.status == 201, made.body
    return made.json


async def test_a_production_is_made_read_and_listed(studio):
    """What was sent comes back, with an ETag, a Location and the tracker's own reference."""
    code, reference = some_code(), f"sg:{some_code()}"
    made = await studio.post(
        "/v1/productions", {"code": code, "title": "A Good Morning", "external_ref": reference}
    )
    assert made.status == 201, made.body
    assert made.headers["Location"] == f"/v1/productions/{made.json['id']}"
    assert made.headers["ETag"] == '"1"'
    read = await studio.get(made.headers["Location"])
    assert read.json == made.json
    assert read.headers["ETag"] == '"1"'
    assert (read.json["code"], read.json["title"]) == (code, "A Good Morning")
    listed = await studio.get("/v1/productions", params={"external_ref": reference})
    assert [each["id"] for each in listed.json["data"]] == [made.json["id"]]
    assert (await studio.get("/v1/productions", params={"code": some_code()})).json["data"] == []


async def test_the_film_context_hangs_together(studio):
    """An episode, its sequence and the sequence's shot know each other by id."""
    production = await studio.production()
    in_episode = await episode(studio, production)
    in_sequence = await sequence(studio, production, episode_id=in_episode["id"])
    made = await studio.post(
        f"/v1/productions/{production['id']}/shots",
        {
            "code": "AGM_104_TCC_0010",
            "sequence_id": in_sequence["id"],
            "frame_in": 1001,
            "frame_out": 1096,
            "notes": "Rain, no stunt",
            "external_ref": "sg:12345",
        },
    )
    assert made.status == 201, made.body
    shot = (await studio.get(f"/v1/shots/{made.json['id']}")).json
    assert shot == made.json
    assert (shot["production_id"], shot["sequence_id"]) == (production["id"], in_sequence["id"])
    assert (shot["frame_in"], shot["frame_out"], shot["notes"]) == (1001, 1096, "Rain, no stunt")
    assert (await studio.get(f"/v1/sequences/{in_sequence['id']}")).json["episode_id"] == in_episode["id"]
    assert (await studio.get(f"/v1/episodes/{in_episode['id']}")).json["production_id"] == production["id"]
    for kind, code in (("episodes", "104"), ("sequences", "TCC"), ("shots", "AGM_104_TCC_0010")):
        listed = await studio.get(f"/v1/productions/{production['id']}/{kind}")
        assert [each["code"] for each in listed.json["data"]] == [code]


async def test_lists_do_not_show_notes(studio):
    """Notes are content: only who asks for one shot reads them."""
    production = await studio.production()
    await studio.post(f"/v1/productions/{production['id']}/shots", {"code": "A", "notes": "secret twist"})
    listed = await studio.get(f"/v1/productions/{production['id']}/shots")
    assert b"secret twist" not in listed.body
    assert "notes" not in listed.json["data"][0]


async def test_shots_are_filtered_by_code_sequence_and_reference(studio):
    """A tracker finds its shot by what it knows."""
    production = await studio.production()
    one = await sequence(studio, production, "ONE")
    base = f"/v1/productions/{production['id']}/shots"
    await studio.post(base, {"code": "A", "sequence_id": one["id"], "external_ref": "sg:1"})
    await studio.post(base, {"code": "B", "external_ref": "sg:2"})
    for params, codes in (
        ({"code": "B"}, ["B"]),
        ({"sequence_id": one["id"]}, ["A"]),
        ({"external_ref": "sg:2"}, ["B"]),
        ({"external_ref": "sg:2", "code": "A"}, []),
        ({}, ["A", "B"]),
    ):
        listed = await studio.get(base, params=params)
        assert [each["code"] for each in listed.json["data"]] == codes


async def test_pages_of_shots_follow_their_codes_and_lose_none(studio):
    """Page by page every shot comes once, also those made while somebody reads."""
    production = await studio.production()
    base = f"/v1/productions/{production['id']}/shots"
    for code in ("S_0030", "S_0010", "S_0050", "S_0020", "S_0040"):
        await studio.shot(production["id"], code)
    first = await studio.get(base, params={"limit": 2})
    await studio.shot(production["id"], "S_0045")
    assert 'rel="next"' in first.headers["Link"]
    codes, page = [each["code"] for each in first.json["data"]], first
    while page.json["next_cursor"]:
        page = await studio.get(base, params={"limit": 2, "cursor": page.json["next_cursor"]})
        codes += [each["code"] for each in page.json["data"]]
    assert codes == ["S_0010", "S_0020", "S_0030", "S_0040", "S_0045", "S_0050"]


async def test_a_cursor_of_another_list_is_refused(studio):
    """A cursor can't be carried from one production to another."""
    one, two = await studio.production(), await studio.production()
    for code in ("A", "B"):
        await studio.shot(one["id"], code)
    page = await studio.get(f"/v1/productions/{one['id']}/shots", params={"limit": 1})
    carried = await studio.get(
        f"/v1/productions/{two['id']}/shots", params={"cursor": page.json["next_cursor"]}
    )
    assert carried.status == 422
    assert carried.json["errors"][0]["code"] == "bad_cursor"


@pytest.mark.parametrize("kind", ["productions", "episodes", "sequences", "shots"])
async def test_a_code_is_taken_once(studio, kind):
    """The same code again is a conflict that names the field, by POST and by PATCH."""
    production = await studio.production()
    base = "/v1/productions" if kind == "productions" else f"/v1/productions/{production['id']}/{kind}"
    more = {"title": "T"} if kind == "productions" else {}
    code = some_code()
    await studio.post(base, {"code": code, **more})
    again = await studio.post(base, {"code": code, **more})
    other = await studio.post(base, {"code": some_code(), **more})
    renamed = await patch(studio, f"/v1/{kind}/{other.json['id']}", {"code": code}, '"1"')
    for refused in (again, renamed):
        assert refused.status == 409
        assert refused.json["code"] == "code_taken"
        assert refused.json["errors"][0]["pointer"] == "/code"


async def test_codes_are_unique_per_production_only(studio):
    """Two productions may number their shots alike."""
    one, two = await studio.production(), await studio.production()
    await studio.shot(one["id"], "S_0010")
    await studio.shot(two["id"], "S_0010")


@pytest.mark.parametrize("code", ["", "a b", "a/b", "../x", "ä", "-x", "a\n", "x" * 65])
async def test_a_code_has_legal_characters_only(studio, code):
    """Codes end up in file names and keys."""
    production = await studio.production()
    refused = await studio.post(f"/v1/productions/{production['id']}/shots", {"code": code})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "/code"


@pytest.mark.parametrize("kind", ["productions", "episodes", "sequences", "shots"])
async def test_an_edit_names_the_version_it_was_made_from(studio, kind):
    """Without If-Match an edit is refused, with an old one too; the new ETag is in the answer."""
    production = await studio.production()
    base = "/v1/productions" if kind == "productions" else f"/v1/productions/{production['id']}/{kind}"
    more = {"title": "T"} if kind == "productions" else {}
    made = await studio.post(base, {"code": some_code(), **more})
    path = f"/v1/{kind}/{made.json['id']}"
    assert (await patch(studio, path, {"external_ref": "x"}, None)).status == 428
    edited = await patch(studio, path, {"external_ref": "x"}, made.headers["ETag"])
    assert edited.status == 200, edited.body
    assert edited.headers["ETag"] == '"2"'
    assert edited.json["external_ref"] == "x"
    stale = await patch(studio, path, {"external_ref": "y"}, made.headers["ETag"])
    assert (stale.status, stale.json["code"]) == (412, "precondition_failed")
    read = await studio.get(path)
    assert (read.json, read.headers["ETag"]) == (edited.json, '"2"')


async def test_of_two_edits_at_once_one_is_told(studio):
    """Nobody's edit is lost silently."""
    production = await studio.production()
    path = f"/v1/productions/{production['id']}"
    answers = await asyncio.gather(
        *(patch(studio, path, {"title": f"Title {number}"}, '"1"') for number in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]


async def test_a_merge_patch_keeps_clears_and_refuses(studio):
    """Left out stays, null clears what may be empty, and an unknown field is an error."""
    production = await studio.production()
    made = await studio.post(
        f"/v1/productions/{production['id']}/shots",
        {"code": "A", "frame_in": 1001, "frame_out": 1010, "notes": "n", "external_ref": "sg:1"},
    )
    path = f"/v1/shots/{made.json['id']}"
    cleared = await patch(studio, path, {"notes": None, "external_ref": None, "frame_out": None}, '"1"')
    assert cleared.status == 200, cleared.body
    kept = {name: cleared.json[name] for name in ("code", "frame_in", "frame_out", "notes", "external_ref")}
    assert kept == {"code": "A", "frame_in": 1001, "frame_out": None, "notes": None, "external_ref": None}
    for wrong, pointer in (
        ({"code": None}, "/code"),
        ({"production_id": production["id"]}, "/production_id"),
    ):
        refused = await patch(studio, path, wrong, '"2"')
        assert refused.status == 422
        assert refused.json["errors"][0]["pointer"] == pointer


async def test_an_edit_that_changes_nothing_keeps_the_etag(studio):
    """Sending what is there already, notes included, makes no new version."""
    production = await studio.production()
    made = await studio.post(
        f"/v1/productions/{production['id']}/shots", {"code": "A", "notes": "n", "frame_in": 1}
    )
    same = await patch(studio, f"/v1/shots/{made.json['id']}", {"notes": "n", "frame_in": 1}, '"1"')
    assert (same.status, same.headers["ETag"]) == (200, '"1"')
    assert same.json["notes"] == "n"


async def test_merge_patch_media_type_is_taken(studio):
    """RFC 7396 names application/merge-patch+json."""
    production = await studio.production()
    edited = await studio.call(
        "PATCH",
        f"/v1/productions/{production['id']}",
        data=b'{"title": "Renamed"}',
        headers={"If-Match": "*", "Content-Type": "application/merge-patch+json"},
    )
    assert edited.status == 200, edited.body
    assert edited.json["title"] == "Renamed"


async def test_a_frame_range_runs_forward_also_when_one_end_is_edited(studio):
    """The other end is the one on record."""
    production = await studio.production()
    base = f"/v1/productions/{production['id']}/shots"
    backward = await studio.post(base, {"code": "A", "frame_in": 2, "frame_out": 1})
    assert (backward.status, backward.json["errors"][0]["pointer"]) == (422, "/frame_out")
    made = await studio.post(base, {"code": "A", "frame_in": 1001, "frame_out": 1010})
    edited = await patch(studio, f"/v1/shots/{made.json['id']}", {"frame_out": 1000}, '"1"')
    assert (edited.status, edited.json["errors"][0]["pointer"]) == (422, "/frame_out")


async def test_a_sequence_or_episode_of_another_production_is_unknown(studio):
    """A shot can't hang in two productions."""
    one, two = await studio.production(), await studio.production()
    foreign_sequence, foreign_episode = await sequence(studio, two), await episode(studio, two)
    own_shot, own_sequence = await studio.shot(one["id"]), await sequence(studio, one)
    shot = {"sequence_id": foreign_sequence["id"]}
    in_episode = {"episode_id": foreign_episode["id"]}
    refusals = [
        await studio.post(f"/v1/productions/{one['id']}/shots", {"code": "B", **shot}),
        await patch(studio, f"/v1/shots/{own_shot['id']}", shot, '"1"'),
        await studio.post(f"/v1/productions/{one['id']}/sequences", {"code": "B", **in_episode}),
        await patch(studio, f"/v1/sequences/{own_sequence['id']}", in_episode, '"1"'),
    ]
    assert [refused.status for refused in refusals] == [422] * 4
    pointers = [refused.json["errors"][0]["pointer"] for refused in refusals]
    assert pointers == ["/sequence_id", "/sequence_id", "/episode_id", "/episode_id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/productions/{id}"),
        ("GET", "/v1/productions/{id}/shots"),
        ("GET", "/v1/productions/{id}/episodes"),
        ("GET", "/v1/productions/{id}/sequences"),
        ("GET", "/v1/productions/{id}/ai-register.csv"),
        ("GET", "/v1/productions/{id}/ai-register.jsonl"),
        ("GET", "/v1/episodes/{id}"),
        ("GET", "/v1/sequences/{id}"),
        ("GET", "/v1/shots/{id}"),
        ("POST", "/v1/productions/{id}/shots"),
        ("POST", "/v1/productions/{id}/episodes"),
        ("POST", "/v1/productions/{id}/sequences"),
        ("PATCH", "/v1/productions/{id}"),
        ("PATCH", "/v1/episodes/{id}"),
        ("PATCH", "/v1/sequences/{id}"),
        ("PATCH", "/v1/shots/{id}"),
    ],
)
async def test_what_does_not_exist_is_not_found(studio, method, path):
    """An unknown id is 404 on every route."""
    body = {} if method == "GET" else {"json": {"code": "A"}}
    missing = await studio.call(method, path.format(id=NOWHERE), headers={"If-Match": "*"}, **body)
    assert (missing.status, missing.json["code"]) == (404, "not_found")


async def test_a_repeated_request_makes_one_shot(studio):
    """The same Idempotency-Key gives the same answer; with another body it is refused."""
    production = await studio.production()
    base = f"/v1/productions/{production['id']}/shots"
    key = {"Idempotency-Key": '"one-shot"'}  # bound to the path, so also to this production
    first = await studio.post(base, {"code": "A"}, headers=key)
    again = await studio.post(base, {"code": "A"}, headers=key)
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await studio.post(base, {"code": "B"}, headers=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


async def test_a_refused_request_does_not_use_up_its_key(studio):
    """After the mistake is corrected the same key works."""
    production = await studio.production()
    base = f"/v1/productions/{production['id']}/shots"
    await studio.shot(production["id"], "A")
    key = {"Idempotency-Key": "retry"}
    assert (await studio.post(base, {"code": "A"}, headers=key)).status == 409
    assert (await studio.post(base, {"code": "B"}, headers=key)).status == 201


async def test_another_studio_may_use_the_same_code_and_sees_nothing(studio, other_studio):
    """Codes are a studio's own; a foreign production is as unknown as none at all."""
    production = await studio.production()
    shot = await studio.shot(production["id"])
    await other_studio.production(production["code"])
    for path in (f"/v1/productions/{production['id']}", f"/v1/shots/{shot['id']}"):
        unknown = await other_studio.get(path.rsplit("/", 1)[0] + f"/{NOWHERE}")
        foreign = await other_studio.get(path)
        assert foreign.status == 404
        assert foreign.json["detail"] == unknown.json["detail"]
    imported = await other_studio.call(
        "POST",
        f"/v1/productions/{production['id']}/shots/import",
        data=b"code\nMINE\n",
        headers={"Content-Type": "text/csv"},
    )
    assert imported.status == 404


async def test_a_hostile_body_under_a_key_is_refused_and_not_our_fault(studio):
    """JSON nested past every depth is a bad request, also where the key binds itself to the body."""
    refused = await studio.call(
        "POST",
        "/v1/productions",
        data=b"[" * 100_000,
        headers={"Content-Type": "application/json", "Idempotency-Key": "deep"},
    )
    assert refused.status in {400, 422}
    assert refused.json["code"]
