"""From numbered panels to a PDF, stills and an animatic: drawn as they stand, timed to the frame, signed."""

import secrets
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from circletake.adapters.cuts.calls import read_cut
from circletake.adapters.vision.storyboards.retiming import timing_of
from circletake.domain.exposure.flatten import Clip, Strip
from tests.cast import WAIT, png, upload
from tests.gateway import Studio

RATE = Fraction(24000, 1001)
FRAMES = [30, 1, 12]


def picture(red: int, width: int = 160, height: int = 90) -> bytes:
    """A plain picture whose colour tells it from the others."""
    return png(np.full((height, width, 3), (red, 90, 40), np.uint8))


@pytest.fixture(scope="module")
async def board(studio: Studio) -> dict[str, Any]:
    """A storyboard of three panels: a picture with a shot, an upright picture, and one without a picture."""
    code = f"P{secrets.token_hex(3)}"
    made = await studio.post(
        "/v1/productions", {"code": code, "title": "A production", "frame_rate": "24000/1001"}
    )
    production = made.json["id"]
    shot = await studio.shot(production, "TCC_0010")
    pictures = [
        await upload(studio, production, picture(200)),
        await upload(studio, production, picture(20, 90, 160)),
    ]
    answer = await studio.post(
        "/v1/storyboards", {"production_id": production, "title": "The valley", "scene": "12A"}
    )
    assert (answer.status, answer.json["name"]) == (201, f"{code}_SB01"), answer.body
    place = f"/v1/storyboards/{answer.json['id']}"
    rows = [
        {"shot_id": shot["id"], "media_id": pictures[0], "caption": "He weighs the stone."},
        {"media_id": pictures[1], "dialogue": "שלום"},
        {"camera": "slow push-in"},
    ]
    panels = [{**row, "duration_frames": frames} for row, frames in zip(rows, FRAMES, strict=True)]
    put = await studio.call(
        "PUT", f"{place}/panels", json={"panels": panels}, headers={"If-Match": answer.headers["ETag"]}
    )
    assert put.status == 200, put.body
    return {
        "code": code,
        "production": production,
        "shot": shot["id"],
        "pictures": pictures,
        "place": place,
        "panels": put.json["panels"],
        "etag": put.headers["ETag"],
    }


async def fetched(studio: Studio, media_id: str, path: Path) -> Path:
    granted = await studio.post(f"/v1/media/{media_id}/download")
    assert granted.status == 200, granted.body
    async with studio.http.get(granted.json["url"]) as answer:
        path.write_bytes(await answer.read())
    return path


async def made(studio: Studio, place: str, body: dict[str, Any] | None = None) -> Any:
    answer = await studio.post(place, body, headers=WAIT)
    assert answer.status in {200, 202}, answer.body
    if answer.status == 202:  # a busy machine
        answer = await studio.get(answer.headers["Location"])
    assert answer.json["state"] == "ready", answer.body
    return answer.json


async def test_a_storyboard_is_drawn_once_as_it_stands(
    studio: Studio, board: dict[str, Any], tmp_path: Path
) -> None:
    """A signed PDF and a signed still of every panel, named by number; asked again it is the same drawing."""
    drawing = await made(studio, f"{board['place']}/drawings")
    assert [each["name"] for each in drawing["stills"]] == [
        f"{board['code']}_SB01_p{number:03d}.jpg" for number in (1, 2, 3)
    ]
    assert (drawing["pages"], drawing["remarks"]) == (1, [{"panel": 3, "code": "no_picture"}])
    upright = cv2.imread(str(await fetched(studio, drawing["stills"][1]["media_id"], tmp_path / "p2.jpg")))
    assert upright is not None
    assert upright.shape == (160, 90, 3)
    document = await fetched(studio, drawing["document"]["media_id"], tmp_path / "board.pdf")
    said = document.read_bytes()
    assert b"p001 TCC_0010 30 f" in said
    assert b"He weighs the stone." in said
    for media_id in (drawing["document"]["media_id"], drawing["stills"][0]["media_id"]):
        verified = await studio.post("/v1/verify", {"media_id": media_id}, headers=WAIT)
        assert verified.json["status"] == "trusted", verified.body
    again = await studio.post(f"{board['place']}/drawings")
    assert (again.status, again.json["id"]) == (200, drawing["id"])


