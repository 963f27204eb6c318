"""Verification over HTTP: what a file's manifest proves, and whether it is an output of the studio."""

import io

import pytest

from tests.api.test_media import NOWHERE, WAIT, declare, plate, ready
from tests.gateway import onboard
from tests.integration.c2pa_studio import change_one_byte
from tests.integration.vision_files import noise, png_bytes


@pytest.fixture(scope="module")
async def place(studio):
    production = await studio.production()
    shot = await studio.shot(production["id"])
    return {"production_id": production["id"], "shot_id": shot["id"]}


@pytest.fixture(scope="module")
async def take(studio, place):
    """A finished take, and the bytes of its file."""
    plate_file = await ready(studio, place, plate(70, 128, 128))
    asked = await studio.post(
        "/v1/generations",
        {
            **place,
            "kind": "set_extension",
            "inputs": {"plate": plate_file["id"]},
            "controls": {"extend": {"left": 64}},
        },
        headers=WAIT,
    )
    (made,) = asked.json["takes"]
    assert made["state"] == "succeeded", asked.body
    grant = await studio.post(f"/v1/media/{made['media_id']}/download")
    async with studio.http.get(grant.json["url"]) as answer:
        return made | {"bytes": await answer.read()}


async def post_file(studio, data, media_type="image/png", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await studio.call(
        "POST", "/v1/verify", data=data, headers={"Content-Type": media_type, **WAIT, **named}
    )


async def test_a_take_is_trusted_and_known(studio, take):
    """By its id: the manifest holds, the bytes are those that were published."""
    answer = await studio.post("/v1/verify", {"take_id": take["id"]}, headers=WAIT)
    assert answer.status == 200
    found = answer.json
    assert (found["status"], found["state"], found["bytes_as_recorded"]) == ("trusted", "done", True)
    assert found["known_output"] == {
        "take_id": take["id"],
        "generation_id": take["generation_id"],
        "media_id": take["media_id"],
        "known_manifest": True,
        "same_bytes": True,
    }
    assert found["digital_source_type"] == "compositeSynthetic"
    assert found["signer"]
    assert found["signed_at"]
    assert found["claim"]["generation"]["take"] == take["id"]
    assert (await studio.get(answer.headers["Location"])).json == found


async def test_the_same_bytes_from_anywhere_are_known(studio, take):
    """A file that came back by mail is the take that went out."""
    answer = await post_file(studio, take["bytes"])
    assert (answer.status, answer.json["status"]) == (200, "trusted")
    assert answer.json["known_output"]["take_id"] == take["id"]
    assert answer.json["bytes_as_recorded"] is None


async def test_a_changed_take_is_recognised_as_changed(studio, take, tmp_path):
    """Its manifest is known, its bytes aren't."""
    path = tmp_path / "changed.png"
    path.write_bytes(take["bytes"])
    change_one_byte(path)
    answer = await post_file(studio, path.read_bytes())
    assert answer.json["status"] == "tampered"
    known = answer.json["known_output"]
    assert (known["take_id"], known["known_manifest"], known["same_bytes"]) == (take["id"], True, False)


async def test_a_strangers_picture_carries_nothing(studio):
    """No manifest, not known: said so, and not more."""
    answer = await post_file(studio, png_bytes(noise(30, 40, seed=9)))
    assert (answer.json["status"], answer.json["known_output"], answer.json["claim"]) == (
        "no_manifest",
        None,
        None,
    )


@pytest.mark.parametrize("media_type", ["image/png", "image/x-unheard-of", "video/mp4"])
async def test_rubbish_gets_an_answer(studio, media_type):
    """Neither an error of ours nor a claim about the file."""
    answer = await post_file(studio, b"\0rubbish\xff" * 50, media_type)
    assert (answer.status, answer.json["state"]) == (200, "done")
    assert answer.json["status"] in {"no_manifest", "unreadable"}


async def test_it_is_accepted_and_answered_later(studio, take):
    """Without waiting: 202, and a place where the answer will be."""
    answer = await studio.post("/v1/verify", {"media_id": take["media_id"]})
    assert (answer.status, answer.json["state"], answer.json["status"]) == (202, "queued", None)
    assert answer.headers["Location"] == f"/v1/verifications/{answer.json['id']}"


async def test_a_repeat_under_the_same_key_asks_once(studio):
    """Also for posted bytes; other bytes under the key are an error."""
    data = png_bytes(noise(30, 40, seed=10))
    one = await post_file(studio, data, Idempotency_Key="mail-1")
    two = await post_file(studio, data, Idempotency_Key="mail-1")
    assert two.json["id"] == one.json["id"]
    assert two.headers["Idempotent-Replayed"] == "true"
    other = await post_file(studio, data + b"x", Idempotency_Key="mail-1")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"media_id": NOWHERE, "take_id": NOWHERE}, 422, "invalid_request"),
        ({"media_id": "x"}, 422, "invalid_request"),
        ({"file": "https://example.com/a.png"}, 422, "invalid_request"),
        ({"media_id": NOWHERE}, 404, "not_found"),
        ({"take_id": NOWHERE}, 404, "not_found"),
    ],
)
async def test_a_wrong_question_is_a_problem(studio, body, status, code):
    """A stable code; no URL is ever taken."""
    answer = await studio.post("/v1/verify", body)
    assert (answer.status, answer.json["code"]) == (status, code)


async def test_other_content_is_refused(studio):
    """Only JSON, pictures, videos and PDFs; and not an empty body."""
    answer = await post_file(studio, b"PK\x03\x04", "application/zip")
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    assert (await post_file(studio, b"")).status == 422
    broken = await studio.call("POST", "/v1/verify", data=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status, broken.json["code"]) == (400, "malformed_json")


async def test_a_file_too_large_to_post_is_refused(studio):
    """With 413, and not after it was stored."""
    answer = await post_file(studio, io.BytesIO(b"x" * (65 * 1024**2)), "video/mp4")
    assert answer.status == 413


async def test_a_file_that_is_not_ready_is_not_verified(studio, place):
    """There are no bytes to look at."""
    declared = await declare(studio, place, plate(71))
    answer = await studio.post("/v1/verify", {"media_id": declared.json["id"]})
    assert (answer.status, answer.json["code"]) == (409, "media_not_ready")


async def test_another_studio_learns_nothing(studio, take, running, http):
    """Its own verification of the same bytes knows no output; ids and answers are unknown to it."""
    other = await onboard(http, running)
    answer = await post_file(other, take["bytes"])
    assert (answer.json["status"], answer.json["known_output"]) == ("trusted", None)
    assert (await other.post("/v1/verify", {"take_id": take["id"]})).status == 404
    assert (await studio.get(answer.headers["Location"])).status == 404
