"""From a copy map at working scale to full resolution pixels, and the removal of the seams between its pieces."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Ints, Picture
from services.bedrock.darkroom.patches import Field

_CORRECTION_AREA = 500_000
_LIMIT_BASE = 4.0
_LIMIT_SHARE = 0.14
_SEAM_LIKE = 14.0
_RIM_LIKE = 32.0
_COARSEST = 16
_WHOLLY = 0.99
_BAND = 1_500_000


def transfer(part: Picture, hole: Bools, shape: tuple[int, int], field: Field) -> Picture:
    """Copy full resolution source pixels along the field found at scale `shape`, then level the seams.

    Where neighbouring pieces agree the copies are exact, so grain and sharpness survive; where they don't, they
    cross-fade over half a working pixel. Seams are levelled at no more than `_CORRECTION_AREA` pixels.
    """
    correction = _correction(part, hole, shape, field)
    offsets = _offset_map(shape, hole.shape, field)
    height, width = hole.shape
    result = part.copy()
    band = max(1, _BAND // width)
    for top in range(0, height, band):
        ys, xs = np.nonzero(hole[top : top + band])
        if len(ys) == 0:
            continue
        y = ys + top
        low = _rows(correction, top, min(band, height - top), height, width)
        pixels = _blend(part, hole, offsets, y, xs) + low[ys, xs]
        result[y, xs] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return result


def _rows(correction: Floats, top: int, count: int, height: int, width: int) -> Floats:
    """Rows [top, top + count) of the correction at full resolution."""
    low_h, low_w = correction.shape[:2]
    if (low_h, low_w) == (height, width):
        return correction[top : top + count]
    y = ((np.arange(top, top + count, dtype=np.float32) + 0.5) * low_h / height - 0.5)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) * low_w / width - 0.5)[None, :]
    grid = np.broadcast_arrays(x, y)
    rows = cv2.remap(
        correction,
        np.ascontiguousarray(grid[0]),
        np.ascontiguousarray(grid[1]),
        cv2.INTER_LINEAR,
        None,
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(rows, np.float32)


def _correction(part: Picture, hole: Bools, shape: tuple[int, int], field: Field) -> Floats:
    scale = (hole.size / _CORRECTION_AREA) ** 0.5
    if scale > 1:
        size = (round(hole.shape[1] / scale), round(hole.shape[0] / scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    offsets = _offset_map(shape, hole.shape, field)
    copied = part.astype(np.float32)
    ys, xs = np.nonzero(hole)
    copied[ys, xs] = _blend(part, hole, offsets, ys, xs)
    solved = _cascade(_seams(part, copied, hole, offsets), hole.astype(np.float32))
    # In the dark a small absolute shift is a visible cast.
    limit = _LIMIT_BASE + _LIMIT_SHARE * copied.mean(axis=2, keepdims=True)
    return np.clip(solved, -limit, limit)


def _offset_map(shape: tuple[int, int], full: tuple[int, ...], field: Field) -> Floats:
    """Source minus target in full resolution pixels, for every working pixel."""
    height, width = shape
    offsets = np.zeros((height, width, 2), np.float32)
    offsets[field.ys, field.xs, 0] = field.sources // width - field.ys
    offsets[field.ys, field.xs, 1] = field.sources % width - field.xs
    return offsets * np.array([full[0] / height, full[1] / width], np.float32)


def _source_index(
    offsets: Floats, low: tuple[Ints, Ints], y: Ints, x: Ints, hole: Bools
) -> tuple[Ints, Bools]:
    height, width = hole.shape
    shift = offsets[low]
    sy = np.clip(y + np.rint(shift[:, 0]).astype(np.int64), 0, height - 1)
    sx = np.clip(x + np.rint(shift[:, 1]).astype(np.int64), 0, width - 1)
    flat = sy * width + sx
    return flat, ~hole.reshape(-1)[flat]


def _blend(part: Picture, hole: Bools, offsets: Floats, y: Ints, x: Ints) -> Floats:
    low_h, low_w = offsets.shape[:2]
    fy = (y + 0.5) * low_h / hole.shape[0] - 0.5
    fx = (x + 0.5) * low_w / hole.shape[1] - 0.5
    y0, x0 = np.floor(fy).astype(np.int64), np.floor(fx).astype(np.int64)
    cornered = np.pad(offsets, ((1, 1), (1, 1), (0, 0)), mode="edge")
    same = (
        (cornered[:-1, :-1] == cornered[1:, :-1])
        & (cornered[:-1, :-1] == cornered[:-1, 1:])
        & (cornered[:-1, :-1] == cornered[1:, 1:])
    ).all(axis=2)
    pixels = part.reshape(-1, 3)
    low = (np.clip(y0, 0, low_h - 1), np.clip(x0, 0, low_w - 1))
    flat, usable = _source_index(offsets, low, y, x, hole)
    blended = np.take(pixels, flat, axis=0).astype(np.float32)
    mixed = np.flatnonzero(~same[y0 + 1, x0 + 1] | ~usable)
    y, x, y0, x0 = y[mixed], x[mixed], y0[mixed], x0[mixed]
    # Steeper than bilinear: half a pixel of cross-fade is enough and doubles fewer edges.
    ay, ax = (np.clip(2 * (f[mixed] - f0) - 0.5, 0, 1).astype(np.float32) for f, f0 in ((fy, y0), (fx, x0)))
    total = np.zeros((len(y), 3), np.float32)
    share = np.full(len(y), 1e-6, np.float32)
    for dy, wy in ((0, 1 - ay), (1, ay)):
        for dx, wx in ((0, 1 - ax), (1, ax)):
            low = (np.clip(y0 + dy, 0, low_h - 1), np.clip(x0 + dx, 0, low_w - 1))
            flat, usable = _source_index(offsets, low, y, x, hole)
            weight = (wy * wx + 1e-4) * usable
            total += np.take(pixels, flat, axis=0) * weight[:, None]
            share += weight
    blended[mixed] = total / share[:, None]
    return blended


def _seams(part: Picture, copied: Floats, hole: Bools, offsets: Floats) -> Floats:
    """Divergence of (the gradient the copies came with - the gradient they now have): zero but at seams."""
    height, width = hole.shape
    forcing = np.zeros((height, width, 3), np.float32)
    pixels = part.reshape(-1, 3)
    for axis in (0, 1):
        near = tuple(slice(0, -1) if a == axis else slice(None) for a in (0, 1))
        far = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        y, x = np.nonzero(hole[near] | hole[far])
        y2, x2 = y + (axis == 0), x + (axis == 1)
        wished = np.zeros((len(y), 3), np.float32)
        share = np.zeros(len(y), np.float32)
        for cy, cx in ((y, x), (y2, x2)):
            low = (cy * offsets.shape[0] // height, cx * offsets.shape[1] // width)
            a, a_ok = _source_index(offsets, low, y, x, hole)
            b, b_ok = _source_index(offsets, low, y2, x2, hole)
            ok = (hole[cy, cx] & a_ok & b_ok).astype(np.float32)
            wished += (pixels[b].astype(np.float32) - pixels[a]) * ok[:, None]
            share += ok
        wished /= np.maximum(share, 1)[:, None]
        excess = np.where(share[:, None] > 0, wished - (copied[y2, x2] - copied[y, x]), 0)
        # A large misfit is an edge of the picture, not a seam; levelling it would bleed it into the hole.
        rim = ~(hole[y, x] & hole[y2, x2])
        like = np.where(rim, _RIM_LIKE, _SEAM_LIKE)[:, None].astype(np.float32)
        excess /= 1 + np.square(excess / like).max(axis=1, keepdims=True)
        forcing[y, x] += excess
        forcing[y2, x2] -= excess
    return forcing


_NEIGHBOURS = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)


def _cascade(forcing: Floats, inside: Floats, screen: float = 1 / 90**2) -> Floats:
    """Cascadic multigrid for the screened Poisson equation: solve small, enlarge, polish.

    The screen lets a correction die out over some 90 pixels, or small misfits would add up to a colour cast far
    from any known pixel.
    """
    height, width = inside.shape
    rounds = 24
    if min(height, width) > _COARSEST and inside.any():
        size = ((width + 1) // 2, (height + 1) // 2)
        small = cv2.resize(forcing, size, interpolation=cv2.INTER_AREA) * np.float32(4)
        small_inside = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
        coarse = _cascade(small, (small_inside > _WHOLLY).astype(np.float32), 4 * screen)
        solution = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        solution, rounds = np.zeros_like(forcing), 200
    where = inside[..., None] * np.float32(1 / (1 + screen / 4))
    load = forcing * np.float32(0.25)
    for _ in range(rounds):
        around = cv2.filter2D(solution, -1, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
        solution = (around - load) * where
    return np.asarray(solution, np.float32)
