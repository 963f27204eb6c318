"""Media files over HTTP: bytes go straight to the bucket by presigned URLs, and are inspected before anything uses them."""

import hashlib

import pytest

from tests.gateway import onboard
from tests.integration.vision_files import jpeg_bytes, noise, png_bytes

WAIT = {"Prefer": "wait=30"}
NOWHERE = "0190a5b0-0000-7000-8000-000000000000"


def plate(seed=0, width=64, height=48):
    return png_bytes(noise(height, width, seed=seed))


@pytest.fixture(scope="module")
async def place(studio):
    production = await studio.production()
    shot = await studio.shot(production["id"])
    return {"production_id": production["id"], "shot_id": shot["id"]}


async def declare(studio, place, data, *, headers=None, **changes):
    body = {
        **place,
        "role": "plate",
        "name": "plate v001.png",
        "media_type": "image/png",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "rights_basis": "owned",
        **changes,
    }
    return await studio.post("/v1/media", body, headers=headers or {})


async def send(studio, upload, data):
    headers = {name: value for name, value in upload["headers"].items() if name != "Content-Length"}
    async with studio.http.put(upload["url"], data=data, headers=headers) as answer:
        return answer.status


async def ready(studio, place, data, **changes):
    declared = await declare(studio, place, data, **changes)
    assert declared.status == 201, declared.body
    assert await send(studio, declared.json["upload"], data) == 200
    done = await studio.post(f"/v1/media/{declared.json['id']}/complete", headers=WAIT)
    assert (done.status, done.json["state"]) == (200, "ready"), done.body
    return done.json


async def test_a_file_is_declared_sent_completed_and_downloaded(studio, place):
    """The gateway sees none of its bytes; what comes back is what was sent, under its own name."""
    data = plate()
    declared = await declare(studio, place, data, external_ref="sg:12")
    assert declared.status == 201
    assert declared.headers["Location"] == f"/v1/media/{declared.json['id']}"
    assert declared.json["state"] == "uploading"
    assert await send(studio, declared.json["upload"], data) == 200
    done = await studio.post(f"/v1/media/{declared.json['id']}/complete", headers=WAIT)
    assert (done.status, done.headers["Preference-Applied"]) == (200, "wait=30")
    file = done.json
    assert (file["state"], file["width"], file["height"], file["rights_basis"]) == ("ready", 64, 48, "owned")
    assert (await studio.get(declared.headers["Location"])).json == file
    grant = await studio.post(f"/v1/media/{file['id']}/download")
    assert grant.status == 200
    async with studio.http.get(grant.json["url"]) as answer:
        assert await answer.read() == data
        assert "plate v001.png" in answer.headers["Content-Disposition"]


async def test_complete_is_accepted_and_can_be_asked_again(studio, place):
    """Without waiting the answer is 202, and asking again is harmless."""
    data = plate(1)
    declared = await declare(studio, place, data)
    await send(studio, declared.json["upload"], data)
    path = f"/v1/media/{declared.json['id']}"
    assert (await studio.post(f"{path}/complete")).status == 202
    settled = await studio.get(path, headers=WAIT)
    assert settled.json["state"] == "ready"
    again = await studio.post(f"{path}/complete")
    assert (again.status, again.json) == (200, settled.json)


async def test_a_refused_file_tells_why_and_can_not_be_downloaded(studio, place):
    """A JPEG that was declared as a PNG."""
    data = jpeg_bytes(noise(48, 64))
    declared = await declare(studio, place, data)
    await send(studio, declared.json["upload"], data)
    done = await studio.post(f"/v1/media/{declared.json['id']}/complete", headers=WAIT)
    assert (done.status, done.json["state"], done.json["problem"]["code"]) == (
        200,
        "refused",
        "type_mismatch",
    )
    refused = await studio.post(f"/v1/media/{declared.json['id']}/download")
    assert (refused.status, refused.json["code"]) == (409, "media_not_ready")
    assert (await studio.call("DELETE", f"/v1/media/{declared.json['id']}")).json["state"] == "refused"


async def test_completing_an_upload_that_never_came_is_a_conflict(studio, place):
    """With a code and what to do."""
    declared = await declare(studio, place, plate(2))
    refused = await studio.post(f"/v1/media/{declared.json['id']}/complete")
    assert (refused.status, refused.json["code"]) == (409, "upload_missing")


async def test_expired_urls_are_renewed(studio, place):
    """A new URL for the same file; once it is completed there is nothing left to renew."""
    data = plate(3)
    declared = await declare(studio, place, data)
    path = f"/v1/media/{declared.json['id']}"
    renewed = await studio.post(f"{path}/upload-urls")
    assert renewed.status == 200
    assert await send(studio, renewed.json["upload"], data) == 200
    assert (await studio.post(f"{path}/upload-urls", {"parts": [1]})).status == 422
    assert (await studio.post(f"{path}/complete", headers=WAIT)).json["state"] == "ready"
    over = await studio.post(f"{path}/upload-urls")
    assert (over.status, over.json["code"]) == (409, "not_uploading")


async def test_a_large_file_comes_in_parts(studio, place):
    """Above 64 MiB: URLs per part, more of them on demand."""
    declared = await declare(
        studio,
        place,
        b"",
        size=400 * 1024**2,
        sha256="c" * 64,
        media_type="image/tiff",
    )
    upload = declared.json["upload"]
    assert (upload["url"], upload["part_count"]) == (None, 25)
    assert [part["number"] for part in upload["parts"]] == list(range(1, 21))
    path = f"/v1/media/{declared.json['id']}"
    more = await studio.post(f"{path}/upload-urls", {"parts": [25, 21]})
    assert [part["number"] for part in more.json["upload"]["parts"]] == [21, 25]
    wrong = await studio.post(f"{path}/upload-urls", {"parts": [1, 26]})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/parts/1")
    missing = await studio.post(f"{path}/complete")
    assert (missing.status, missing.json["code"], len(missing.json["parts"])) == (409, "parts_missing", 25)
    assert (await studio.call("DELETE", path)).json["state"] == "withdrawn"


