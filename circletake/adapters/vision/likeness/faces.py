"""A face as numbers. Runs in a child process only. Embeddings are biometric data: never log them."""

# ruff: noqa: PLR2004 - small geometry

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.likeness.landmarks import Points
from circletake.domain.consistency.words import Aspect, Reason

CHIP = 150
SMALLEST_EYES = 13.0  # pixels between the eyes below which faces of one person drift apart
_MARGIN = 0.25
_SMALL = 19  # an eighth of a chip's side
_TURNED = 0.34  # of the eye distance: about 40 degrees
_UNLIKE_ITS_MIRROR = 0.36  # a profile; faces from the front stay below 0.33
_ONE_SIDED = 0.55  # a profile still shows something in both halves of its chip
_LEAST_DETAIL = 0.04
# How far an embedding moves at least when the eyes, the mouth, the left, the right are hidden. Lowest of 150 clean
# photographs: 0.31 0.24 0.27 0.27, of drawn faces 0.26 0.21 0.22 0.23; most behind masks or hands: 0.15, 0.14.
_HIDDEN = np.array([0.245, 0.185, 0.19, 0.19])
# where dlib's face chips have the five points, in a face without margin (dlib/image_transforms/interpolation.h)
_MEAN_FACE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)


def eye_distance(points: Points) -> float:
    """Between the centres of the two eyes, in pixels."""
    first, second = points[:2].mean(0), points[2:4].mean(0)
    return float(np.linalg.norm(first - second))


@dataclass(frozen=True, slots=True)
class View:
    """How a chip differs from dlib's own: zoom, pixels right and down, degrees, mirrored."""

    zoom: float = 1.0
    right: float = 0.0
    down: float = 0.0
    degrees: float = 0.0
    mirrored: bool = False


PLAIN = View()
# Embeddings of slightly different cuts are averaged, as dlib's num_jitters does by chance: a fifth fewer of the same
# people end up beyond the distance that one in a hundred strangers stay below.
VIEWS = (PLAIN, View(1.05, -3, -3, 3, mirrored=True), View(0.95, -3, 3, -3, mirrored=True))


def cut_chip(rgb: Any, points: Points, view: View = PLAIN) -> Any:
    """The face turned upright, 150 × 150 × 3 uint8, laid out as dlib's get_face_chip(size=150, padding=0.25) does."""
    wanted = (_MEAN_FACE + _MARGIN) / (2 * _MARGIN + 1) * CHIP
    turn, scale, middle = _chip_in_picture(wanted, points.astype(np.float64))
    middle = middle + scale * turn @ np.array([view.right, view.down])
    turn, scale = turn @ _rotation(view.degrees), scale * view.zoom
    rgb, offset = _around(rgb, middle, CHIP * scale)
    middle = middle - offset
    shrunk = 0
    while scale > 2 ** (
        shrunk + 1
    ):  # dlib halves the picture until a chip's pixel is less than two of its pixels
        rgb = cv2.pyrDown(rgb)
        shrunk += 1
    # dlib spreads the outermost pixels' centres over the rectangle's
    spread = turn * (CHIP * scale - 1) / (CHIP - 1)
    start = middle - spread @ np.full(2, (CHIP - 1) / 2)
    matrix = np.column_stack([spread, start]) / 2**shrunk
    how = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_LINEAR
    chip = cv2.warpAffine(rgb, matrix, (CHIP, CHIP), flags=how | cv2.WARP_INVERSE_MAP)
    return chip[:, ::-1] if view.mirrored else chip


def _rotation(degrees: float) -> Any:
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _chip_in_picture(wanted: Any, points: Any) -> tuple[Any, float, Any]:
    """Rotation, picture pixels per chip pixel, and the chip's middle in the picture."""
    a, b = wanted - wanted.mean(0), points - points.mean(0)
    power = (a * a).sum()
    real = (a * b).sum() / power
    imaginary = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / power
    scale = max(math.hypot(real, imaginary), 1e-3)
    turn = np.array([[real, -imaginary], [imaginary, real]]) / scale
    middle = points.mean(0) + scale * turn @ (CHIP / 2 - wanted.mean(0))
    return turn, scale, middle


def _around(rgb: Any, middle: Any, side: float) -> tuple[Any, Any]:
    """Only the part of a picture that a chip can touch, so that halving a huge frame costs nothing."""
    reach = side * 0.75 + 8
    height, width = rgb.shape[:2]
    left, top = (int(max(0, value - reach)) for value in middle)
    right, bottom = int(min(width, middle[0] + reach)), int(min(height, middle[1] + reach))
    if right - left < 2 or bottom - top < 2:
        return rgb, np.zeros(2)
    return rgb[top:bottom, left:right], np.array([left, top], np.float64)


