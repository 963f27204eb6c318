"""A pasted reference is told from another picture of the same."""

import cv2
import numpy as np
import pytest
import skimage.data

from circletake.adapters.vision.likeness.copies import copy_score, face_print, scene_print

PASTED = 0.95  # where the shipped profile begins to suspect
EYES = np.array([(250, 110), (238, 110), (200, 110), (212, 110), (226, 138)], np.float32)  # the astronaut's


def portrait():
    return skimage.data.astronaut()


def paste(kind, picture):
    height, width = picture.shape[:2]
    if kind == "compressed":
        return cv2.imdecode(
            cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR
        )
    if kind == "darker":
        return (picture * 0.55).astype(np.uint8)
    if kind == "tinted":
        return np.clip(picture * np.array([1.2, 1.0, 0.7]), 0, 255).astype(np.uint8)
    if kind == "mirrored":
        return np.ascontiguousarray(picture[:, ::-1])
    if kind == "halved":
        return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    frame = cv2.resize(skimage.data.chelsea(), (900, 600))
    frame[80:480, 350:750] = cv2.resize(picture, (400, 400), interpolation=cv2.INTER_AREA)
    return frame


KINDS = ["compressed", "darker", "tinted", "mirrored", "halved", "into another frame"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pasted_frame_is_suspected(kind):
    """A reference that comes back as pixels is suspected, whatever was done to it."""
    reference, seen = {"layout": scene_print(portrait())}, {"layout": scene_print(paste(kind, portrait()))}
    assert copy_score(reference, seen) >= PASTED


@pytest.mark.parametrize("kind", ["compressed", "darker", "tinted", "mirrored", "halved"])
def test_a_pasted_face_is_suspected(kind):
    """So is a pasted face, found by its own landmarks."""
    eyes = EYES.copy()
    if kind == "mirrored":
        eyes[:, 0] = portrait().shape[1] - 1 - eyes[:, 0]
    if kind == "halved":
        eyes /= 2
    reference = {"print": face_print(portrait(), EYES)}
    assert copy_score(reference, {"print": face_print(paste(kind, portrait()), eyes)}) >= PASTED


def test_different_pictures_are_no_copies():
    """Different pictures have nothing of each other."""
    cat, rocket = (
        {"layout": scene_print(picture)} for picture in (skimage.data.chelsea(), skimage.data.rocket())
    )
    assert copy_score(cat, rocket) < 0.5


def test_a_face_turned_and_lit_from_the_other_side_is_no_copy():
    """Another pose of the same drawn face isn't suspected."""
    first, second = (head(turn, light) for turn, light in ((0.0, 1), (0.35, -1)))
    assert copy_score({"print": face_print(*first)}, {"print": face_print(*second)}) < PASTED


def head(turn, light):
    """A drawn face whose features move with the turn, and its landmarks."""
    picture = np.full((300, 300, 3), (120, 125, 130), np.uint8)
    cv2.ellipse(picture, (150, 150), (70, 100), 0, 0, 360, (214, 164, 138), -1)
    x = 150 + int(40 * turn)
    narrow = 1 - abs(turn)
    for side in (-1, 1):
        cv2.ellipse(picture, (int(x + side * 30 * narrow), 125), (9, 5), 0, 0, 360, (40, 30, 30), -1)
        cv2.line(
            picture, (int(x + side * 40 * narrow), 108), (int(x + side * 20 * narrow), 105), (60, 40, 30), 4
        )
    cv2.line(picture, (x, 130), (int(x + 25 * turn), 165), (170, 120, 100), 3)
    cv2.ellipse(picture, (int(x + 10 * turn), 195), (int(24 * narrow), 8), 0, 0, 180, (150, 60, 60), -1)
    shade = 1 + light * 0.35 * (np.arange(300) - 150)[None, :, None] / 150
    points = [
        (x + 38 * narrow, 125),
        (x + 22 * narrow, 125),
        (x - 38 * narrow, 125),
        (x - 22 * narrow, 125),
        (x, 165),
    ]
    return np.clip(picture * shade, 0, 255).astype(np.uint8), np.array(points, np.float32)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_two_plain_frames_are_no_copies(value):
    """Fades to black resemble each other without being pasted."""
    plain = np.full((200, 300, 3), value, np.uint8)
    assert copy_score({"layout": scene_print(plain)}, {"layout": scene_print(plain)}) == 0


def test_a_person_and_a_scene_are_not_comparable():
    """Prints of different kinds say nothing about copying."""
    assert copy_score({"print": face_print(portrait(), EYES)}, {"layout": scene_print(portrait())}) == 0