async def test_known_bytes_are_not_sent_twice(studio, place):
    """The same file is answered with 200 and nothing to upload; another role gets its own, copied in the bucket."""
    data = plate(4)
    file = await ready(studio, place, data)
    again = await declare(studio, place, data)
    assert (again.status, again.json["id"], again.json["upload"]) == (200, file["id"], None)
    other = await declare(studio, place, data, role="reference")
    assert (other.status, other.json["upload"]) == (201, None)
    settled = await studio.get(f"/v1/media/{other.json['id']}", headers=WAIT)
    assert (settled.json["state"], settled.json["role"]) == ("ready", "reference")


async def test_an_idempotency_key_makes_one_file(studio, place):
    """The same key and body find the same file; another body under it is an error."""
    key = {"Idempotency-Key": "plate-77"}
    one = await declare(studio, place, plate(5), headers=key)
    two = await declare(studio, place, plate(5), headers=key)
    assert (two.status, two.json["id"]) == (201, one.json["id"])
    assert two.headers["Idempotent-Replayed"] == "true"
    assert await send(studio, two.json["upload"], plate(5)) == 200
    other = await declare(studio, place, plate(6), headers=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"role": "lut"}, "/role", "role_not_open"),
        ({"role": "take"}, "/role", "role_not_uploadable"),
        ({"role": "matte", "media_type": "image/jpeg"}, "/media_type", "unsupported_media_type"),
        ({"media_type": "image/svg+xml"}, "/media_type", "unsupported_media_type"),
        ({"size": 6 * 1024**3}, "/size", "out_of_range"),
        ({"name": "../../etc/passwd"}, "/name", "bad_name"),
        ({"first_frame": 5}, "/last_frame", "frame_range"),
        ({"production_id": NOWHERE}, "/production_id", "unknown_production"),
        ({"shot_id": NOWHERE}, "/shot_id", "unknown_shot"),
    ],
)
async def test_what_could_never_be_taken_is_refused_at_once(studio, place, changes, pointer, code):
    """Before a byte is sent, with a pointer to what is wrong."""
    refused = await declare(studio, place, plate(7), **changes)
    assert refused.status == 422
    assert [(each["pointer"], each["code"]) for each in refused.json["errors"]] == [(pointer, code)]


async def test_a_file_uploaded_by_mistake_is_withdrawn(studio, place):
    """Its record stays as a tombstone, and nothing can use it."""
    file = await ready(studio, place, plate(8))
    path = f"/v1/media/{file['id']}"
    assert (await studio.call("DELETE", path)).json["state"] == "withdrawn"
    assert (await studio.call("DELETE", path)).json["state"] == "withdrawn"
    assert (await studio.get(path)).json["sha256"] == file["sha256"]
    assert (await studio.post(f"{path}/download")).status == 409
    asked = await studio.post(
        "/v1/generations", {**place, "kind": "set_extension", "inputs": {"plate": file["id"]}}
    )
    assert (asked.status, asked.json["errors"][0]["code"]) == (422, "media_not_ready")


async def test_a_file_in_use_stays(studio, place):
    """What a generation was asked with belongs to its record, and so does what it made."""
    file = await ready(studio, place, plate(9, 128, 128))
    asked = await studio.post(
        "/v1/generations",
        {
            **place,
            "kind": "set_extension",
            "inputs": {"plate": file["id"]},
            "controls": {"extend": {"left": 64}},
        },
        headers=WAIT,
    )
    (take,) = asked.json["takes"]
    assert take["state"] == "succeeded", asked.body
    for media_id in (file["id"], take["media_id"]):
        refused = await studio.call("DELETE", f"/v1/media/{media_id}")
        assert (refused.status, refused.json["code"]) == (409, "media_in_use")


async def test_files_are_found_by_what_they_are(studio, place):
    """By shot, role, state, hash and the tracker's reference; page after page without gaps."""
    files = [await ready(studio, place, plate(20 + n), external_ref=f"find:{n}") for n in range(3)]
    for query in ({"sha256": files[1]["sha256"]}, {"external_ref": "find:1", "state": "ready"}):
        found = await studio.get("/v1/media", params=query)
        assert [each["id"] for each in found.json["data"]] == [files[1]["id"]]
    seen, cursor = [], None
    while True:
        params = {"shot_id": place["shot_id"], "role": "plate", "limit": 2}
        page = await studio.get("/v1/media", params=params | ({"cursor": cursor} if cursor else {}))
        seen += [each["id"] for each in page.json["data"]]
        cursor = page.json["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {file["id"] for file in files} <= set(seen)


async def test_another_studios_files_do_not_exist(studio, running, http, place):
    """Not to read, complete, renew, download, withdraw, declare into, or match by hash."""
    data = plate(10)
    file = await ready(studio, place, data)
    other = await onboard(http, running)
    path = f"/v1/media/{file['id']}"
    for method, where in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/complete"),
        ("POST", f"{path}/upload-urls"),
        ("POST", f"{path}/download"),
    ):
        assert (await other.call(method, where)).status == 404
    assert (await declare(other, place, data)).json["errors"][0]["code"] == "unknown_production"
    production = await other.production()
    own = await declare(other, {"production_id": production["id"]}, data)
    assert (own.status, own.json["state"]) == (201, "uploading")
    assert (await other.get("/v1/media", params={"sha256": file["sha256"]})).json["data"][0][
        "id"
    ] == own.json["id"]
