"""From a request to an encoded picture, for every model that draws: its size, its format, and whether it repeats."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from services.bedrock.controls import read_cast, write_cast
from services.bedrock.dialects.stability import PARSERS
from services.bedrock.drift import MODES, mode_of
from services.bedrock.models import MODELS
from services.bedrock.pictures import encode
from services.bedrock.versions import BadVersion, VersionBook
from services.bedrock.work import Cast, draw

WORDS = {"prompt": "MS EXT a house by the sea at sunset", "seed": 7}


def _photo(width: int = 128, height: int = 96) -> str:
    file = io.BytesIO()
    Image.fromarray(skimage.data.coffee()).resize((width, height)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _mask() -> str:
    file = io.BytesIO()
    pixels = np.zeros((96, 128), np.uint8)
    pixels[30:70, 40:90] = 255
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


PHOTO, MASK = _photo(), _mask()
ON_PHOTO = {**WORDS, "image": PHOTO}
SAME = (128, 96)
ASKED: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "sd3-5-large-v1:0": ({**WORDS, "aspect_ratio": "21:9"}, (1536, 640)),
    "stable-image-core-v1:1": ({**WORDS, "aspect_ratio": "9:16"}, (768, 1344)),
    "stable-image-ultra-v1:1": (ON_PHOTO, (128, 64)),
    "stable-image-inpaint-v1:0": ({**ON_PHOTO, "mask": MASK}, SAME),
    "stable-outpaint-v1:0": ({"image": PHOTO, "left": 16, "seed": 7}, (144, 96)),
    "stable-image-erase-object-v1:0": ({"image": PHOTO, "mask": MASK, "seed": 7}, SAME),
    "stable-image-search-recolor-v1:0": ({**ON_PHOTO, "prompt": "blue", "select_prompt": "red"}, SAME),
    "stable-image-search-replace-v1:0": ({**ON_PHOTO, "search_prompt": "the cup"}, SAME),
    "stable-image-remove-background-v1:0": ({"image": PHOTO}, SAME),
    "stable-image-control-sketch-v1:0": (ON_PHOTO, SAME),
    "stable-image-control-structure-v1:0": (ON_PHOTO, SAME),
    "stable-image-style-guide-v1:0": ({**ON_PHOTO, "aspect_ratio": "5:4"}, (1088, 896)),
    "stable-style-transfer-v1:0": ({"init_image": PHOTO, "style_image": PHOTO, "prompt": "night", "seed": 7}, SAME),
    "stable-fast-upscale-v1:0": ({"image": PHOTO}, (512, 384)),
    "stable-conservative-upscale-v1:0": (ON_PHOTO, (2365, 1774)),
    "stable-creative-upscale-v1:0": (ON_PHOTO, (2365, 1774)),
}  # fmt: skip
QUICK = [  # those that make small pictures of small ones
    "stable-image-search-recolor-v1:0",
    "stable-image-remove-background-v1:0",
    "stable-image-control-structure-v1:0",
    "stable-style-transfer-v1:0",
    "stable-fast-upscale-v1:0",
]


def order_of(name: str, **changes: Any) -> Any:
    return PARSERS[f"stability.{name}"](json.dumps({**ASKED[name][0], **changes}).encode())


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def pixels_of(data: bytes) -> Any:
    return np.asarray(opened(data)).astype(int)


def test_every_model_that_draws_is_tried_here() -> None:
    """A model that is added without a picture shows up."""
    assert {f"stability.{name}" for name in ASKED} == {
        each.base_id for each in MODELS if each.task == "picture"
    }


@pytest.mark.parametrize("name", ASKED)
def test_a_model_makes_the_size_it_should_in_the_format_asked_for(name: str) -> None:
    """JPEG, of the size that the request or its picture calls for."""
    picture = opened(draw(order_of(name, output_format="jpeg")))
    assert (picture.format, picture.size) == ("JPEG", ASKED[name][1])


@pytest.mark.parametrize("name", QUICK)
def test_the_same_request_is_the_same_picture_byte_for_byte(name: str) -> None:
    """Also for the models that take no seed."""
    assert draw(order_of(name)) == draw(order_of(name))


@pytest.mark.parametrize("name", QUICK)
def test_another_version_of_a_model_makes_a_visibly_different_picture(name: str) -> None:
    """The same request, an unlike picture of the same size; and the version repeats itself too."""
    before, after = draw(order_of(name)), draw(order_of(name), cast=Cast(version="2"))
    assert opened(before).size == opened(after).size
    assert np.abs(pixels_of(before) - pixels_of(after))[..., :3].mean() > 8
    assert after == draw(order_of(name), cast=Cast(version="2"))
    assert after != draw(order_of(name), cast=Cast(version="3"))


def test_a_drawing_of_another_version_is_composed_anew() -> None:
    """More than its colours: another seed's drawing, under the seed that was asked for."""
    order = order_of("stable-image-control-sketch-v1:0", image=_photo(320, 240), control_strength=0)
    before, after = (pixels_of(draw(order, cast=Cast(version=version))) for version in (None, "2"))
    # edges of one are not the edges of the other
    slopes = [np.abs(np.diff(each.mean(axis=2), axis=0)) > 25 for each in (before, after)]
    both, either = (slopes[0] & slopes[1]).sum(), (slopes[0] | slopes[1]).sum()
    assert both < 0.35 * either


