"""What the offline model server draws comes back in the size, format and place that was asked for."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from tests.integration.offline_bedrock import (
    ERASE,
    INPAINT,
    OUTPAINT,
    SD35,
    Server,
    bedrock_server,
    decode,
    half_white,
    invoke,
    make_role,
    picture,
    s3_server,
)

PROMPT = "a lighthouse at dusk"


@dataclass
class Place:
    server: Server
    client: Any


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock")) as server:
            yield Place(server, server.client(server.assume(role)))


def _stripes(pixels: Any) -> None:
    """Something to tell left from right and top from bottom."""
    height, width = pixels.shape[:2]
    pixels[..., 0] = np.linspace(0, 255, width)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    pixels[..., 2] = 90


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("1:1", (1024, 1024)),
        ("16:9", (1344, 768)),
        ("21:9", (1536, 640)),
        ("2:3", (832, 1216)),
        ("3:2", (1216, 832)),
        ("4:5", (896, 1088)),
        ("5:4", (1088, 896)),
        ("9:16", (768, 1344)),
        ("9:21", (640, 1536)),
    ],
)
def test_text_to_image_has_the_size_of_its_aspect_ratio(
    place: Place, ratio: str, size: tuple[int, int]
) -> None:
    picture_of_it = decode(invoke(place.client, SD35, {"prompt": PROMPT, "aspect_ratio": ratio}))
    assert picture_of_it.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("given", "size"), [((640, 384), (640, 384)), ((700, 400), (640, 384)), ((2048, 1152), (1344, 768))]
)
def test_image_to_image_keeps_the_size_in_steps_of_64_up_to_a_megapixel(
    place: Place, given: tuple[int, int], size: tuple[int, int]
) -> None:
    request = {
        "prompt": PROMPT,
        "mode": "image-to-image",
        "image": picture(*given, fill=_stripes),
        "strength": 0.3,
    }
    assert decode(invoke(place.client, SD35, request)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("name", "magic"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF"), (None, b"\x89PNG")]
)
def test_a_picture_comes_in_the_format_that_was_asked_for(
    place: Place, name: str | None, magic: bytes
) -> None:
    request = {"prompt": PROMPT} | ({} if name is None else {"output_format": name})
    answer = invoke(place.client, SD35, request)
    assert base64.b64decode(answer["images"][0]).startswith(magic)


def test_the_same_seed_draws_the_same_picture(place: Place) -> None:
    request = {"prompt": PROMPT, "seed": 42}
    first, again = (invoke(place.client, SD35, request) for _ in range(2))
    other = invoke(place.client, SD35, {**request, "seed": 43})
    assert first == again
    assert first["seeds"] == [42]
    assert first["images"] != other["images"]


@pytest.mark.parametrize("seed", [{}, {"seed": 0}])
def test_without_a_seed_the_model_picks_one_and_says_which(place: Place, seed: dict[str, int]) -> None:
    """0 means any seed; what was picked draws the same picture again."""
    first = invoke(place.client, SD35, {"prompt": PROMPT, **seed})
    assert first["seeds"][0] > 0
    assert invoke(place.client, SD35, {"prompt": PROMPT, "seed": first["seeds"][0]}) == first


def _left_half_transparent(pixels: Any) -> None:
    _stripes(pixels)
    pixels[..., 3] = 255
    pixels[:, : pixels.shape[1] // 2, 3] = 0


@pytest.mark.parametrize("how", ["mask", "alpha"])
@pytest.mark.parametrize("model", [ERASE, INPAINT])
def test_white_or_transparent_is_what_changes(place: Place, model: str, how: str) -> None:
    """The left half is marked: the right half stays as it was, the left doesn't."""
    plain = picture(192, 128, fill=_stripes)
    marked = picture(192, 128, fill=_left_half_transparent, channels=4)
    request: dict[str, Any] = {"image": plain if how == "mask" else marked, "grow_mask": 0, "seed": 1}
    if how == "mask":
        request["mask"] = picture(192, 128, fill=half_white)
    if model == INPAINT:
        request["prompt"] = PROMPT
    drawn = decode(invoke(place.client, model, request)).astype(int)
    before = decode({"images": [plain]}).astype(int)
    assert drawn.shape == before.shape
    assert abs(drawn[:, 112:] - before[:, 112:]).max() <= 1
    assert abs(drawn[:, :80] - before[:, :80]).max() > 8


def test_outpaint_grows_the_picture_on_the_sides_that_were_asked_for(place: Place) -> None:
    """The plate stays where it was; only the margin is new."""
    plain = picture(192, 128, fill=_stripes)
    request = {"image": plain, "left": 32, "right": 16, "up": 24, "down": 8, "seed": 1}
    drawn = decode(invoke(place.client, OUTPAINT, request)).astype(int)
    before = decode({"images": [plain]}).astype(int)
    assert drawn.shape == (128 + 24 + 8, 192 + 32 + 16, 3)
    core = drawn[24 + 32 : 24 + 96, 32 + 32 : 32 + 160]
    assert abs(core - before[32:96, 32:160]).max() <= 1


@pytest.mark.parametrize("model", [ERASE, INPAINT])
def test_an_opaque_alpha_is_no_mask(place: Place, model: str) -> None:
    """An alpha channel in which nothing is transparent says nothing about what to change."""

    def opaque(pixels: Any) -> None:
        pixels[..., 3] = 255

    request = {
        "image": picture(96, 64, fill=opaque, channels=4),
        **({"prompt": PROMPT} if model == INPAINT else {}),
    }
    with pytest.raises(ClientError) as refusal:
        invoke(place.client, model, request)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


def test_a_picture_broken_after_its_header_is_refused(place: Place) -> None:
    """It has a size and no pixels: refused as a bad request, not as a fault of the server."""
    whole = base64.b64decode(picture(192, 128, fill=_stripes))
    broken = base64.b64encode(whole[:60]).decode()
    request = {"prompt": PROMPT, "mode": "image-to-image", "image": broken, "strength": 0.3}
    with pytest.raises(ClientError) as refusal:
        invoke(place.client, SD35, request)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


def test_other_callers_are_answered_while_pictures_are_drawn(place: Place) -> None:
    """More calls than drawing processes: all are served, and the server still says it is well."""

    def call(seed: int) -> list[int]:
        seeds: list[int] = invoke(place.client, SD35, {"prompt": PROMPT, "seed": seed})["seeds"]
        return seeds

    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(call, seed) for seed in range(1, 7)]
        assert place.server.offline("GET", "health")[0] == 200
        assert [each.result() for each in calls] == [[seed] for seed in range(1, 7)]
