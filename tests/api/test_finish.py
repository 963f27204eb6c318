"""Draft cheap, finish circled: what is kept of a draft, and what finishing one gives."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.gateway import Studio
from tests.plates import download, made, upload


@pytest.fixture(scope="module")
async def place(studio: Studio) -> dict[str, str]:
    production = await studio.production()
    return {"production_id": production["id"], "shot_id": (await studio.shot(production["id"]))["id"]}


async def _circled_draft(
    studio: Studio, place: dict[str, str], folder: Path
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], dict[str, Any]]:
    """A 16-bit plate, its matte and a circled draft of a cleanup on it."""
    plate = np.full((240, 360, 3), 30_000, np.uint16)
    plate[::8] += 2_000
    matte = np.zeros((240, 360), np.uint8)
    matte[60:140, 100:200] = 255
    cv2.imwrite(str(folder / "plate.tif"), plate)
    cv2.imwrite(str(folder / "matte.png"), matte)
    inputs = {
        "plate": await upload(studio, place, folder / "plate.tif", "plate", "image/tiff"),
        "matte": await upload(studio, place, folder / "matte.png", "matte"),
    }
    take = await made(studio, {**place, "kind": "cleanup", "quality": "draft", "inputs": inputs})
    reviewer = await studio.person("reviewer", name="Rhea")
    circled = await reviewer.post(f"/v1/takes/{take['id']}/circle")
    assert circled.status == 200, circled.body
    return plate, matte, take


async def test_a_circled_draft_is_finished_at_its_plates_size_and_depth(
    studio: Studio, place: dict[str, str], tmp_path: Path
) -> None:
    """The finish is a take of its own, as deep as the plate, and outside the matte it is the plate."""
    plate, matte, draft = await _circled_draft(studio, place, tmp_path)
    finished = await studio.post(f"/v1/takes/{draft['id']}/finish", {})
    assert finished.status == 202, finished.body
    assert finished.json["finish_of"] == draft["id"]
    done = await studio.get(finished.headers["Location"], headers={"Prefer": "wait=30"})
    assert done.json["state"] == "succeeded", done.body
    take = done.json["takes"][0]
    result = cv2.imread(
        str(await download(studio, take["media_id"], tmp_path / "finish.tif")), cv2.IMREAD_UNCHANGED
    )
    assert (result.dtype, result.shape) == (plate.dtype, plate.shape)
    assert np.array_equal(result[matte == 0], plate[matte == 0])
    assert take["id"] != draft["id"]


async def test_only_a_circled_take_is_finished(studio: Studio, place: dict[str, str]) -> None:
    """What nobody chose is not worth a model's money."""
    take = await made(studio, {**place, "kind": "concept_art", "quality": "draft", "prompt": "a pier"})
    refused = await studio.post(f"/v1/takes/{take['id']}/finish", {})
    assert (refused.status, refused.json["code"]) == (409, "take_not_circled")


async def test_what_a_model_was_sent_is_kept_with_the_take(studio: Studio, place: dict[str, str]) -> None:
    """The wire body as it was sent, with the call's cost; the report says which value each control got."""
    body = {
        **place,
        "kind": "concept_art",
        "prompt": "a lighthouse in fog",
        "controls": {"aspect_ratio": "4:3", "creativity": 0.5},
        "seed": 41,
    }
    take = await made(studio, body)
    report = {line["control"]: line for line in take["controls_report"]}
    assert (report["aspect_ratio"]["state"], report["creativity"]["state"]) == (
        "approximated",
        "unsupported",
    )
    assert (report["seed"]["state"], report["seed"]["sent"]) == ("applied", 41)
    [call] = (await studio.get(f"/v1/takes/{take['id']}/calls")).json["data"]
    assert call["wire_body"]["prompt"] == "a lighthouse in fog"
    assert call["wire_body"]["aspect_ratio"] == report["aspect_ratio"]["sent"]
    assert call["cost_usd"] == take["cost_usd"]
