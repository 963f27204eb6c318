"""Small doses: a cut says what is in the picture, the meter adds it up, and a limit is kept."""

import json
from fractions import Fraction
from typing import Any

import pytest

from tests.gateway import Studio


async def _made(studio: Studio, production_id: str, shot_id: str) -> dict[str, Any]:
    body = {
        "production_id": production_id,
        "shot_id": shot_id,
        "kind": "previs_shot",
        "prompt": "a lighthouse",
    }
    answer = await studio.post("/v1/generations", body, headers={"Prefer": "wait=30"})
    if answer.status == 202:
        answer = await studio.get(answer.headers["Location"], headers={"Prefer": "wait=30"})
    assert answer.json["state"] == "succeeded", answer.body
    take: dict[str, Any] = answer.json["takes"][0]
    return take


def _clip(name: str, frames: int, url: str | None = None) -> dict[str, Any]:
    media: dict[str, Any] = {"OTIO_SCHEMA": "MissingReference.1"}
    if url is not None:
        media = {"OTIO_SCHEMA": "ExternalReference.1", "target_url": url}

    def time(value: int) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "RationalTime.1", "value": value, "rate": 24.0}

    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "source_range": {"OTIO_SCHEMA": "TimeRange.1", "start_time": time(0), "duration": time(frames)},
        "media_references": {"DEFAULT_MEDIA": media},
        "active_media_reference_key": "DEFAULT_MEDIA",
    }


def _timeline(*clips: dict[str, Any]) -> bytes:
    track = {"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": list(clips)}
    stack = {"OTIO_SCHEMA": "Stack.1", "children": [track]}
    return json.dumps({"OTIO_SCHEMA": "Timeline.1", "tracks": stack}).encode()


async def _posted(studio: Studio, production_id: str, data: bytes, **query: str) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return await studio.post(
        f"/v1/productions/{production_id}/cuts?{asked}",
        data=data,
        headers={"Content-Type": "application/json", "Prefer": "wait=30"},
    )


@pytest.fixture(scope="module")
async def shown(studio: Studio) -> dict[str, Any]:
    """A production with two shots, one of them with a take."""
    production = (await studio.production())["id"]
    shots = [(await studio.shot(production, code))["id"] for code in ("SD_010", "SD_020")]
    return {"production": production, "shots": shots, "take": await _made(studio, production, shots[0])}


async def test_a_take_without_a_plate_is_generated_whole(studio: Studio, shown: dict[str, Any]) -> None:
    """Every frame of a clip a model made from words counts as a whole one."""
    answer = await studio.get(f"/v1/takes/{shown['take']['id']}/exposure")
    assert answer.json["generated_fraction"] == 1
    assert answer.json["measured"] == "no_plate"
    assert [run["generated"] for run in answer.json["frames"]] == [1]
    assert answer.json["frames"][0]["frames"] == answer.json["frame_count"] > 1


async def test_a_cut_tells_the_meter_what_is_in_the_picture(studio: Studio, shown: dict[str, Any]) -> None:
    """18 s of picture: a take known by its file's name for 4 s, by its shot's code for 2 s once it is circled, 12 s
    of other material: a third of the time, counted by hand."""
    production, take = shown["production"], shown["take"]
    name = (await studio.get(f"/v1/media/{take['media_id']}")).json["name"]
    data = _timeline(
        _clip("opening", 240),
        _clip("cut from a file", 96, f"file:///show/{name}"),
        _clip("sd_010 comp", 48),
        _clip("SD_020", 48),
    )
    cut = await _posted(studio, production, data)
    assert (cut.status, cut.json["state"], cut.json["active"]) == (200, "ready", True), cut.body
    assert (cut.json["seconds"], cut.json["clips_unmatched"]) == (18, 1)
    clips = (await studio.get(f"/v1/cuts/{cut.json['id']}/clips?limit=2")).json
    more = (await studio.get(f"/v1/cuts/{cut.json['id']}/clips?limit=2&cursor={clips['next_cursor']}")).json
    assert [each["matched_by"] for each in clips["data"] + more["data"]] == [
        None,
        "file_name",
        "shot_code",
        "shot_code",
    ]
    assert clips["data"][1]["take_id"] == take["id"]
    assert clips["data"][1]["seen"] == [[240, 336]]
    before = (await studio.get(f"/v1/productions/{production}/exposure")).json
    assert (before["screen_time"]["total"], before["screen_time"]["with_generated"]) == (18, 4)
    assert (before["based_on"], before["cut_id"]) == ("cut", cut.json["id"])
    reviewer = await studio.person("reviewer")
    assert (await reviewer.post(f"/v1/takes/{take['id']}/circle")).status == 200
    meter = (await studio.get(f"/v1/productions/{production}/exposure")).json
    assert (meter["shots"], meter["shots_with_ai"]) == (3, 1)
    assert meter["screen_time"]["with_generated"] == meter["screen_time"]["generated"] == 6
    assert meter["screen_time"]["share"] == pytest.approx(float(Fraction(1, 3)), abs=1e-6)
    of_shot = await studio.get(f"/v1/productions/{production}/exposure?shot_id={shown['shots'][1]}")
    assert (of_shot.json["screen_time"]["total"], of_shot.json["shots_with_ai"]) == (2, 0)
    assert (await reviewer.post(f"/v1/takes/{take['id']}/uncircle")).status == 200
    broken = await _posted(studio, production, data[:-60])
    assert (broken.json["state"], broken.json["code"]) == ("refused", "malformed")
    assert (await studio.get(f"/v1/cuts/{cut.json['id']}")).json["active"], "a refused one counts for nothing"


async def test_a_limit_is_a_managers_and_is_kept_when_a_take_is_circled(
    studio: Studio, shown: dict[str, Any]
) -> None:
    """Half of a frame and no more, blocked: a take that is generated whole can't be circled. A key sets no limit."""
    place = f"/v1/productions/{shown['production']}/exposure-limits"
    body = {"metric": "frame_fraction", "value": "0.5", "action": "block", "shot_id": shown["shots"][0]}
    assert (await studio.post(place, body)).json["code"] == "person_required"
    manager = await studio.person("production_manager")
    limit = await manager.post(place, body)
    assert limit.status == 201, limit.body
    reviewer = await studio.person("reviewer", "approver")
    refused = await reviewer.post(f"/v1/takes/{shown['take']['id']}/circle")
    assert (refused.status, refused.json["code"]) == (409, "exposure_limit")
    assert refused.json["limits"][0]["reading"] == 1
    assert [each["id"] for each in (await studio.get(place)).json["data"]] == [limit.json["id"]]
    assert (await manager.call("DELETE", f"/v1/exposure-limits/{limit.json['id']}")).status == 204
    assert (await reviewer.post(f"/v1/takes/{shown['take']['id']}/circle")).status == 200
