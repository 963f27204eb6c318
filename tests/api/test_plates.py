"""Work on plates: what goes to the model comes back laid into the plate, and nothing else of it changes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.gateway import Studio
from tests.plates import download, made, upload

WIDTH, HEIGHT = 384, 256


def _plate(depth: int) -> np.ndarray[Any, Any]:
    """A sky over a field, with a post in it; every pixel is different from its neighbours."""
    random = np.random.default_rng(7)
    top = 2**depth - 1
    rows = np.linspace(0.85, 0.35, HEIGHT)[:, None, None] * np.array([0.9, 0.8, 0.6])
    picture = np.broadcast_to(rows, (HEIGHT, WIDTH, 3)) + random.normal(0, 0.02, (HEIGHT, WIDTH, 3))
    picture[90:220, 180:200] = 0.1
    return (np.clip(picture, 0, 1) * top).astype(np.uint16 if depth == 16 else np.uint8)


def _matte() -> np.ndarray[Any, Any]:
    matte = np.zeros((HEIGHT, WIDTH), np.uint8)
    matte[84:226, 172:208] = 255
    return matte


@pytest.fixture(scope="module")
async def place(studio: Studio) -> dict[str, str]:
    production = await studio.production()
    return {"production_id": production["id"], "shot_id": (await studio.shot(production["id"]))["id"]}


@pytest.mark.parametrize(
    ("depth", "suffix", "media_type"),
    [(8, "png", "image/png"), (16, "png", "image/png"), (16, "tif", "image/tiff"), (8, "tif", "image/tiff")],
)
async def test_a_cleanup_changes_nothing_outside_its_matte(
    studio: Studio, place: dict[str, str], tmp_path: Path, depth: int, suffix: str, media_type: str
) -> None:
    """At the plate's own size, depth and format, the decoded pixels outside the matte are the plate's."""
    plate, matte = _plate(depth), _matte()
    source = tmp_path / f"plate.{suffix}"
    cv2.imwrite(str(source), plate)
    cv2.imwrite(str(tmp_path / "matte.png"), matte)
    plate_id = await upload(studio, place, source, "plate", media_type)
    matte_id = await upload(studio, place, tmp_path / "matte.png", "matte")
    take = await made(studio, {**place, "kind": "cleanup", "inputs": {"plate": plate_id, "matte": matte_id}})
    result = cv2.imread(
        str(await download(studio, take["media_id"], tmp_path / f"take.{suffix}")), cv2.IMREAD_UNCHANGED
    )
    assert (result.dtype, result.shape) == (plate.dtype, plate.shape)
    outside = matte == 0
    assert np.array_equal(result[outside], plate[outside])
    changed = (result != plate).any(axis=2)
    assert take["changed_fraction"] == pytest.approx(changed.mean(), abs=1e-6)
    # the post is gone: what stands there now is as bright as the field beside it
    post, beside = result[110:210, 184:196], result[110:210, 120:160]
    assert abs(float(post.mean()) - float(beside.mean())) < 0.15 * (2**depth - 1)


async def test_an_element_is_put_inside_its_matte_only(
    studio: Studio, place: dict[str, str], tmp_path: Path
) -> None:
    """A prompted element fills the matte and leaves the rest of the plate alone."""
    plate, matte = _plate(8), _matte()
    cv2.imwrite(str(tmp_path / "p.png"), plate)
    cv2.imwrite(str(tmp_path / "m.png"), matte)
    inputs = {
        "plate": await upload(studio, place, tmp_path / "p.png", "plate"),
        "matte": await upload(studio, place, tmp_path / "m.png", "matte"),
    }
    take = await made(studio, {**place, "kind": "element", "prompt": "an iron street lamp", "inputs": inputs})
    result = cv2.imread(str(await download(studio, take["media_id"], tmp_path / "t.png")))
    assert np.array_equal(result[matte == 0], plate[matte == 0])
    assert take["changed_fraction"] > 0


async def test_a_set_extension_grows_the_frame_and_keeps_the_plate(
    studio: Studio, place: dict[str, str], tmp_path: Path
) -> None:
    """The frame is larger by exactly what was asked, in plate pixels, and the plate stands in it unchanged."""
    plate = _plate(16)
    cv2.imwrite(str(tmp_path / "p.png"), plate)
    plate_id = await upload(studio, place, tmp_path / "p.png", "plate")
    take = await made(
        studio,
        {
            **place,
            "kind": "set_extension",
            "prompt": "open field",
            "inputs": {"plate": plate_id},
            "controls": {"extend": {"left": 64, "right": 32, "up": 16}},
        },
    )
    result = cv2.imread(
        str(await download(studio, take["media_id"], tmp_path / "t.png")), cv2.IMREAD_UNCHANGED
    )
    assert result.shape == (HEIGHT + 16, WIDTH + 96, 3)
    assert np.array_equal(result[16:, 64 : 64 + WIDTH], plate)


async def test_a_previs_shot_is_a_clip_that_begins_with_its_first_frame(
    studio: Studio, place: dict[str, str], tmp_path: Path
) -> None:
    """An asynchronous clip of the asked length and size; its model takes no seed, and the take says so."""
    frame = np.full((720, 1280, 3), (60, 90, 140), np.uint8)
    cv2.circle(frame, (640, 360), 200, (200, 200, 220), -1)
    cv2.imwrite(str(tmp_path / "f.png"), frame)
    first = await upload(studio, place, tmp_path / "f.png", "reference")
    take = await made(
        studio,
        {
            **place,
            "kind": "previs_shot",
            "prompt": "slow push in",
            "inputs": {"first_frame": first},
            "seed": 12,
        },
    )
    assert take["seed"] is None
    clip = cv2.VideoCapture(str(await download(studio, take["media_id"], tmp_path / "t.mp4")))
    assert (clip.get(cv2.CAP_PROP_FRAME_WIDTH), clip.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (960, 540)
    assert clip.get(cv2.CAP_PROP_FRAME_COUNT) / clip.get(cv2.CAP_PROP_FPS) == pytest.approx(5, abs=0.1)
    _, shown = clip.read()
    wanted = cv2.resize(frame, (960, 540), interpolation=cv2.INTER_AREA)
    assert cv2.PSNR(shown[60:480], wanted[60:480]) > 25


async def test_a_matte_of_another_size_is_refused_before_anything_is_spent(
    studio: Studio, place: dict[str, str], tmp_path: Path
) -> None:
    """The sizes of both are told, and the pointer names the matte."""
    cv2.imwrite(str(tmp_path / "p.png"), _plate(8))
    cv2.imwrite(str(tmp_path / "m.png"), _matte()[:-8])
    inputs = {
        "plate": await upload(studio, place, tmp_path / "p.png", "plate"),
        "matte": await upload(studio, place, tmp_path / "m.png", "matte"),
    }
    answer = await studio.post("/v1/generations", {**place, "kind": "cleanup", "inputs": inputs})
    assert answer.status == 422
    assert ("/inputs/matte", "matte_size") in {(e["pointer"], e["code"]) for e in answer.json["errors"]}
    turned = {"plate": inputs["matte"], "matte": inputs["plate"]}
    swapped = await studio.post("/v1/generations", {**place, "kind": "cleanup", "inputs": turned})
    assert {e["code"] for e in swapped.json["errors"]} >= {"wrong_role"}