async def test_an_animatic_lasts_exactly_its_frames(
    studio: Studio, board: dict[str, Any], tmp_path: Path
) -> None:
    """At 24000/1001 every panel stands for its frames, and the timeline says the same and names the stills."""
    asked = {"width": 320, "height": 180, "burn_in": True}
    animatic = await made(studio, f"{board['place']}/animatics", asked)
    assert (animatic["frames"], animatic["frame_rate"]) == (43, "24000/1001")
    video = await fetched(studio, animatic["video"]["media_id"], tmp_path / "a.mp4")
    timing = timing_of(video)
    assert (timing.rate, timing.frames) == (RATE, sum(FRAMES))
    capture = cv2.VideoCapture(str(video))
    reds = []
    while (read := capture.read())[0]:
        reds.append(int(read[1][90, 160, 2]))
    assert [red > 100 for red in reds] == [True] * 30 + [False] + [True] * 12  # the card is light
    verified = await studio.post("/v1/verify", {"media_id": animatic["video"]["media_id"]}, headers=WAIT)
    assert verified.json["status"] == "trusted", verified.body
    otio = await fetched(studio, animatic["timeline"]["media_id"], tmp_path / "a.otio")
    assert b"http" not in otio.read_bytes()  # nothing in it gives access
    cut = read_cut(otio, "otio", Fraction(24))
    assert cut.rate == RATE
    track = cut.timeline.tracks[0]
    assert isinstance(track, Strip)
    assert [clip.duration * RATE for clip in track.items if isinstance(clip, Clip)] == FRAMES
    assert [source.name for source in cut.sources] == ["TCC_0010", "p002", "p003"]
    stills = [each["media_id"] for each in animatic["stills"]]
    assert all(media_id in source.hints for media_id, source in zip(stills, cut.sources, strict=True))
    known = await studio.post("/v1/verify", {"media_id": animatic["timeline"]["media_id"]}, headers=WAIT)
    assert known.json["known_output"]["same_bytes"] is True
    assert animatic["timeline_manifest"]["name"].endswith(".otio.c2pa")


async def test_what_isnt_approved_is_marked_where_the_studio_says_so(studio: Studio, tmp_path: Path) -> None:
    """A still is nearly the take itself: unapproved, it carries the mark that a contact sheet has."""
    production = (await studio.production())["id"]
    generation = await studio.post(
        "/v1/generations",
        {"production_id": production, "kind": "concept_art", "prompt": "a valley at dawn"},
        headers=WAIT,
    )
    board = await studio.post("/v1/storyboards", {"production_id": production, "title": "The valley"})
    place = f"/v1/storyboards/{board.json['id']}"
    panels = [{"take_id": generation.json["takes"][0]["id"]}]
    put = await studio.call("PUT", f"{place}/panels", json={"panels": panels}, headers={"If-Match": "*"})
    assert put.status == 200, put.body
    manager = await studio.everybody()
    drawn = []
    for demanded in (True, False):
        rule = {"approved_before_download": demanded}
        assert (await manager.call("PUT", "/v1/review-rules", json=rule)).status == 200
        still = (await made(studio, f"{place}/drawings"))["stills"][0]["media_id"]
        drawn.append(cv2.imread(str(await fetched(studio, still, tmp_path / f"{demanded}.jpg"))))
    marked, clear = drawn
    assert marked is not None
    assert clear is not None
    assert (np.abs(marked.astype(int) - clear) > 24).mean() > 0.01  # letters all over it


async def test_a_script_page_becomes_panels_that_say_whose_words_they_are(studio: Studio) -> None:
    """Each shot of the breakdown is a panel with the shot's words, marked as a language model's."""
    production = (await studio.production())["id"]
    page = "12A EXT. VALLEY - DAWN\n\nDavid weighs a stone in his hand and looks across the valley.\n"
    broken = await studio.post(
        "/v1/script-breakdowns", {"production_id": production, "text": page}, headers=WAIT
    )
    shots = broken.json["breakdown"]["shots"]
    assert shots
    body = {"production_id": production, "title": "The valley", "breakdown_id": broken.json["id"]}
    answer = await studio.post("/v1/storyboards", body)
    assert (answer.status, answer.json["panels"]) == (201, len(shots)), answer.body
    panels = (await studio.get(f"/v1/storyboards/{answer.json['id']}/panels")).json["data"]
    assert [panel["caption"] for panel in panels] == [shot["description"] for shot in shots]
    assert {panel["ai_generated_text"] for panel in panels} == {True}
    other = await studio.post("/v1/storyboards", {**body, "scene": "99"})
    assert (other.status, other.json["errors"][0]["pointer"]) == (422, "/scene")


