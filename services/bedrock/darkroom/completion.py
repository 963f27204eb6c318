"""Exemplar completion: rebuild a hole from patches of what surrounds it.

Space-time completion (Wexler, Shechtman, Irani, 2007) in the variant of Newson et al. ("Non-local patch-based image
inpainting", IPOL 2017): coarse to fine, alternating between finding each patch's nearest known patch and letting all
patches that overlap a pixel vote on it, with local gradient energy matched beside colour so that coarse levels
don't mistake grass for paint. The copy map found at a reduced scale then copies pixels at full resolution.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Ints, Mask, Picture, area_resize
from services.bedrock.darkroom.patches import (
    Field,
    Matcher,
    build_matcher,
    propagate,
    search_all,
    search_randomly,
    settle,
)
from services.bedrock.darkroom.rim import rim_palette
from services.bedrock.darkroom.transfer import transfer

_MAX_AREA = 220_000
_MAX_SEEN = 1_200_000
_PATCH = 7
_TEXTURE_WEIGHT = 2.0
_COARSEST_THICKNESS = 9.0
_COARSEST_SIDE = 28
_TRACE = 1e-3
_START_NOISE = 0.05


@dataclass(frozen=True)
class Hints:
    """What a caller knows beforehand, each at any resolution of the whole picture. `guess` (H×W×3) fills the hole
    at the start; `anchor` (H×W×K) says where to copy from, see `Matcher`; `wander` (0-1) is how far the search
    may leave what it has; `source` (H×W, 0 = never) where copies may come from; `targets` bounds the pixels worked on at the finest working scale."""

    guess: Picture | None = None
    anchor: Floats | None = None
    wander: float = 1.0
    source: Mask | None = None
    targets: int = 16_000
    cohesion: float = 0.25


@dataclass
class _Level:
    channels: Floats
    known: Bools
    anchor: Floats
    patch: int


def complete(picture: Picture, hole: Mask, seed: int, hints: Hints | None = None) -> Picture:
    """Fill the hole (255) from the rest of the picture; pixels outside the hole are returned unchanged.

    A picture without a whole known patch falls back to diffusion: there is nothing to copy from.
    """
    if not hole.any():
        return picture.copy()
    if hole.all():
        return np.full_like(picture, 127)
    box = (slice(None), slice(None)) if hints is not None else _neighbourhood(hole)
    part, part_hole = picture[box], hole[box] > 0
    wishes = hints if hints is not None else Hints(source=rim_palette(part, hole[box]))
    try:
        filled = _complete_part(part, part_hole, wishes, np.random.default_rng(seed))
    except ValueError:
        filled = np.asarray(
            cv2.inpaint(part, part_hole.astype(np.uint8) * 255, 5, cv2.INPAINT_TELEA), np.uint8
        )
    result = picture.copy()
    result[box] = np.where(part_hole[..., None], filled, part)
    return result


def _neighbourhood(hole: Mask) -> tuple[slice, slice]:
    x, y, w, h = cv2.boundingRect(hole)
    pad = max(96, int(0.9 * max(w, h)))
    return slice(max(0, y - pad), y + h + pad), slice(max(0, x - pad), x + w + pad)


def _position(hole: Bools) -> Floats:
    """A mild wish to copy from nearby, stronger up and down than sideways: photographs change with height."""
    height, width = hole.shape
    longest = max(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / longest
    return np.dstack([y * np.float32(0.38), x * np.float32(0.26)])


def _channels(picture: Picture, hole: Bools) -> Floats:
    """Colour and gradient energy; the hole's own content must not leak into its surroundings' energy."""
    mask = hole.astype(np.uint8) * 255
    colour = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour = colour * np.array([1 / 100, 1 / 110, 1 / 110], np.float32)
    grey = cv2.GaussianBlur(colour[..., 0], (0, 0), 0.7)
    known = (cv2.erode(255 - mask, np.ones((5, 5), np.uint8)) > 0).astype(np.float32)
    weight = cv2.blur(known, (9, 9)) + 1e-3
    energy = [
        cv2.blur(np.abs(cv2.Sobel(grey, cv2.CV_32F, dx, dy, ksize=3)) * known, (9, 9)) / weight
        for dx, dy in ((1, 0), (0, 1))
    ]
    return np.ascontiguousarray(np.dstack([colour, *(_TEXTURE_WEIGHT / 4 * e for e in energy)]))


def _shrink(array: Floats, known: Bools, shape: tuple[int, int]) -> Floats:
    """Area average of the known pixels only, so that the object never bleeds into what replaces it."""
    weight = known.astype(np.float32)
    size = (shape[1], shape[0])
    total = area_resize(array * weight[..., None], shape)
    share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    return np.asarray(total / np.maximum(share, 1e-4)[..., None], np.float32)


def _bounded(part: Picture, hole: Bools) -> tuple[Picture, Bools]:
    """The part at no more than `_MAX_SEEN` pixels: matching never looks closer than that."""
    reduce = (hole.size / _MAX_SEEN) ** 0.5
    if reduce <= 1:
        return part, hole
    shape = (round(hole.shape[0] / reduce), round(hole.shape[1] / reduce))
    size = (shape[1], shape[0])
    clean = np.where(hole[..., None], np.uint8(0), part)
    total = cv2.resize(clean, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = 1 - cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    seen = np.clip(total / np.maximum(share, 1e-3)[..., None], 0, 255).astype(np.uint8)
    return seen, share < 1 - _TRACE


def _pyramid(channels: Floats, hole: Bools, anchor: Floats, targets: int) -> list[_Level]:
    """Finest (working scale) first."""
    height, width = hole.shape
    reduce = max(1.0, (np.count_nonzero(hole) / targets) ** 0.5, (hole.size / _MAX_AREA) ** 0.5)
    levels: list[_Level] = []
    while True:
        shape = (max(8, round(height / reduce)), max(8, round(width / reduce)))
        size = (shape[1], shape[0])
        known = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) < _TRACE
        shrunk = channels if shape == hole.shape else _shrink(channels, ~hole, shape)
        wish = area_resize(anchor, shape)
        levels.append(_Level(shrunk.copy(), known, wish, _PATCH if min(shape) > 3 * _PATCH else 5))
        thickness = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 3).max() * 2
        if thickness <= _COARSEST_THICKNESS or min(shape) / 2 < _COARSEST_SIDE:
            return levels
        reduce *= 2


def _complete_part(part: Picture, hole: Bools, hints: Hints, rng: np.random.Generator) -> Picture:
    seen, seen_hole = _bounded(part, hole)
    anchor = hints.anchor if hints.anchor is not None else _position(seen_hole)
    levels = _pyramid(_channels(seen, seen_hole), seen_hole, anchor, hints.targets)
    coarsest = levels[-1]
    missing = ~coarsest.known
    if hints.guess is None:
        _diffuse(coarsest)
    else:
        start = _channels(hints.guess, np.zeros(hints.guess.shape[:2], bool))
        coarsest.channels[missing] = area_resize(start, (missing.shape[0], missing.shape[1]))[missing]
    # Another seed starts from another guess, and so ends in another picture.
    coarsest.channels[missing] += rng.normal(0, _START_NOISE, coarsest.channels[missing].shape).astype(
        np.float32
    )
    field: Field | None = None
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        allowed = _allowed(hints.source, level.known)
        matcher = build_matcher(level.channels, level.known, allowed, level.anchor, level.patch, rng)
        field = _start_field(
            level, matcher, field, levels[depth + 1] if depth + 1 < len(levels) else None, rng
        )
        rounds = 2 if depth == 0 else min(3 + 2 * depth, 9)
        for turn in range(rounds):
            _match(level, matcher, field, first=turn == 0, wander=hints.wander, rng=rng)
            _vote(level, field)
            matcher.wear_out(field)
        if depth == 0:
            settle(matcher, field, matcher.project(level.channels, field.ys, field.xs), 4, hints.cohesion)
    assert field is not None
    return transfer(part, hole, levels[0].known.shape, field)


def _allowed(source: Mask | None, known: Bools) -> Bools:
    if source is None:
        return np.ones_like(known)
    return cv2.resize(source, (known.shape[1], known.shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def _diffuse(level: _Level) -> None:
    """The very first guess: spread the rim inwards, layer by layer."""
    missing = ~level.known
    filled, weight = level.channels.copy(), level.known.astype(np.float32)
    filled[missing] = 0
    while (weight == 0).any():
        total = cv2.blur(filled * weight[..., None], (3, 3))
        share = cv2.blur(weight, (3, 3))
        fresh = (weight == 0) & (share > _TRACE / 1000)
        filled[fresh] = total[fresh] / share[fresh][:, None]
        weight[fresh] = 1
    level.channels[missing] = filled[missing]


def _start_field(
    level: _Level, matcher: Matcher, coarser: Field | None, below: _Level | None, rng: np.random.Generator
) -> Field:
    height, width = level.known.shape
    reach = np.ones((level.patch, level.patch), np.uint8)
    targets = cv2.dilate((~level.known).astype(np.uint8), reach)
    ys, xs = (axis.astype(np.int64) for axis in np.nonzero(targets))
    allowed = np.flatnonzero(matcher.valid)
    sources = allowed[rng.integers(0, len(allowed), len(ys))]
    if coarser is not None and below is not None:
        low_h, low_w = below.known.shape
        lookup = np.zeros((low_h, low_w, 2), np.float32)
        lookup[coarser.ys, coarser.xs, 0] = coarser.sources // low_w - coarser.ys
        lookup[coarser.ys, coarser.xs, 1] = coarser.sources % low_w - coarser.xs
        ly = np.minimum(ys * low_h // height, low_h - 1)
        lx = np.minimum(xs * low_w // width, low_w - 1)
        offset = lookup[ly, lx] * np.array([height / low_h, width / low_w], np.float32)
        sy = np.clip(ys + np.rint(offset[:, 0]).astype(np.int64), 0, height - 1)
        sx = np.clip(xs + np.rint(offset[:, 1]).astype(np.int64), 0, width - 1)
        inherited = sy * width + sx
        ok = matcher.valid.reshape(-1)[inherited]
        sources[ok] = inherited[ok]
        field = Field(ys, xs, sources, np.zeros(len(ys), np.float32))
        _vote(level, field)
        return field
    return Field(ys, xs, sources, np.full(len(ys), np.inf, np.float32))


def _match(
    level: _Level, matcher: Matcher, field: Field, *, first: bool, wander: float, rng: np.random.Generator
) -> None:
    features = matcher.project(level.channels, field.ys, field.xs)
    if search_all(matcher, field, features):
        return
    field.costs[:] = matcher.distance(features, field.sources)
    propagate(matcher, field, features, (8, 3, 1) if first else (2, 1))
    radius = max(level.known.shape) / (2 if first else 8) * max(0.1, wander)
    search_randomly(matcher, field, features, radius, rng)
    propagate(matcher, field, features, (1,))


def _vote(level: _Level, field: Field) -> None:
    """Every patch over a missing pixel proposes what its source has there, weighted by how well it fits and by
    how near it is to what is really known."""
    height, width = level.known.shape
    half = level.patch // 2
    spread = max(float(np.percentile(field.costs, 75)), 1e-6)
    depth = cv2.distanceTransform((~level.known).astype(np.uint8), cv2.DIST_L2, 3)
    trust = np.exp(-field.costs / (2 * spread)) * 1.25 ** -np.minimum(depth[field.ys, field.xs], 40) + 1e-9
    source = np.full((height + 2 * half, width + 2 * half), -1, np.int64)
    weight = np.zeros(source.shape, np.float32)
    source[field.ys + half, field.xs + half] = field.sources
    weight[field.ys + half, field.xs + half] = trust
    ys, xs = np.nonzero(~level.known)
    base = (ys + half) * source.shape[1] + xs + half
    pixels = level.channels.reshape(height * width, -1)
    total = np.zeros((len(ys), pixels.shape[1]), np.float32)
    share = np.zeros(len(ys), np.float32)
    source_flat: Ints = source.reshape(-1)
    weight_flat = weight.reshape(-1)
    for dy in range(-half, half + 1):
        for dx in range(-half, half + 1):
            voters = base + dy * source.shape[1] + dx
            w = weight_flat[voters]
            copied = np.maximum(source_flat[voters] - dy * width - dx, 0)
            total += np.take(pixels, copied, axis=0) * w[:, None]
            share += w
    level.channels[ys, xs] = total / share[:, None]
