"""Take something out of a picture: object removal by exemplar completion."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, dilated, to_bytes
from services.bedrock.darkroom.completion import complete

_HALF = 128
_BLENDABLE = 2


def grown(mask: Mask, grow: int) -> Mask:
    """The matte, hard-edged at half strength and dilated by `grow` pixels."""
    hard = (mask >= _HALF).astype(np.uint8) * 255
    if grow <= 0:
        return hard
    return dilated(hard, grow)


def soft_inside(hole: Mask, width: float) -> Floats:
    """0 outside the hole, rising to 1 over `width` pixels inwards."""
    depth: Floats = np.asarray(cv2.distanceTransform(hole, cv2.DIST_L2, 3), np.float32)
    return np.asarray(np.clip(depth / max(width, 1.0), 0, 1), np.float32)


def erase(image: Picture, mask: Mask, grow: int, seed: int) -> Picture:
    """Remove what the matte covers and rebuild it from its surroundings.

    Pixels outside the matte grown by `grow` are returned unchanged. The edge is blended inside the grown rim only,
    where the plate is still itself; without `grow` there is no such rim and the edge is hard.
    """
    hole = grown(mask, grow)
    filled = complete(image, hole, seed)
    if grow < _BLENDABLE:
        return filled
    alpha = soft_inside(hole, min(grow * 0.6, 6))[..., None]
    return to_bytes(image * (1 - alpha) + filled * alpha)