@pytest.mark.parametrize(("output_format", "mode"), [("png", "RGBA"), ("webp", "RGBA"), ("jpeg", "RGB")])
def test_a_cut_out_has_an_alpha_channel_where_the_format_has_one(output_format: str, mode: str) -> None:
    """JPEG has none: there the subject stands on white."""
    picture = opened(draw(order_of("stable-image-remove-background-v1:0", output_format=output_format)))
    assert picture.mode == mode
    corner = picture.convert("RGBA").getpixel((1, 1))
    assert corner[3] == 0 if mode == "RGBA" else min(corner[:3]) > 245


def test_a_version_is_kept_with_a_run_that_is_taken_up_again() -> None:
    """What was promised is drawn, also after a restart."""
    cast = Cast(version="2")
    assert read_cast(write_cast(cast)) == cast


def test_a_version_is_of_one_model_until_it_is_taken_back() -> None:
    """By its id as called or its base id; the newest entry counts."""
    book = VersionBook()
    called, base = "us.stability.stable-fast-upscale-v1:0", "stability.stable-fast-upscale-v1:0"
    entry = book.add({"model": called, "version": "2"})
    assert book.of(frozenset({called, base})) == "2"
    assert book.of(frozenset({"stability.sd3-5-large-v1:0"})) is None
    newer = book.add({"model": called, "version": "3"})
    assert [each["version"] for each in book.rules()] == ["3"]
    assert entry["id"] != newer["id"]
    book.clear(newer["id"])
    assert book.of(frozenset({called, base})) is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"model": "no.such-model", "version": "2"},
        {"model": "us.amazon.nova-2-lite-v1:0", "version": "2"},
        {"model": "luma.ray-v2:0"},
        {"model": "luma.ray-v2:0", "version": ""},
        {"model": "luma.ray-v2:0", "version": "2", "seed": 1},
    ],
)
def test_a_version_that_cant_be_meant_is_refused(document: object) -> None:
    """An unknown model, one that draws nothing, no name."""
    with pytest.raises(BadVersion):
        VersionBook().add(document)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("stable-fast-upscale-v1:0", "upscale"),
        ("stable-image-search-recolor-v1:0", "recolor"),
        ("stable-image-search-replace-v1:0", "replace"),
        ("stable-image-remove-background-v1:0", "remove-background"),
        ("stable-image-control-sketch-v1:0", "sketch"),
        ("stable-image-control-structure-v1:0", "structure"),
        ("stable-image-style-guide-v1:0", "style-guide"),
        ("stable-style-transfer-v1:0", "style-transfer"),
    ],
)
def test_a_drift_can_be_of_every_service(name: str, mode: str) -> None:
    """Each has a mode that a rule may name."""
    assert mode_of(order_of(name))[0] == mode
    assert mode in MODES


def test_a_drift_is_painted_into_a_cut_out_without_touching_its_alpha() -> None:
    """The wardrobe changes, the edge doesn't."""
    from services.bedrock.drift import Drift

    order = order_of("stable-image-remove-background-v1:0")
    plain = pixels_of(draw(order))
    drifted = pixels_of(draw(order, cast=Cast(drift=Drift(120, 0, 0, None, (0.3, 0.1, 0.3, 0.3)))))
    assert np.array_equal(plain[..., 3], drifted[..., 3])
    assert not np.array_equal(plain[..., :3], drifted[..., :3])


def test_a_picture_too_large_for_an_answer_is_made_to_fit() -> None:
    """It loses its two lowest bits, and nothing while it fits."""
    grain = np.random.default_rng(1).integers(0, 255, (80, 80, 3)).astype(np.uint8)
    assert np.array_equal(pixels_of(encode(grain, "png")), grain)
    assert len(encode(grain, "png", most=19_000)) <= 19_000
    assert np.array_equal(pixels_of(encode(grain, "png", most=19_000)), grain & 0xFC)
