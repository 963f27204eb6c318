"""Creatures, objects and drawings: the look of a whole subject."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import skimage.data

from circletake.adapters.vision.likeness.look import cast_statistics, compare_scenes, describe_scene
from circletake.domain.consistency.words import Aspect

WEIGHTS = Path(__file__).resolve().parents[2] / ".tools" / "weights" / "look.onnx"


@pytest.fixture(scope="module")
def network():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(WEIGHTS), options, providers=["CPUExecutionProvider"])


def cup(wall=(120, 120, 110), place=(260, 200), size=90, colour=(190, 60, 40), stripe=(240, 220, 90)):
    """A drawn striped cup somewhere before a mottled wall."""
    noise = np.random.default_rng(sum(place)).normal(0, 9, (400, 520, 1))
    picture = np.clip(np.full((400, 520, 3), wall) + noise, 0, 255).astype(np.uint8)
    x, y = place
    cv2.ellipse(picture, (x + size, y), (size // 2, int(size * 0.6)), 0, 0, 360, colour, size // 5)
    cv2.rectangle(picture, (x - size, y - size), (x + size, y + size), colour, -1)
    for row in (-0.5, 0.2, 0.7):
        top = int(y + row * size)
        cv2.rectangle(picture, (x - size, top), (x + size, top + size // 6), stripe, -1)
    return picture


def robot(wall=(120, 120, 110), place=(260, 200)):
    """A drawn grey robot with round eyes."""
    picture = cup(wall, place, 80, (150, 155, 165), (60, 90, 160))
    x, y = place
    for side in (-35, 35):
        cv2.circle(picture, (x + side, y - 10), 22, (250, 250, 250), -1)
        cv2.circle(picture, (x + side, y - 10), 9, (20, 20, 20), -1)
    return picture


def matched(network, members, seen, identities=None):
    described = [[describe_scene(network, picture) for picture in pictures] for pictures in members]
    names = identities or [str(index) for index in range(len(members))]
    return compare_scenes(described, names, describe_scene(network, seen), cast_statistics(described))


def test_a_subject_is_recognised_elsewhere_in_another_setting(network):
    """A cup that stands elsewhere before another wall is still more itself than the robot is."""
    seen = cup(wall=(70, 110, 80), place=(180, 250), size=70)
    same, other = matched(network, [[cup()], [robot()]], seen)
    assert same.values[Aspect.OVERALL][0] > other.values[Aspect.OVERALL][0] + 2
    assert same.values[Aspect.OVERALL][2] > 0 > other.values[Aspect.OVERALL][2]


def test_the_box_lies_on_the_subject(network):
    """The picture on the sheet is cut where the subject stands."""
    seen = cup(wall=(70, 110, 80), place=(150, 250), size=70)
    box = matched(network, [[cup()]], seen)[0].box
    assert box.left <= 150 <= box.left + box.width
    assert box.top <= 250 <= box.top + box.height
    assert box.width < 400


def test_two_looks_of_one_character_are_no_rivals(network):
    """A second look that matches better doesn't speak against the first."""
    members = [[cup()], [cup(size=88)]]
    rivals = matched(network, members, cup(size=88), ["mug", "other mug"])
    looks = matched(network, members, cup(size=88), ["mug", "mug"])
    assert looks[0].values[Aspect.OVERALL][2] > rivals[0].values[Aspect.OVERALL][2]


def test_a_member_without_references_has_no_value(network):
    """Nobody is judged on nothing."""
    assert matched(network, [[], [cup()]], cup())[0] is None


def test_another_way_of_drawing_lowers_the_style(network):
    """A photograph turned into a pencil drawing is another style; a darker print of it isn't."""
    cat = skimage.data.chelsea()
    pencil = cv2.pencilSketch(np.ascontiguousarray(cat), sigma_s=60, sigma_r=0.07, shade_factor=0.05)[1]
    darker = (cat * 0.6).astype(np.uint8)
    drawn, graded = (
        matched(network, [[cat]], picture)[0].values[Aspect.STYLE][0] for picture in (pencil, darker)
    )
    assert drawn < graded - 0.2


def test_the_same_frame_gives_the_same_numbers(network):
    """Re-checking a frame changes nothing."""
    first, second = describe_scene(network, cup()), describe_scene(network, cup())
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(8, 900), (900, 8), (300, 300)])
def test_plain_and_narrow_frames_give_numbers(network, value, shape):
    """A monochrome or very narrow frame is answered, not an error."""
    plain = np.full((*shape, 3), value, np.uint8)
    for match in matched(network, [[cup()], [robot()]], plain):
        assert all(np.isfinite(numbers).all() for numbers in map(np.array, match.values.values()))