async def test_panels_are_moved_by_sending_the_list_again(studio: Studio) -> None:
    """A panel keeps its id wherever it goes, an edit from an old version is refused, and deleting ends it all."""
    production = (await studio.production())["id"]
    board = await studio.post("/v1/storyboards", {"production_id": production, "title": "The valley"})
    place = f"/v1/storyboards/{board.json['id']}"
    panels = [{"caption": "first"}, {"caption": "second"}]
    put = await studio.call("PUT", f"{place}/panels", json={"panels": panels}, headers={"If-Match": '"1"'})
    first, second = [panel["id"] for panel in put.json["panels"]]
    turned = {"panels": [{"id": second, "caption": "second"}, {"id": first, "caption": "first"}]}
    stale = await studio.call("PUT", f"{place}/panels", json=turned, headers={"If-Match": '"1"'})
    assert stale.status == 412
    put = await studio.call("PUT", f"{place}/panels", json=turned, headers={"If-Match": put.headers["ETag"]})
    moved = [(panel["id"], panel["name"], panel["start_frame"]) for panel in put.json["panels"]]
    assert moved == [(second, "p001", 0), (first, "p002", 48)]
    edited = await studio.call(
        "PATCH", f"{place}/panels/{first}", json={"caption": None}, headers={"If-Match": put.headers["ETag"]}
    )
    assert (edited.json["caption"], edited.json["number"]) == (None, 2)
    deleted = await studio.call("DELETE", place, headers={"If-Match": edited.headers["ETag"]})
    assert (deleted.status, (await studio.get(place)).status) == (204, 404)


async def test_a_wrong_row_is_pointed_at_and_changes_nothing(studio: Studio, board: dict[str, Any]) -> None:
    """Each row's mistake has its pointer; the panels stay as they were."""
    unknown = "01a00000-0000-7000-8000-000000000000"
    rows = [{"caption": "fine"}, {"take_id": unknown}, {"shot_id": unknown, "id": unknown}]
    answer = await studio.call(
        "PUT", f"{board['place']}/panels", json={"panels": rows}, headers={"If-Match": "*"}
    )
    assert answer.status == 422
    assert {(each["pointer"], each["code"]) for each in answer.json["errors"]} == {
        ("/panels/1/take_id", "unknown_take"),
        ("/panels/2/id", "unknown_panel"),
        ("/panels/2/shot_id", "unknown_shot"),
    }
    listed = await studio.get(f"{board['place']}/panels?limit=2")
    assert [panel["id"] for panel in listed.json["data"]] == [panel["id"] for panel in board["panels"][:2]]
    assert listed.json["next_cursor"]


async def test_a_withdrawn_picture_leaves_what_showed_it(studio: Studio, board: dict[str, Any]) -> None:
    """Its still, the PDF and the animatic go with it; the next drawing says so on a card and keeps the panel."""
    place = f"{board['place']}/drawings"
    before = await made(studio, place)
    withdrawn = await studio.call("DELETE", f"/v1/media/{board['pictures'][1]}")
    assert withdrawn.status == 200, withdrawn.body
    old = (await studio.get(f"{place}/{before['id']}")).json
    assert old["document"]["state"] == "withdrawn"
    gone = await studio.post(f"/v1/media/{old['stills'][1]['media_id']}/download")
    assert (gone.status, gone.json["code"]) == (409, "media_not_ready")
    after = await made(studio, place)
    assert after["id"] != before["id"]
    assert {"panel": 2, "code": "picture_withdrawn"} in after["remarks"]
    refused = await studio.call(
        "PATCH",
        f"{board['place']}/panels/{board['panels'][0]['id']}",
        json={"media_id": board["pictures"][1]},
        headers={"If-Match": "*"},
    )
    assert [(each["pointer"], each["code"]) for each in refused.json["errors"]] == [
        ("/media_id", "media_not_ready")
    ]
