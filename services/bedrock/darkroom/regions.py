"""Where something is in a picture, as far as it can be told without knowing things: by the colour its description
names, else what stands out most. The second is a guess and is labelled as one."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Mask, Picture, blurred, resized
from services.bedrock.darkroom.cutout import cut_out, refined
from services.bedrock.darkroom.palette import Colour, named_colour

_SIDE = 320
_HALF = 0.5
_NEUTRAL = 14.0  # chroma (CIELAB) below which a colour has no hue
_HUE_REACH = 24.0  # degrees
_LIGHT_REACH = 62.0
_SPECK, _LEAST = 0.002, 0.004


@dataclass(frozen=True, slots=True)
class Region:
    """`share` (0-1) is how much each pixel belongs to it; `guessed`: nothing in the words told where it is."""

    share: Floats = field(repr=False)
    guessed: bool


def find_region(image: Picture, search: str) -> Region:
    """What the words name: the pixels of a colour that they name and the picture has, else its subject."""
    colour = named_colour(search)
    if colour is not None:
        found = _of_colour(image, colour)
        if found is not None:
            return Region(found, guessed=False)
    return Region(cut_out(image), guessed=True)


def _of_colour(image: Picture, colour: Colour) -> Floats | None:
    """Pixels of about that colour, without specks; None where the picture has hardly any."""
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    small = resized(image, (max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))))
    like = _likeness(blurred(small, 0.8), colour)
    solid = cv2.morphologyEx((like > _HALF).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    kept = _pieces(np.asarray(solid, np.uint8))
    if kept.mean() < _LEAST:
        return None
    soft = cv2.GaussianBlur((like * kept).astype(np.float32), (0, 0), 0.6)
    return refined(image, np.clip(soft * 1.5, 0, 1))


def _pieces(solid: Mask) -> Bools:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count <= 1:
        return np.zeros(solid.shape, np.bool_)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes >= max(_SPECK * solid.size, 0.2 * sizes.max()))
    return np.asarray(np.isin(labels, large), np.bool_)


def _likeness(picture: Picture, colour: Colour) -> Floats:
    """1 for the colour, 0 for others: by hue, whatever its light, and for greys by lightness."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    aim = cv2.cvtColor(np.full((1, 1, 3), colour, np.uint8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    aimed = float(np.hypot(aim[1], aim[2]))
    if aimed < _NEUTRAL:
        plain = np.clip(1.5 - chroma / _NEUTRAL, 0, 1)
        return np.asarray(plain * np.clip(1.6 - np.abs(lab[..., 0] - aim[0]) / 22, 0, 1), np.float32)
    turn = np.abs(np.arctan2(lab[..., 2], lab[..., 1]) - np.arctan2(aim[2], aim[1]))
    turn = np.degrees(np.minimum(turn, 2 * np.pi - turn))
    of_hue = np.clip(1.5 - turn / _HUE_REACH, 0, 1)
    coloured = np.clip(chroma / (0.45 * aimed) - 0.3, 0, 1)
    in_light = np.clip(1.6 - np.abs(lab[..., 0] - aim[0]) / _LIGHT_REACH, 0, 1)
    return np.asarray(of_hue * coloured * in_light, np.float32)
