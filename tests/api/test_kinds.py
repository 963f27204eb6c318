"""The kinds beside plates and words: each through the gateway, a worker and its model, with what makes it that kind."""

import asyncio
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.gateway import Studio
from tests.plates import download, made, upload

SIDE = (192, 128)
SERVICE = "us.stability.stable-"


def _figure(colour: tuple[int, int, int], ground: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """A disc on a ground, with a little noise, so that no two pictures are alike."""
    noise = np.random.default_rng(sum(colour)).integers(0, 6, (SIDE[1], SIDE[0], 3))
    picture = np.full((SIDE[1], SIDE[0], 3), ground, np.uint8)
    cv2.circle(picture, (96, 64), 36, colour, -1)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _matte() -> np.ndarray[Any, Any]:
    matte = np.zeros((SIDE[1], SIDE[0]), np.uint8)
    cv2.circle(matte, (96, 64), 44, 255, -1)
    return matte


PLATE = _figure((40, 40, 200), (170, 170, 160))
STYLE = _figure((200, 120, 40), (30, 60, 90))
SKETCH = _figure((10, 10, 10), (245, 245, 245))


@pytest.fixture(scope="module")
async def place(studio: Studio) -> dict[str, str]:
    production = await studio.production()
    return {"production_id": production["id"], "shot_id": (await studio.shot(production["id"]))["id"]}


@pytest.fixture(scope="module")
async def pictures(
    studio: Studio, place: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("kinds")
    drawn = {"plate": PLATE, "matte": _matte(), "style": STYLE, "sketch": SKETCH}
    roles = {"plate": "plate", "matte": "matte", "style": "reference", "sketch": "reference"}
    found = {}
    for name, pixels in drawn.items():
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
        found[name] = await upload(studio, place, folder / f"{name}.png", roles[name])
    return found


async def test_the_further_kinds_are_made_by_their_own_models(
    studio: Studio, place: dict[str, str], pictures: dict[str, str], tmp_path: Path
) -> None:
    """A panel along a sketch, a look in a style, a colour for what words find, a cutout and an upscale: all at once, each
    of the size and form that it has to have."""
    plate, matte, style, sketch = (pictures[name] for name in ("plate", "matte", "style", "sketch"))
    on_plate = {"plate": plate, "matte": matte}
    asked: dict[str, dict[str, Any]] = {
        "sketched": {"kind": "storyboard_panel", "prompt": "a buoy", "model": f"{SERVICE}image-control-sketch-v1:0", "inputs": {"sketch": sketch}},
        "styled": {"kind": "look_development", "model": f"{SERVICE}style-transfer-v1:0", "inputs": {"source": plate, "style": style}},
        "recolored": {"kind": "recolor", "prompt": "green", "search_prompt": "the red disc", "inputs": on_plate},
        "cut": {"kind": "background_removal", "inputs": {"source": plate}},
        "upscaled": {"kind": "upscale", "inputs": {"source": plate}},
    }  # fmt: skip
    takes = await asyncio.gather(*(made(studio, {**place, **body}) for body in asked.values()))
    results = {}
    for name, take in zip(asked, takes, strict=True):
        path = await download(studio, take["media_id"], tmp_path / f"{name}.png")
        results[name] = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    outside = _matte() == 0
    assert results["recolored"].shape == PLATE.shape
    assert np.array_equal(results["recolored"][outside], PLATE[outside])
    green, red = results["recolored"][64, 96, 1], results["recolored"][64, 96, 2]
    assert green > red
    assert results["cut"].shape == (SIDE[1], SIDE[0], 4)
    assert results["cut"][64, 96, 3] > results["cut"][4, 4, 3]
    assert results["upscaled"].shape[:2] == (SIDE[1] * 4, SIDE[0] * 4)
    assert results["styled"].shape[:2] == PLATE.shape[:2]


async def test_a_request_that_the_default_model_can_not_make_names_the_one_that_can(
    studio: Studio, place: dict[str, str], pictures: dict[str, str]
) -> None:
    """Whoever brings a sketch learns which id to send, before anything is spent."""
    inputs = {"sketch": pictures["sketch"]}
    body = {**place, "kind": "storyboard_panel", "prompt": "a buoy", "inputs": inputs}
    answer = await studio.post("/v1/generations", body)
    assert answer.status == 422
    (error,) = answer.json["errors"]
    assert (error["pointer"], error["code"]) == ("/inputs/sketch", "not_taken")
    assert f"choose {SERVICE}image-control-sketch-v1:0." in error["message"]