def yaw(points: Points) -> float:
    """How far the nose lies off the middle between the eyes, in eye distances: 0 from the front."""
    first, second = points[:2].mean(0), points[2:4].mean(0)
    across = first - second
    return float((points[4] - (first + second) / 2) @ across / max(float(across @ across), 1e-6))


def detail(chip: Any) -> float:
    """How much fine detail there is for the coarse one, in the direction that has least of it.

    Energy of second differences one pixel apart over those four apart, at half a chip's size. About 0.4 for a sharp
    face, 0.1 at 12 pixels between the eyes, 0.05 where blur, along one direction or all, makes it another's.
    """
    half = (CHIP // 2, CHIP // 2)
    grey = cv2.cvtColor(cv2.resize(chip, half, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    fine = grey.astype(np.float32)
    coarse = cv2.GaussianBlur(fine, (0, 0), 2.5)
    return min(
        float(_second_differences(fine, down, right).var())
        / (float(_second_differences(coarse, 4 * down, 4 * right).var()) + 20)
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
    )


def _second_differences(grey: Any, down: int, right: int) -> Any:
    edge, end = 8, grey.shape[0] - 8
    return (
        2 * grey[edge:end, edge:end]
        - grey[edge + down : end + down, edge + right : end + right]
        - grey[edge - down : end - down, edge - right : end - right]
    )


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """A described face. `eyes`: the distance between them in pixels of the picture it was cut from."""

    eyes: float
    sharpness: float
    features: Mapping[str, Any] = field(repr=False)
    doubts: Mapping[Aspect, Reason]


def describe_face(resnet: Any, rgb: Any, points: Points) -> FaceSeen:
    """Cut, embed and doubt a face. Features: `face`, 128 values, and `face_noise`, how far they may be off."""
    eyes = eye_distance(points)
    chips = [cut_chip(rgb, points, view) for view in VIEWS]
    fine = detail(chips[0])
    batch = np.stack([*chips, *covered(chips[0])]).astype(np.float32)
    embeddings = resnet.run(None, {"input": batch})[0]
    seen, hidden = embeddings[: len(VIEWS)], embeddings[len(VIEWS) :]
    doubt = _doubt(eyes, fine, points, seen, np.linalg.norm(hidden - seen[0], axis=1))
    return FaceSeen(
        eyes=eyes,
        sharpness=float(np.clip(math.log(max(fine, 1e-6) / 0.02) / math.log(20), 0, 1)),
        features={
            "face": seen.mean(0).astype(np.float16),
            "face_noise": np.array([noise(fine)], np.float16),
        },
        doubts={} if doubt is None else {Aspect.FACE: doubt},
    )


def noise(fine: float) -> float:
    """How far small size or blur moves an embedding, from faces made small and blurred; by `detail`."""
    known, moved = (
        (0.02, 0.035, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4),
        (0.5, 0.4, 0.32, 0.26, 0.25, 0.19, 0.12, 0.06, 0),
    )
    return float(np.interp(math.log(max(fine, 1e-6)), np.log(known), moved))


def covered(chip: Any) -> list[Any]:
    """The chip with its eyes blackened, its mouth blurred, its left and its right half blurred.

    Hiding a part that shows the person moves the embedding far; hiding a mask, a visor or a hand hardly moves it.
    """
    small = cv2.resize(chip, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.8), (CHIP, CHIP), interpolation=cv2.INTER_LINEAR)
    without_eyes, without_left, without_right = chip.copy(), chip.copy(), chip.copy()
    without_eyes[41:74, 26:125] = 20
    without_left[21:145, :70] = blurred[21:145, :70]
    without_right[21:145, 81:] = blurred[21:145, 81:]
    return [without_eyes, cv2.copyTo(blurred, _mouth(), chip.copy()), without_left, without_right]


@cache
def _mouth() -> Any:
    """Where a mask would be, below the nose."""
    mask = np.zeros((CHIP, CHIP), np.uint8)
    cv2.ellipse(mask, (75, 100), (45, 41), 0, 0, 360, 255, -1)
    mask[:89] = 0
    mask[138:] = 0
    return mask


def _doubt(eyes: float, fine: float, points: Points, seen: Any, hidden: Any) -> Reason | None:
    if eyes < SMALLEST_EYES:
        return Reason.FACE_TOO_SMALL
    if (hidden < _HIDDEN).any():
        return Reason.OCCLUDED
    unlike_its_mirror = np.linalg.norm(seen[0] - seen[1:].mean(0)) > _UNLIKE_ITS_MIRROR
    if unlike_its_mirror or abs(yaw(points)) > _TURNED:
        one_sided = min(hidden[2:]) < _ONE_SIDED * max(hidden[2:])
        return Reason.OCCLUDED if one_sided else Reason.TURNED_AWAY
    return Reason.BLURRED if fine < _LEAST_DETAIL else None
