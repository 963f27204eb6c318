"""Take another picture's look: its palette, its tones, how fine and how strong its detail is. Nothing is generated."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import (
    Floats,
    Ints,
    Picture,
    dissolve,
    resized,
    sampled,
    softened,
    to_bytes,
)
from services.bedrock.darkroom.drawing import smooth_noise
from services.bedrock.darkroom.palette import tint, wished_tint

_SEEN = 256  # pixels a side that contrasts are read from
_SAMPLED = 112  # and palettes
_BANDS = (1.2, 3.6)  # of detail, as Gaussian widths in pixels of a picture of `_SEEN`
_GAIN = (0.45, 2.2)
_LEVELS = 64
_ROUNDS = 12
_GRID = 17
_KERNEL = (0.1, 0.2, 0.4, 0.2, 0.1)
_BEND = 0.018
_PROMPT = 0.25
_TEXTURE = 0.9
_TILE = 256
_LOOKED_UP = 1_000_000  # pixels at once
_BITS = 7


def transfer_style(
    image: Picture,
    style: Picture,
    prompt: str,
    *,
    composition: float,
    strength: float,
    change: float,
    seed: int,
) -> Picture:
    """The picture in the style's palette, tones and contrast of detail.

    `strength` 0 returns the picture, as the models' page says; `change` says how much of the way is gone; what
    `composition` lacks to 1 bends the forms by the seed and carries the style's own texture onto them.
    """
    if strength == 0:
        return image.copy()
    loose = 1 - composition
    forms = _bent(image, loose, np.random.default_rng(seed)) if loose else image
    styled = _detail_of(to_palette(forms, style), style)
    if loose:
        styled = textured(styled, style, loose)
    wish = wished_tint(prompt)
    if wish is not None:
        styled = tint(styled, wish, _PROMPT)
    return dissolve(image, styled, strength * change)


def guided_style(drawn: Picture, style: Picture, fidelity: float) -> Picture:
    """A drawing in the palette, tones and texture of a picture; `fidelity` 0 leaves the drawing."""
    if fidelity == 0:
        return drawn
    styled = textured(_detail_of(to_palette(drawn, style), style), style, 1.0)
    return dissolve(drawn, styled, 0.35 + 0.65 * fidelity)


def to_palette(image: Picture, style: Picture) -> Picture:
    """Every colour moved so that all of them together are distributed as the style's.

    Sliced transport (Pitié, Kokaram and Dahyot, 2005) of small versions; a coarse colour table carries it to every
    pixel, so that size costs little.
    """
    source, goal = (_lab(_small(each, _SAMPLED)).reshape(-1, 3) for each in (image, style))
    moved = _transported(source, goal)
    table, low, span = _table(source, moved)
    return _looked_up(image, table, low, span)


def _small(picture: Picture, side: int = _SEEN) -> Picture:
    scale = min(1.0, side / max(picture.shape[:2]))
    return resized(
        picture, (max(8, round(picture.shape[1] * scale)), max(8, round(picture.shape[0] * scale)))
    )


def _lab(picture: Picture) -> Floats:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _transported(source: Floats, goal: Floats) -> Floats:
    """Sorted projections are matched along turning axes; the axes are the same every time."""
    rng = np.random.default_rng(20)
    moved = source.copy()
    places = np.linspace(0, 1, _LEVELS)
    for _ in range(_ROUNDS):
        axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        turned, aimed = moved @ axes, goal @ axes
        for axis in range(3):
            have, want = np.quantile(turned[:, axis], places), np.quantile(aimed[:, axis], places)
            have += np.arange(_LEVELS) * 1e-4  # strictly rising, as interpolation needs
            turned[:, axis] += 0.7 * (np.interp(turned[:, axis], have, want) - turned[:, axis])
        moved = turned @ axes.T
    return moved.astype(np.float32)


def _table(source: Floats, moved: Floats) -> tuple[Floats, Floats, Floats]:
    """How far a colour moves, on a grid over the source's colours: averaged where there are some, spread elsewhere."""
    low = source.min(axis=0) - 1
    span = (source.max(axis=0) - low + 1) / (_GRID - 1)
    cell = np.rint((source - low) / span).astype(int)
    flat = np.ravel_multi_index(tuple(cell.T), (_GRID,) * 3)
    count = np.bincount(flat, minlength=_GRID**3).astype(np.float32)
    shift = moved - source
    total = np.stack([np.bincount(flat, shift[:, k], _GRID**3) for k in range(3)]).astype(np.float32)
    share, sums = count.reshape((_GRID,) * 3), total.reshape(3, *(_GRID,) * 3)
    known, table = share.copy(), sums.copy()
    for weight in (0.2, 0.02, 0.002, 0.0002):
        share, sums = _spread(share), np.stack([_spread(plane) for plane in sums])
        known, table = known + weight * share, table + weight * sums
    return np.moveaxis(table / np.maximum(known, 1e-9), 0, -1).astype(np.float32), low, span


