"""Paint a drift into a finished picture: another garment, other hair, another face. For showing what a check sees."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Picture, resized, to_bytes
from services.bedrock.darkroom.figure import Box, Placement

_VIVID = 0.5  # saturation that grey cloth is lifted to, so that a hue can show on it
_FULL_TURN = 60.0
_COLLAR = 1.15  # where garments begin, in heights of the face from its top


def paint_drift(
    picture: Picture,
    placement: Placement,
    *,
    wardrobe: float = 0.0,
    hair: float = 0.0,
    face: float = 0.0,
    other: Picture | None = None,
) -> Picture:
    """`wardrobe` and `hair` are turns of the hue in degrees, `face` is 0-1: toward `other` (a picture of one face) or,
    without it, toward wrong proportions."""
    result = picture
    x, y, w, h = placement.face
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    dx, dy = (columns - (x + w / 2)) / w, (rows - y) / h
    if face:
        result = _other_face(result, placement.face, other, face)
    if hair:
        head = (dx / 0.95) ** 2 + ((dy - 0.35) / 0.95) ** 2 < 1
        skin = (dx / 0.5) ** 2 + ((dy - 0.55) / 0.6) ** 2 < 1
        result = _turned(result, _soft(head & ~skin & (dy < 1.0), placement.alpha, h), hair)
    if wardrobe:
        below = (dy > _COLLAR) & (np.abs(dx) < 1.5 + 1.6 * np.maximum(0, dy - _COLLAR))
        result = _turned(result, _soft(below, placement.alpha, h), wardrobe)
    return result


def guessed(picture: Picture, face: Box | None) -> Placement:
    """Where a person would be: around the given face (shares of the picture), else in the middle of the frame."""
    height, width = picture.shape[:2]
    if face is None:
        tall = 0.3 * height
        box = (width / 2 - 0.38 * tall, 0.18 * height, 0.76 * tall, tall)
    else:
        box = (face[0] * width, face[1] * height, face[2] * width, face[3] * height)
    return Placement(box, np.ones((height, width), np.float32))


def _soft(where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], alpha: Floats, unit: float) -> Floats:
    edge = cv2.GaussianBlur(where.astype(np.float32), (0, 0), max(1.0, unit * 0.04))
    return np.asarray(np.minimum(edge, alpha), np.float32)


def _turned(picture: Picture, share: Floats, degrees: float) -> Picture:
    """The hue turned; grey is given some colour first, the lightness stays (what the weave and the folds are)."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    angle = np.deg2rad(degrees)
    a = lab[..., 1] * np.cos(angle) - lab[..., 2] * np.sin(angle)
    b = lab[..., 1] * np.sin(angle) + lab[..., 2] * np.cos(angle)
    chroma = np.hypot(a, b)
    least = 100 * _VIVID * min(1.0, abs(degrees) / _FULL_TURN)
    missing = np.clip(least - chroma, 0, None)
    # what has no hue of its own gets one that the turn alone decides
    lab[..., 1] = a + missing * np.float32(np.cos(angle + 0.6))
    lab[..., 2] = b + missing * np.float32(np.sin(angle + 0.6))
    turned = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1) * 255
    part = share[..., None]
    return to_bytes(picture * (1 - part) + turned * part)


def _other_face(picture: Picture, face: Box, other: Picture | None, strength: float) -> Picture:
    height, width = picture.shape[:2]
    x, y, w, h = face
    size = (max(8, round(w * 1.04)), max(8, round(h * 1.04)))
    left, top = round(x - 0.02 * w), round(y - 0.02 * h)
    if other is None:
        return _misshaped(picture, face, strength)
    patch = resized(other, size)
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.ellipse(
        mask, (size[0] // 2, size[1] // 2), (int(size[0] * 0.44), int(size[1] * 0.48)), 0, 0, 360, 255, -1
    )
    x0, y0 = max(1, left), max(1, top)
    x1, y1 = min(width - 1, left + size[0]), min(height - 1, top + size[1])
    if x1 - x0 < 8 or y1 - y0 < 8:  # noqa: PLR2004 - out of the frame
        return picture
    part = np.ascontiguousarray(patch[y0 - top : y1 - top, x0 - left : x1 - left])
    cover = np.ascontiguousarray(mask[y0 - top : y1 - top, x0 - left : x1 - left])
    cover[[0, -1], :] = 0
    cover[:, [0, -1]] = 0
    under = picture[y0:y1, x0:x1]
    inside = cover > 0
    if not inside.any():
        return picture
    # seamlessClone centres the mask's bounding box, wherever it lies in the patch
    bx, by, bw, bh = cv2.boundingRect(cover)
    centre = (x0 + bx + bw // 2, y0 + by + bh // 2)
    part = to_bytes(part.astype(np.float32) + under[inside].mean(axis=0) - part[inside].mean(axis=0))
    mixed = cv2.addWeighted(under, 1 - strength, part, strength, 0)
    return np.asarray(
        cv2.seamlessClone(np.ascontiguousarray(mixed), picture, cover, centre, cv2.NORMAL_CLONE), np.uint8
    )


def _misshaped(picture: Picture, face: Box, strength: float) -> Picture:
    """Other proportions: a narrow jaw, eyes far apart, the middle of the face short; feathered into the head."""
    x, y, w, h = face
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    dx, dy = (columns - (x + w / 2)) / w, (rows - (y + h / 2)) / h
    inside = np.clip(1.15 - np.sqrt((dx / 0.62) ** 2 + (dy / 0.66) ** 2), 0, 0.4) / 0.4
    lower = 1 / (1 + np.exp(-9 * (dy - 0.12)))
    pull = np.float32(strength) * inside
    across = columns - dx * w * pull * (-0.58 * lower + 0.4 * (1 - lower))
    down = rows + h * pull * 0.13 * np.sin(2 * np.pi * np.clip(dy - 0.05, -0.5, 0.5))
    warped = cv2.remap(
        picture,
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_CUBIC,
        None,
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, np.uint8)
