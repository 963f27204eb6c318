"""Hair and clothes of a person, told from palettes."""

import cv2
import numpy as np
import pytest

from circletake.adapters.vision.likeness.regions import compare_person, describe_person
from circletake.domain.consistency.words import Aspect, Reason

SKIN, HAIR, SHIRT, WALL = (214, 164, 138), (72, 44, 30), (40, 70, 150), (150, 155, 150)


def person(hair=HAIR, shirt=SHIRT, wall=WALL, eyes=(300, 220), apart=60, size=(640, 600)):
    """A drawn head and shoulders, softly shaded, and its five landmarks."""
    picture = np.full((size[0], size[1], 3), wall, np.uint8)
    x, y, u = *eyes, apart
    cv2.ellipse(picture, (x, y - int(0.1 * u)), (int(1.6 * u), int(2.1 * u)), 0, 0, 360, hair, -1)
    cv2.rectangle(picture, (x - int(0.5 * u), y + u), (x + int(0.5 * u), y + int(2.6 * u)), SKIN, -1)
    body = np.array(
        [
            (x - 2.6 * u, y + 8 * u),
            (x - 1.8 * u, y + 2.4 * u),
            (x + 1.8 * u, y + 2.4 * u),
            (x + 2.6 * u, y + 8 * u),
        ]
    )
    cv2.fillPoly(picture, [body.astype(np.int32)], shirt)
    cv2.ellipse(picture, (x, y + int(0.5 * u)), (u, int(1.35 * u)), 0, 0, 360, SKIN, -1)
    for side in (-0.5, 0.5):
        cv2.circle(picture, (int(x + side * u), y), int(0.14 * u), (40, 30, 30), -1)
    shade = np.random.default_rng(3).normal(1, 0.04, picture.shape[:2])[..., None]
    slope = np.linspace(1.08, 0.85, picture.shape[1])[None, :, None]
    landmarks = np.array(
        [(x + 0.7 * u, y), (x + 0.3 * u, y), (x - 0.7 * u, y), (x - 0.3 * u, y), (x, y + 0.7 * u)], np.float32
    )
    return np.clip(picture * shade * slope, 0, 255).astype(np.uint8), landmarks


def values(shot, reference=None):
    described, doubts = describe_person(*shot)
    assert not doubts
    return compare_person(describe_person(*(reference or person()))[0], described)


def test_the_same_person_before_another_wall_looks_alike():
    """A background that changes is no change of hair or clothes."""
    same = values(person(wall=(90, 120, 80), eyes=(280, 240), apart=52))
    assert same[Aspect.HAIR][1] > 0.85
    assert same[Aspect.WARDROBE][1] > 0.85


@pytest.mark.parametrize(
    "grade",
    [
        pytest.param(lambda x: x * 1.6, id="brighter"),
        pytest.param(lambda x: x * 0.5, id="darker"),
        pytest.param(lambda x: x * np.array([1.25, 1.0, 0.55]), id="tungsten"),
        pytest.param(lambda x: x * np.array([0.75, 1.0, 1.3]), id="cool"),
        pytest.param(lambda x: 0.35 * (x / 0.35) ** 1.25, id="contrast"),
    ],
)
def test_a_grade_is_no_new_hair_and_no_new_shirt(grade):
    """Graded hair and clothes stay more alike than recoloured ones are."""
    picture, landmarks = person()
    light = np.clip(grade((picture / 255.0) ** 2.2), 0, 1)
    graded = values(((light ** (1 / 2.2) * 255).astype(np.uint8), landmarks))
    recoloured = values(person(hair=(205, 170, 90), shirt=(150, 50, 60)))
    for aspect in (Aspect.HAIR, Aspect.WARDROBE):
        assert graded[aspect][1] > recoloured[aspect][1] + 0.3


def test_new_hair_is_seen_in_the_hair_alone():
    """Blond instead of brown hair is named as hair, not as clothes."""
    changed = values(person(hair=(205, 170, 90)))
    assert changed[Aspect.HAIR][1] < 0.5
    assert changed[Aspect.WARDROBE][1] > 0.85


def test_a_new_shirt_is_seen_in_the_clothes_alone():
    """Red instead of blue clothes are named as wardrobe, not as hair."""
    changed = values(person(shirt=(150, 50, 60)))
    assert changed[Aspect.WARDROBE][1] < 0.3
    assert changed[Aspect.WARDROBE][2] < -15
    assert changed[Aspect.HAIR][1] > 0.85


def test_a_close_up_cannot_judge_the_clothes():
    """A torso outside the frame is a doubt with a reason, never a value."""
    picture, landmarks = person(eyes=(300, 330), apart=130)
    described, doubts = describe_person(picture, landmarks)
    assert doubts[Aspect.WARDROBE] is Reason.OCCLUDED
    assert Aspect.WARDROBE not in compare_person(describe_person(*person())[0], described)


def test_hair_cut_off_by_the_frame_is_a_doubt():
    """A head whose hair lies above the frame is not called bald or changed."""
    picture, landmarks = person()
    described, doubts = describe_person(picture[215:], landmarks - (0, 215))
    assert doubts[Aspect.HAIR] is Reason.OCCLUDED
    assert "hair" not in described


def test_the_same_picture_is_described_the_same_twice():
    """Re-checking gives the same numbers."""
    first, second = describe_person(*person())[0], describe_person(*person())[0]
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_frame_of_one_colour_gives_an_answer(value):
    """A monochrome frame ends in values or doubts, not in an error."""
    landmarks = person()[1]
    described, _ = describe_person(np.full((640, 600, 3), value, np.uint8), landmarks)
    for found in compare_person(described, described).values():
        assert all(np.isfinite(found))


def test_landmarks_that_coincide_are_too_small_a_face():
    """A face of no size can't be judged in hair or clothes."""
    described, doubts = describe_person(person()[0], np.zeros((5, 2), np.float32))
    assert described == {}
    assert set(doubts.values()) == {Reason.FACE_TOO_SMALL}
