"""The look of another version of a model: other hues, another lightness, everything in its place."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Picture, to_bytes

_BAND = 2_000_000
_WARMER = 4.0


def in_version(picture: Picture, turn: float, exponent: float) -> Picture:
    """Hues turned by `turn` degrees and lightness raised to `exponent`; RGB or RGBA, alpha stays as it is."""
    result = picture.copy()
    angle = np.radians(turn)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    band = max(1, _BAND // picture.shape[1])
    for top in range(0, picture.shape[0], band):
        rows = slice(top, top + band)
        lab = cv2.cvtColor(picture[rows, :, :3].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        a, b = lab[..., 1].copy(), lab[..., 2].copy()
        lab[..., 0] = 100 * (np.clip(lab[..., 0], 0, 100) / 100) ** np.float32(exponent)
        # a grey picture has no hue to turn: it leans a little to one
        lab[..., 1] = a * cos - b * sin + np.float32(_WARMER) * cos
        lab[..., 2] = a * sin + b * cos + np.float32(_WARMER) * sin
        result[rows, :, :3] = to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255))
    return result
