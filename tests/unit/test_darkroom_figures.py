"""A registered figure stays the same one: cut out, set in, found again, varied, repaired, and changed only on order."""

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from services.bedrock.darkroom.drifting import guessed, paint_drift
from services.bedrock.darkroom.figure import Figure, Placement, figure_of, find_in, repaired
from services.bedrock.darkroom.portrait import draw_portrait
from services.bedrock.darkroom.vary import vary

FACE = (0.335, 0.13, 0.215, 0.27)


@cache
def figure() -> Figure:
    done, data = cv2.imencode(".png", np.ascontiguousarray(skimage.data.astronaut()[..., ::-1]))
    assert done
    return figure_of(data.tobytes(), FACE)


@cache
def take(seed: int = 2, prompt: str = "MS EXT a woman in a forest") -> tuple[Any, Placement]:
    return draw_portrait(prompt, "", 960, 544, seed, figure())


def overlap(one: Any, other: Any) -> float:
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right = min(one[0] + one[2], other[0] + other[2])
    bottom = min(one[1] + one[3], other[1] + other[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    return float(both / (one[2] * one[3] + other[2] * other[3] - both))


def part(picture: Any, face: Any, top: float, bottom: float) -> Any:
    """Rows of a head's width, in heights of the face from its top."""
    x, y, w, h = face
    rows = slice(max(0, round(y + top * h)), round(y + bottom * h))
    return picture[rows, max(0, round(x)) : round(x + w)].astype(int)


def changed(one: Any, other: Any) -> float:
    return float(np.abs(one - other).mean())


def test_a_bust_is_cut_out_of_its_picture():
    """The face and the suit stay, the sky beside the head goes."""
    alpha = figure().alpha
    assert alpha[120:160, 210:250].min() > 0.9
    assert alpha[300:420, 150:250].mean() > 0.9
    assert alpha[40:140, 320:480].max() < 0.1


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("size", ["WS", "MS", "CU"])
def test_a_figure_is_found_where_it_was_set(size, seed):
    """At every framing; so drift and repair hit the right place."""
    picture, placement = take(seed, f"{size} a woman by the sea")
    found = find_in(picture, figure())
    assert found is not None
    assert overlap(found.face, placement.face) > 0.6


def test_a_closer_framing_shows_a_larger_face():
    """The words of the prompt decide, as with a real model."""
    heights = [take(2, f"{size} a woman by the sea")[1].face[3] for size in ("WS", "MS", "CU")]
    assert heights == sorted(heights)
    assert heights[-1] > 2 * heights[0]


def test_another_seed_is_another_take_and_the_same_seed_the_same():
    """Place, light and size change; nothing is random twice."""
    assert np.array_equal(
        take(2)[0], draw_portrait("MS EXT a woman in a forest", "", 960, 544, 2, figure())[0]
    )
    assert changed(take(2)[0].astype(int), take(5)[0].astype(int)) > 5


@pytest.mark.parametrize("strength", [0.2, 0.35, 0.5])
def test_a_weak_variation_keeps_who_is_in_it(strength):
    """Image-to-image from an approved take is a cure only if the face stays the face."""
    picture, placement = take()
    found = find_in(vary(picture, "a cold night", strength, 7), figure())
    assert found is not None
    assert overlap(found.face, placement.face) > 0.4


@pytest.mark.parametrize("drift", [{"face": 1.0}, {"wardrobe": 150}, {"hair": 150}])
def test_a_figure_that_drifted_is_found_all_the_same(drift):
    """What failed can be repaired only where it is found."""
    picture, placement = take()
    found = find_in(paint_drift(picture, placement, **drift), figure())
    assert found is not None
    assert overlap(found.face, placement.face) > 0.5


def test_nobody_is_found_where_nobody_is():
    """A cat is no astronaut."""
    assert find_in(skimage.data.chelsea(), figure()) is None


@pytest.mark.parametrize(
    ("drift", "hit", "spared"),
    [
        ({"wardrobe": 120}, (1.7, 2.4), (0.2, 0.9)),
        ({"hair": 120}, (-0.2, 0.0), (1.7, 2.4)),
        ({"face": 1.0}, (0.3, 0.8), (1.7, 2.4)),
    ],
)
def test_a_drift_changes_its_own_part_only(drift, hit, spared):
    """So that a check that names the aspect can be held to it."""
    picture, placement = take()
    drifted = paint_drift(picture, placement, **drift)
    before, after = (part(each, placement.face, *hit) for each in (picture, drifted))
    assert changed(before, after) > 12
    before, after = (part(each, placement.face, *spared) for each in (picture, drifted))
    assert changed(before, after) < 2


def test_another_persons_face_can_be_put_in():
    """Its features come in, the head around it stays."""
    picture, placement = take()
    other = skimage.data.chelsea()[60:260, 100:300]
    drifted = paint_drift(picture, placement, face=1.0, other=np.ascontiguousarray(other))
    assert changed(part(picture, placement.face, 0.3, 0.8), part(drifted, placement.face, 0.3, 0.8)) > 8
    assert changed(part(picture, placement.face, 1.7, 2.4), part(drifted, placement.face, 1.7, 2.4)) < 2


def test_grey_cloth_drifts_too():
    """A hue alone would not show on it."""
    picture = np.full((400, 400, 3), 128, np.uint8)
    drifted = paint_drift(picture, guessed(picture, (0.4, 0.2, 0.2, 0.2)), wardrobe=90)
    assert np.ptp(drifted[330, 200].astype(int)) > 40


def test_a_region_that_failed_is_repaired_inside_its_matte():
    """The suit is orange again, and nothing outside the matte has changed."""
    picture, placement = take()
    broken = paint_drift(picture, placement, wardrobe=150)
    x, y, w, h = (round(value) for value in placement.face)
    matte = np.zeros(picture.shape[:2], np.uint8)
    matte[y + round(1.3 * h) :, max(0, x - w) : x + 2 * w] = 255
    found = find_in(broken, figure())
    assert found is not None
    mended = repaired(broken, matte, figure(), found)
    assert np.array_equal(mended[matte == 0], broken[matte == 0])
    suit = (slice(y + round(1.8 * h), y + round(2.4 * h)), slice(x, x + w))
    assert changed(mended[suit].astype(int), picture[suit].astype(int)) < 0.5 * changed(
        broken[suit].astype(int), picture[suit].astype(int)
    )
