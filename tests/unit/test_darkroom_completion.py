"""Erase, inpaint and outpaint: what is rebuilt, and what must stay untouched."""

import cv2
import numpy as np
import pytest

from services.bedrock.darkroom.erase import erase
from services.bedrock.darkroom.inpaint import inpaint
from services.bedrock.darkroom.outpaint import outpaint


def _weave(size=160, seed=5):
    """Diagonal stripes with noise: a texture that diffusion can't continue."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size]
    stripes = 120 + 55 * np.sign(np.sin((x + y) / 3.5)) + 18 * rng.standard_normal((size, size))
    return np.clip(np.dstack([stripes, stripes * 0.9, stripes * 0.7]), 0, 255).astype(np.uint8)


def _square(shape, top, left, side):
    mask = np.zeros(shape[:2], np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


def _local_contrast(picture, where):
    grey = picture.mean(axis=2).astype(np.float32)
    variance = cv2.blur(grey * grey, (9, 9)) - cv2.blur(grey, (9, 9)) ** 2
    return float(np.median(variance[where]))


def test_erased_texture_is_as_rough_as_its_surroundings():
    """Where an object stood on a textured ground, the ground is textured, not smeared as diffusion leaves it."""
    plate = _weave()
    mask = _square(plate.shape, 55, 55, 52)
    shot = plate.copy()
    shot[mask > 0] = (220, 20, 20)
    inner = cv2.erode(mask, np.ones((9, 9))) > 0
    around = _local_contrast(plate, mask == 0)

    ratio = _local_contrast(erase(shot, mask, 3, 1), inner) / around
    smeared = _local_contrast(cv2.inpaint(shot, mask, 5, cv2.INPAINT_TELEA), inner) / around

    assert 0.6 < ratio < 1.6
    assert smeared < 0.4


def test_erased_object_leaves_no_trace_of_its_colour():
    """A red object on a grey ground leaves no red."""
    plate = _weave()
    mask = _square(plate.shape, 40, 60, 40)
    shot = plate.copy()
    shot[mask > 0] = (230, 0, 0)

    result = erase(shot, mask, 3, 2).astype(int)

    redness = result[..., 0] - result[..., 1]
    assert redness.max() < 80


def test_erase_continues_a_sky_gradient():
    """The rebuilt part of a smooth sky follows its gradient within a few levels, without a step at the edge."""
    y = np.linspace(200, 90, 140)[:, None].repeat(180, 1)
    plate = np.dstack([y * 0.6, y * 0.8, y]).astype(np.uint8)
    mask = _square(plate.shape, 45, 65, 46)
    shot = plate.copy()
    shot[mask > 0] = 255

    result = erase(shot, mask, 2, 3).astype(int)

    assert np.abs(result - plate)[mask > 0].mean() < 4


@pytest.mark.parametrize("operation", ["erase", "inpaint"])
def test_pixels_outside_the_grown_matte_are_the_plates_own(operation):
    """Whatever happens in the matte, the plate around it comes back byte for byte."""
    plate = _weave(128)
    mask = _square(plate.shape, 50, 40, 30)
    run = {
        "erase": lambda: erase(plate, mask, 6, 1),
        "inpaint": lambda: inpaint(plate, mask, "a red crate", 6, 1),
    }
    outside = cv2.dilate(mask, np.ones((15, 15))) == 0

    result = run[operation]()

    assert np.array_equal(result[outside], plate[outside])
    assert not np.array_equal(result, plate)


@pytest.mark.parametrize("operation", ["erase", "inpaint", "outpaint"])
def test_a_seed_repeats_and_another_seed_differs(operation):
    """The same seed gives the same bytes; another gives a visibly different result."""
    plate = _weave(112)
    mask = _square(plate.shape, 36, 36, 40)
    run = {
        "erase": lambda seed: erase(plate, mask, 2, seed),
        "inpaint": lambda seed: inpaint(plate, mask, "lamp", 2, seed),
        "outpaint": lambda seed: outpaint(plate, 40, 0, 0, 24, "", 0.5, seed),
    }[operation]

    once, again, other = run(1), run(1), run(2)

    assert np.array_equal(once, again)
    changed = np.abs(once.astype(int) - other).max(axis=2) > 12
    assert changed.sum() > 100


def test_an_inpainted_element_stands_out_from_the_rebuilt_ground():
    """Somebody looking at the result sees that something was put there."""
    plate = np.full((120, 120, 3), 118, np.uint8)
    plate += np.random.default_rng(0).integers(0, 12, plate.shape, dtype=np.uint8)
    mask = _square(plate.shape, 30, 30, 60)

    empty, filled = erase(plate, mask, 2, 4).astype(int), inpaint(plate, mask, "a tree", 2, 4).astype(int)

    visible = np.abs(empty - filled).mean(axis=2)[mask > 0] > 20
    assert visible.mean() > 0.1


def test_an_inpainted_element_takes_the_colour_the_prompt_names():
    """A blue ball is bluer than the ground, a red one redder."""
    plate = np.full((120, 120, 3), 128, np.uint8)
    mask = _square(plate.shape, 30, 30, 60)

    blue = inpaint(plate, mask, "blue ball", 0, 1)[60, 60].astype(int)
    red = inpaint(plate, mask, "red ball", 0, 1)[60, 60].astype(int)

    assert blue[2] > blue[0] + 15
    assert red[0] > red[2] + 15


def test_a_matte_over_everything_still_answers():
    """There is nothing to copy from, so a plain fill comes back instead of an error."""
    plate = _weave(48)
    everything = np.full(plate.shape[:2], 255, np.uint8)

    assert erase(plate, everything, 0, 1).shape == plate.shape


def test_an_empty_matte_changes_nothing():
    """Without a matte there is nothing to erase."""
    plate = _weave(48)

    assert np.array_equal(erase(plate, np.zeros(plate.shape[:2], np.uint8), 8, 1), plate)


@pytest.mark.parametrize("prompt", ["", "sunset over the sea"])
def test_outpaint_keeps_the_original_and_has_the_asked_size(prompt):
    """The frame grows by exactly the asked pixels around an untouched original, also when the prompt tints it."""
    plate = _weave(96)

    result = outpaint(plate, 30, 50, 20, 7, prompt, 0.5, 1)

    assert result.shape == (96 + 27, 96 + 80, 3)
    assert np.array_equal(result[20 : 20 + 96, 30 : 30 + 96], plate)


def test_outpaint_carries_the_horizon_on():
    """Sky stays above the horizon and ground below it in the added part."""
    plate = np.empty((120, 120, 3), np.uint8)
    plate[:70], plate[70:] = (90, 140, 210), (80, 110, 50)
    plate += np.random.default_rng(1).integers(0, 14, plate.shape, dtype=np.uint8)

    added = outpaint(plate, 0, 80, 0, 0, "", 0.3, 1)[:, 124:].astype(int)

    blue = added[..., 2] - added[..., 1]
    assert (blue[:62] > 20).mean() > 0.95
    assert (blue[78:] < -20).mean() > 0.95


def test_outpaint_may_be_wider_than_the_picture_itself():
    """A small picture can be extended to many times its size."""
    plate = _weave(64)

    result = outpaint(plate, 200, 0, 0, 130, "", 1.0, 3)

    assert result.shape == (194, 264, 3)
    assert _local_contrast(result, np.ones(result.shape[:2], bool)) > 0.4 * _local_contrast(
        plate, np.ones((64, 64), bool)
    )
