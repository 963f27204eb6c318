"""Draw a matte from boxes: white where something is to be made anew, soft at the edge. Runs in a child process only."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.domain.consistency.words import Box
from circletake.ports import PictureRefused

_WHITE = 255


def write_region_matte(
    width: int, height: int, boxes: Sequence[Box], feather: int, target: Path, bounds: Bounds
) -> None:
    """Write an 8-bit grey PNG of that size. The boxes themselves stay white; from their edge it falls to black
    within `feather` pixels, and is exactly black beyond. Raises PictureRefused for a size out of bounds, or when
    nothing of the boxes lies inside the picture.
    """
    if not (
        0 < width <= bounds.max_side and 0 < height <= bounds.max_side and width * height <= bounds.max_pixels
    ):
        raise PictureRefused("too_large", "a matte of this size can't be drawn")
    solid = np.zeros((height, width), np.uint8)
    for box in boxes:
        top, bottom = max(0, box.top), min(height, box.top + box.height)
        left, right = max(0, box.left), min(width, box.left + box.width)
        if top < bottom and left < right:
            solid[top:bottom, left:right] = _WHITE
    if not solid.any():
        raise PictureRefused("empty", "nothing of the region lies inside the picture")
    matte = solid if feather <= 0 else _feathered(solid, feather)
    if not cv2.imwrite(str(target), matte):
        raise OSError("the matte could not be written")


def _feathered(solid: np.ndarray, feather: int) -> np.ndarray:
    """Fall off with the distance to the region, along half a cosine, so that no edge shows on either side."""
    distance = cv2.distanceTransform(_WHITE - solid, cv2.DIST_L2, 5)
    ramp = (1 + np.cos(np.pi * np.clip(distance / (feather + 1), 0, 1))) / 2
    return np.round(ramp * _WHITE).astype(np.uint8)
