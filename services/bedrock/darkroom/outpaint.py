"""Extend a picture's frame: what lies at its edges is continued outwards."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, both, sampled
from services.bedrock.darkroom.completion import Hints, complete
from services.bedrock.darkroom.palette import tint, wished_tint
from services.bedrock.darkroom.rim import rim_palette

_GROWTH = 0.75
_GUESS_AREA = 300_000
_TARGETS = 24_000
_BAND = 0.2
_ENOUGH = 0.35


def outpaint(
    image: Picture, left: int, right: int, up: int, down: int, prompt: str, creativity: float, seed: int
) -> Picture:
    """Extend by the given pixels per side; the original area is returned unchanged.

    `creativity` (0.1-1) is how far the extension leaves a mirroring of the border. The prompt can only tint what is
    added (time of day, weather, named colours): nothing new is imagined. Wide extensions grow in rings, each from
    all that is there already.
    """
    creativity = float(np.clip(creativity, 0.0, 1.0))
    wanted = np.array([up, down, left, right])
    done = np.zeros(4, int)
    picture, ring = image, 0
    while (done < wanted).any():
        height, width = picture.shape[:2]
        reach = np.array([height, height, width, width]) * _GROWTH
        step = np.minimum(wanted - done, np.maximum(reach, 16).astype(int))
        picture = _extend(picture, 1, (int(step[2]), int(step[3])), creativity, seed * 1009 + ring)
        picture = _extend(picture, 0, (int(step[0]), int(step[1])), creativity, seed * 1013 + ring)
        done += step
        ring += 1
    return _tinted(picture, image, up, left, prompt)


def _extend(picture: Picture, axis: int, step: tuple[int, int], creativity: float, seed: int) -> Picture:
    """Grow along one axis (0 = up and down). Places across that axis are held firmly, which carries a horizon or a
    wall's edge on; places along it are free, or copies would fold back on themselves."""
    before, after = step
    if before + after == 0:
        return picture
    height, width = picture.shape[:2]
    pads = (before, after, 0, 0) if axis == 0 else (0, 0, before, after)
    top, bottom, left, right = pads
    canvas = np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="edge")
    hole = np.pad(np.zeros((height, width), np.uint8), ((top, bottom), (left, right)), constant_values=255)
    scale = min(1.0, (_GUESS_AREA / hole.size) ** 0.5)
    shape = (max(8, round(hole.shape[0] * scale)), max(8, round(hole.shape[1] * scale)))
    rng = np.random.default_rng(seed)
    band = _BAND + 0.1 * creativity
    spans = (
        ((before, height, after), (0, width, 0)) if axis == 0 else ((0, height, 0), (before, width, after))
    )
    y, x = (_folded(shape, a, spans[a], 0.8 * band, 0.25 * creativity, rng) for a in (0, 1))
    mirrored = sampled(picture, x, y)
    guess = np.asarray(cv2.GaussianBlur(mirrored, (0, 0), 0.4 + 1.2 * creativity), np.uint8)
    across = (x if axis == 0 else y) / max(height, width)
    anchor = (across * (0.6 - 0.45 * creativity)).astype(np.float32)[..., None]
    hints = Hints(
        guess=guess,
        anchor=anchor,
        wander=0.1 + 0.9 * creativity,
        source=_sources(canvas, hole, axis, step, band),
        targets=_TARGETS,
        cohesion=0.8,
    )
    return complete(canvas, hole, seed, hints)


def _sources(canvas: Picture, hole: Mask, axis: int, step: tuple[int, int], band: float) -> Mask:
    border = _border(hole.shape, axis, step, band)
    touching = rim_palette(canvas, hole)
    if touching is None:
        return border
    narrowed = both(border, touching)
    # Too little to copy from would show as repetition, which is worse than a colour from further inside.
    return (
        narrowed
        if np.count_nonzero(narrowed) > _ENOUGH * np.count_nonzero(both(border, 255 - hole))
        else border
    )


def _border(shape: tuple[int, ...], axis: int, step: tuple[int, int], band: float) -> Mask:
    """Copies come from the border the frame grows at: a face in the middle must not come twice."""
    before, after = step
    inside = shape[axis] - before - after
    deep = max(24, int(band * inside))
    inner = slice(before + (deep if before else 0), before + inside - (deep if after else 0))
    allowed = np.full((shape[0], shape[1]), 255, np.uint8)
    allowed[(inner, slice(None)) if axis == 0 else (slice(None), inner)] = 0
    return allowed


def _folded(
    shape: tuple[int, int],
    axis: int,
    spans: tuple[int, int, int],
    band: float,
    drift: float,
    rng: np.random.Generator,
) -> Floats:
    """For each pixel of the canvas (at `shape`) the picture coordinate that mirrors it, along one axis.

    Mirroring goes to and fro inside a border band, so that a subject in the middle doesn't come back; `drift`
    lets the fold wander, smoothly, by that share of the picture.
    """
    before, inside, after = spans
    total = before + inside + after
    place = (np.arange(shape[axis], dtype=np.float32) + 0.5) * total / shape[axis] - before
    outside = np.maximum(np.maximum(-place, place - (inside - 1)), 0)
    outside = outside.reshape((-1, 1) if axis == 0 else (1, -1)).repeat(shape[1 - axis], 1 - axis)
    place = place.reshape((-1, 1) if axis == 0 else (1, -1)).repeat(shape[1 - axis], 1 - axis)
    noise = cv2.resize(
        rng.standard_normal((5, 5)).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
    )
    room = max(2.0, band * inside)
    travel = outside * (1 + drift * noise)
    folded = room - np.abs(np.mod(travel, 2 * room) - room)
    mapped = np.where(place < 0, folded, np.where(place > inside - 1, inside - 1 - folded, place))
    return np.clip(mapped, 0, inside - 1).astype(np.float32)


def _tinted(picture: Picture, image: Picture, up: int, left: int, prompt: str) -> Picture:
    """Colour what was added as the prompt asks, fading in from the original's edge; the original is put back."""
    height, width = image.shape[:2]
    wish = wished_tint(prompt)
    result = picture
    if wish is not None:
        outside = np.full(picture.shape[:2], 255, np.uint8)
        outside[up : up + height, left : left + width] = 0
        away = cv2.distanceTransform(outside, cv2.DIST_L2, 3) / (0.25 * max(height, width))
        result = tint(picture, wish, np.clip(away, 0, 1) * np.float32(0.35))
    result = result.copy()
    result[up : up + height, left : left + width] = image
    return result
