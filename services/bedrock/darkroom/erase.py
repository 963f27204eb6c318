"""Take something out of a picture: object removal by exemplar completion."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Mask, Picture
from services.bedrock.darkroom.completion import complete


def grown(mask: Mask, grow: int) -> Mask:
    """The matte, hard-edged at half strength and dilated by `grow` pixels."""
    hard = (mask >= 128).astype(np.uint8) * 255
    if grow <= 0:
        return hard
    return cv2.dilate(hard, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1)))


def soft_inside(hole: Mask, width: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """0 outside the hole, rising to 1 over `width` pixels inwards."""
    depth = cv2.distanceTransform(hole, cv2.DIST_L2, 3)
    return np.clip(depth / max(width, 1.0), 0, 1).astype(np.float32)


def erase(image: Picture, mask: Mask, grow: int, seed: int) -> Picture:
    """Remove what the matte covers and rebuild it from its surroundings.

    Pixels outside the matte grown by `grow` are returned unchanged. The edge is blended inside the grown rim only,
    where the plate is still itself; without `grow` there is no such rim and the edge is hard.
    """
    hole = grown(mask, grow)
    filled = complete(image, hole, seed)
    if grow < 2:
        return filled
    alpha = soft_inside(hole, min(grow * 0.6, 6))[..., None]
    return np.rint(image * (1 - alpha) + filled * alpha).astype(np.uint8)
