"""Where the eyes and the nose are in a face. Runs in a child process only.

An ensemble of regression trees (Kazemi and Sullivan, "One millisecond face alignment", CVPR 2014) as
dlib/image_processing/shape_predictor.h evaluates it, but with the answer left unrounded.
"""

import io
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]  # (5, 2): outer and inner corner of one eye, of the other eye, under the nose

_COMFORTABLE = 110  # pixels of a face box's side


@dataclass(frozen=True, slots=True)
class LandmarkTrees:
    """The trained trees; shapes as infra/weights/convert.py writes them."""

    initial: Any
    splits: Any
    thresholds: Any
    leaves: Any
    anchors: Any
    deltas: Any


def load_trees(data: bytes) -> LandmarkTrees:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return LandmarkTrees(
            initial=arrays["initial"],
            splits=arrays["splits"].astype(np.intp),
            thresholds=arrays["thresholds"],
            leaves=arrays["leaves"],
            anchors=arrays["anchors"].astype(np.intp),
            deltas=arrays["deltas"],
        )


def find_landmarks(trees: LandmarkTrees, rgb: Any, box: tuple[float, float, float, float]) -> Points:
    """Five points in pixels of `rgb` (height, width, 3; uint8) for a face box (left, top, right, bottom).

    Order: the outer then the inner corner of the eye on the picture's right, the same of the eye on its left, the
    point under the nose. A small face is looked at enlarged: the trees compare whole pixels.
    """
    side = box[2] - box[0]
    factor = min(4, math.ceil(_COMFORTABLE / max(side, 1.0)))
    if factor == 1:
        return _fit(trees, rgb, box)
    height, width = rgb.shape[:2]
    left, top = max(0, int(box[0] - side / 2)), max(0, int(box[1] - side / 2))
    near = rgb[top : min(height, int(box[3] + side / 2)), left : min(width, int(box[2] + side / 2))]
    if not near.size:
        return _fit(trees, rgb, box)
    large = cv2.resize(near, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    moved = [(value - (left, top)[axis % 2]) * factor for axis, value in enumerate(box)]
    found = _fit(trees, large, (moved[0], moved[1], moved[2], moved[3]))
    corner = np.array([left, top], np.float32)
    points: Points = ((found + 0.5) / factor - 0.5 + corner).astype(np.float32)
    return points


def _fit(trees: LandmarkTrees, rgb: Any, box: tuple[float, float, float, float]) -> Points:
    left, top, right, bottom = (round(value) for value in box)
    corner = np.array([left, top], np.float32)
    extent = np.array([right - left, bottom - top], np.float32)
    reference = trees.initial.reshape(-1, 2)
    shape = reference.copy()
    rows = np.arange(trees.splits.shape[1])
    nodes = trees.splits.shape[2]
    depth = (nodes + 1).bit_length() - 1
    for cascade in range(trees.splits.shape[0]):
        turn = _similarity(reference, shape)
        places = shape[trees.anchors[cascade]] + trees.deltas[cascade] @ turn.T
        grey = _intensities(rgb, places * extent + corner)
        splits, thresholds = trees.splits[cascade], trees.thresholds[cascade]
        node = np.zeros(len(rows), np.intp)
        for _ in range(depth):
            pair = splits[rows, node]
            goes_left = grey[pair[:, 0]] - grey[pair[:, 1]] > thresholds[rows, node]
            node = 2 * node + np.where(goes_left, 1, 2)
        shape += trees.leaves[cascade][rows, node - nodes].sum(0).reshape(-1, 2)
    points: Points = shape * extent + corner
    return points


def _similarity(source: Points, target: Points) -> Any:
    """The rotation and scale (2 × 2) that brings one shape nearest to another (Umeyama 1991, in two dimensions)."""
    a = source - source.mean(0)
    b = target - target.mean(0)
    power = float((a * a).sum())
    real = float((a * b).sum()) / power
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / power
    return np.array([[real, -imaginary], [imaginary, real]], np.float32)


def _intensities(rgb: Any, places: Any) -> Any:
    """Mean of the three channels at the nearest pixels; 0 outside the picture."""
    across, down = np.floor(places + np.float32(0.5)).astype(np.intp).T
    height, width = rgb.shape[:2]
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    values = np.zeros(len(places), np.float32)
    values[inside] = rgb[down[inside], across[inside]].sum(1, dtype=np.int32) // 3
    return values