def _spread(cube: Floats) -> Floats:
    """Blur along each axis."""
    for axis in range(3):
        padded = np.pad(cube, [(2, 2) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(padded, range(at, at + _GRID), axis) for at in range(5)]
        cube = np.tensordot(np.array(_KERNEL, np.float32), np.stack(parts), axes=1).astype(np.float32)
    return cube


def _looked_up(image: Picture, table: Floats, low: Floats, span: Floats) -> Picture:
    """How far each pixel moves is looked up by its colour at 7 bits a channel, dithered so that no band is seen."""
    result = np.empty_like(image)
    shifts = np.zeros((1 << 3 * _BITS, 3), np.float32)
    seen = np.zeros(1 << 3 * _BITS, np.bool_)
    band = max(1, _LOOKED_UP // image.shape[1])
    for top in range(0, image.shape[0], band):
        seen[_cells(image[top : top + band])] = True
    shifts[seen] = _shifts(np.flatnonzero(seen), table, low, span)
    for top in range(0, image.shape[0], band):
        rows = slice(top, top + band)
        shift = np.take(shifts, _cells(image[rows]), axis=0)
        result[rows] = to_bytes(image[rows].astype(np.float32) + shift)
    return result


def _cells(picture: Picture) -> Ints:
    """A number for each pixel: its colour, give or take a level or two, at a few bits a channel."""
    height, width = picture.shape[:2]
    noise = np.random.default_rng(5).integers(0, 5, (64, 64, 3)).astype(np.uint8)
    dither = np.tile(noise, (-(-height // 64), -(-width // 64), 1))[:height, :width]
    # added and taken away again within bytes, both saturating
    shaken = np.asarray(cv2.subtract(cv2.add(picture, dither), np.full_like(picture, 2)), np.uint8)
    coarse = (shaken >> np.uint8(8 - _BITS)).astype(np.int32)
    return np.asarray((coarse[..., 0] << 2 * _BITS) | (coarse[..., 1] << _BITS) | coarse[..., 2], np.int64)


def _shifts(cells: Ints, table: Floats, low: Floats, span: Floats) -> Floats:
    """How far (RGB) the colour in the middle of each cell moves: the table's grid, interpolated."""
    step = 1 << (8 - _BITS)
    parts = [(cells >> bits & ((1 << _BITS) - 1)) * step + step / 2 for bits in (2 * _BITS, _BITS, 0)]
    colours = np.stack(parts, axis=-1).astype(np.float32)
    lab = np.asarray(cv2.cvtColor(colours[None] / 255, cv2.COLOR_RGB2LAB), np.float32)[0]
    at = np.clip((lab - low) / span, 0, _GRID - 1.001)
    base = at.astype(np.int64)
    share = at - base
    moved = lab.copy()
    for corner in range(8):
        at_corner = np.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = np.where(at_corner, share, 1 - share).prod(axis=-1)
        moved += table[tuple((base + at_corner).T)] * weight[..., None].astype(np.float32)
    rgb = np.asarray(cv2.cvtColor(moved[None], cv2.COLOR_LAB2RGB), np.float32)[0]
    return np.asarray(rgb * np.float32(255) - colours, np.float32)


def _detail_of(picture: Picture, style: Picture) -> Picture:
    """Bands of detail as strong as the style's: a soft picture softens, a crisp one sharpens (Bae et al., 2006)."""
    unit = max(picture.shape[:2]) / _SEEN
    have, want = (_bands_of(_small(each)) for each in (picture, style))
    lift = np.zeros(picture.shape[:2], np.float32)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    finer = grey
    for width, a, b in zip(_BANDS, have, want, strict=True):
        coarser = softened(grey, width * unit)
        gain = float(np.clip(b / max(a, 0.3), *_GAIN))
        lift += (finer - coarser) * np.float32(gain - 1)
        finer = coarser
    return to_bytes(picture + lift[..., None])


def _bands_of(small: Picture) -> list[float]:
    """Mean strength of each band of detail, in grey levels."""
    finer = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    grey, strengths = finer, list[float]()
    for width in _BANDS:
        coarser = softened(grey, width)
        strengths.append(float(np.abs(finer - coarser).mean()))
        finer = coarser
    return strengths


def textured(picture: Picture, style: Picture, amount: float) -> Picture:
    """The style's fine grain of light and dark without its forms: a texture of random phase (Galerne, Gousseau and
    Morel, 2011), which is as strong at every width and in every direction as the style's own detail."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(style, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = min(1.0, max(height, width) / max(grey.shape))
    if scale < 1:
        size = (max(8, round(grey.shape[1] * scale)), max(8, round(grey.shape[0] * scale)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
    # an edge of a thing in the style picture is no texture
    fine = np.clip(grey - softened(grey, max(2.0, max(height, width) / 130)), -14, 14)
    tile = cv2.resize(fine, (_TILE, _TILE)) if min(fine.shape) < _TILE else fine[:_TILE, :_TILE]
    phases = np.angle(np.fft.rfft2(np.random.default_rng(4).standard_normal(tile.shape)))
    grain = np.fft.irfft2(np.abs(np.fft.rfft2(tile)) * np.exp(1j * phases), tile.shape).astype(np.float32)
    repeated = np.tile(grain, (-(-height // _TILE), -(-width // _TILE)))[:height, :width]
    return to_bytes(picture + repeated[..., None] * np.float32(_TEXTURE * amount))


def _bent(image: Picture, loose: float, rng: np.random.Generator) -> Picture:
    height, width = image.shape[:2]
    reach = np.float32(_BEND * max(height, width) * loose)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (smooth_noise((height, width), 5, rng) * reach for _ in range(2))
    return sampled(image, x + dx, y + dy)
