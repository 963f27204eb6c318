"""A face as numbers. Runs in a child process only. Embeddings are biometric data: never log them."""

# ruff: noqa: PLR2004 - small geometry

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.likeness.landmarks import Points
from circletake.domain.consistency.words import Aspect, Reason

CHIP = 150
SMALLEST_EYES = 13.0  # pixels between the eyes below which faces of one person drift apart
_MARGIN = 0.25
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


def cut_chip(rgb: Any, points: Points) -> Any:
    """The face turned upright, 150 × 150 × 3 uint8, laid out as dlib's get_face_chip(size=150, padding=0.25) does."""
    wanted = (_MEAN_FACE + _MARGIN) / (2 * _MARGIN + 1) * CHIP
    turn, scale, middle = _chip_in_picture(wanted, points.astype(np.float64))
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
    return cv2.warpAffine(rgb, matrix, (CHIP, CHIP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


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


def embed(resnet: Any, chip: Any) -> Any:
    """128 values, the mean of the chip's and its mirror image's; near 1 long, same people about 0.4 apart."""
    batch = np.stack([chip, chip[:, ::-1]]).astype(np.float32)
    return resnet.run(None, {"input": batch})[0].mean(0)


def sharpness(chip: Any, eyes: float) -> float:
    """How much fine detail a face has for its size, 0-1. `eyes`: the distance between the eyes in the picture.

    Energy of the Laplacian over the contrast, at the size the face has in the picture or half a chip's, if smaller.
    """
    side = int(min(CHIP // 2, max(16, CHIP * eyes / 52)))
    grey = cv2.resize(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
    grey = grey.astype(np.float32)
    ratio = float(cv2.Laplacian(grey, cv2.CV_32F).var() / (grey.var() + 25))
    return ratio / (ratio + 0.25)


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """A described face. `eyes`: the distance between them in pixels of the picture it was cut from."""

    eyes: float
    sharpness: float
    features: Mapping[str, Any] = field(repr=False)
    doubts: Mapping[Aspect, Reason]


def describe_face(
    resnet: Any, rgb: Any, points: Points, score: float, edges: tuple[float, float, float, float]
) -> FaceSeen:
    """Cut, embed and doubt a face."""
    del score, edges
    eyes = eye_distance(points)
    chip = cut_chip(rgb, points)
    doubts: dict[Aspect, Reason] = {}
    if eyes < SMALLEST_EYES:
        doubts[Aspect.FACE] = Reason.FACE_TOO_SMALL
    return FaceSeen(
        eyes=eyes,
        sharpness=sharpness(chip, eyes),
        features={"face": embed(resnet, chip).astype(np.float16)},
        doubts=doubts,
    )
