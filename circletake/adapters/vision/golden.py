"""Hold a picture against the same request made again. Runs in a child process only.

Structure is the structural similarity of Wang et al. 2004 on lightness, both frames scaled to the same size, and region
that of the worst of 8 by 8 parts; tint is how far the mean colour of any part moved; colour is the likeness of the
palettes that consistency checks use; texture compares how much there is at each fineness of detail and in which
directions it runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import decode, media_type_of
from circletake.adapters.vision.likeness.palettes import alike, palette_of, to_lab, to_linear
from circletake.adapters.vision.thumbnails import shown
from circletake.adapters.vision.video import frames_at
from circletake.domain.frames import Size, fit_inside
from circletake.domain.golden.verdict import GoldenScores
from circletake.ports import PictureRefused

MOMENTS = (0.0, 0.5, 1.0)  # of a clip: its first, middle and last frame
_SIDE = 512  # pixels of the longer side at which layout and texture are compared
_PALETTE_SIDE = 256
_PALETTE_COLOURS = 32
_WINDOW, _SIGMA = 11, 1.5  # of SSIM, as published
_STABILISER = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SAME_SHAPE = 0.01  # by how much width over height may differ for a frame to be laid over another
_TILES = 8  # each way
_TINT = 40.0  # CIE Lab steps that are no likeness at all
_LEVELS = 4  # of fineness: pixels, 2, 4 and 8 pixels
_DIRECTIONS = 8
_STILL = 0.5  # grey levels of detail that count as none


@dataclass(frozen=True, slots=True)
class Frames:
    """What of a file is compared: 8-bit RGB, with a clip's length. `codes` are the file's own, before any rounding."""

    rgb: list[Any]
    codes: list[Any]
    seconds: float | None


def read_frames(path: Path, bounds: Bounds) -> Frames:
    """Decode a picture, or a clip's MOMENTS. Raises PictureRefused."""
    if media_type_of(path).startswith("video/"):
        frames, seconds = frames_at(path, MOMENTS, bounds)
        return Frames(frames, frames, seconds)
    decoded = decode(path, bounds)
    return Frames([shown(decoded)], [decoded.pixels], None)


def compare_files(old: Path, new: Path, bounds: Bounds) -> GoldenScores:
    """Measure how far a new file is from an old one; of a clip each score is its worst frame's. Raises
    PictureRefused, also where one is a picture and the other a clip."""
    ours, theirs = read_frames(old, bounds), read_frames(new, bounds)
    if (ours.seconds is None) != (theirs.seconds is None):
        raise PictureRefused("unsupported", "a picture can't be held against a clip")
    each = [_pair(a, b) for a, b in zip(ours.rgb, theirs.rgb, strict=True)]
    return GoldenScores(
        identical=all(_same(a, b) for a, b in zip(ours.codes, theirs.codes, strict=True)),
        old_size=_size(ours.rgb[0]),
        new_size=_size(theirs.rgb[0]),
        psnr_db=_worst(pair.psnr_db for pair in each),
        structure=_worst(pair.structure for pair in each),
        region=_worst(pair.region for pair in each),
        tint=_worst(pair.tint for pair in each),
        colour=round(min(pair.colour for pair in each), 6),
        texture=round(min(pair.texture for pair in each), 6),
        frames=len(each),
        old_seconds=ours.seconds,
        new_seconds=theirs.seconds,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    psnr_db: float | None
    structure: float | None
    region: float | None
    tint: float | None
    colour: float
    texture: float


def _pair(a: Any, b: Any) -> _Pair:
    similar = likeness_map(a, b)
    return _Pair(
        psnr(a, b),
        None if similar is None else structure(similar),
        None if similar is None else region(similar),
        None if similar is None else tint(a, b),
        colour(a, b),
        texture(a, b),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(min(known), 6) if known else None


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b))


def _size(rgb: Any) -> tuple[int, int]:
    return int(rgb.shape[1]), int(rgb.shape[0])


def psnr(a: Any, b: Any) -> float | None:
    """Peak signal to noise in dB over 8-bit codes; None for two sizes, and for no noise at all."""
    if a.shape != b.shape:
        return None
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return None if error == 0 else float(10 * np.log10(255**2 / error))


def likeness_map(a: Any, b: Any) -> Any | None:
    """Structural similarity of lightness per pixel, the longer side _SIDE at most; None where the frames have two
    shapes."""
    if abs(a.shape[1] / a.shape[0] / (b.shape[1] / b.shape[0]) - 1) > _SAME_SHAPE:
        return None
    size = fit_inside(Size(*_size(a)), Size(_SIDE, _SIDE))
    return _ssim(_grey(a, size), _grey(b, size))


def structure(similar: Any) -> float:
    """How much of the layout is the same, 0-1: the mean of a likeness map."""
    return max(0.0, float(similar.mean()))


def region(similar: Any) -> float:
    """The same of the part of the frame, one of 8 by 8, that differs most: a swapped face hardly moves a mean."""
    return max(0.0, float(_tiles(similar).min()))


def tint(a: Any, b: Any) -> float:
    """How well every part of the frame, of 8 by 8, keeps its mean colour, 0-1: a whole point less is a distance of
    _TINT in CIE Lab in the worst of them. For frames of one shape."""
    apart = np.linalg.norm(_tile_colours(a) - _tile_colours(b), axis=-1)
    return max(0.0, 1 - float(apart.max()) / _TINT)


def _tiles(plane: Any) -> Any:
    return cv2.resize(plane, (_TILES, _TILES), interpolation=cv2.INTER_AREA)


def _tile_colours(rgb: Any) -> Any:
    return to_lab(_tiles(to_linear(_small(rgb, _PALETTE_SIDE))))


def _small(rgb: Any, side: int) -> Any:
    size = fit_inside(Size(*_size(rgb)), Size(side, side))
    return cv2.resize(np.ascontiguousarray(rgb), (size.width, size.height), interpolation=cv2.INTER_AREA)


def _grey(rgb: Any, size: Size) -> Any:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (size.width, size.height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _ssim(a: Any, b: Any) -> Any:
    def blurred(plane: Any) -> Any:
        return cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), _SIGMA)

    mean_a, mean_b = blurred(a), blurred(b)
    spread_a, spread_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    common = blurred(a * b) - mean_a * mean_b
    first, second = _STABILISER
    above = (2 * mean_a * mean_b + first) * (2 * common + second)
    return above / ((mean_a**2 + mean_b**2 + first) * (spread_a + spread_b + second))


def colour(a: Any, b: Any) -> float:
    """How alike two palettes are, 0-1: see `likeness.palettes.alike`."""
    ours, theirs = _palette(a), _palette(b)
    return float(alike(to_lab(ours[None, :, :3]), ours[:, 3], to_lab(theirs[:, :3]), theirs[:, 3])[0])


def _palette(rgb: Any) -> Any:
    return palette_of(_small(rgb, _PALETTE_SIDE).reshape(-1, 3), _PALETTE_COLOURS)


def texture(a: Any, b: Any) -> float:
    """How alike line, grain and softness are, 0-1: e to the minus mean difference of their logarithms."""
    return float(np.exp(-np.abs(_texture(a) - _texture(b)).mean()))


def _texture(rgb: Any) -> Any:
    """Logarithms of how much detail there is per fineness, and of how it is spread over directions."""
    plane = _grey(rgb, fit_inside(Size(*_size(rgb)), Size(_SIDE, _SIDE)))
    found = []
    for _ in range(_LEVELS):
        smaller = cv2.pyrDown(plane)
        detail = plane - cv2.pyrUp(smaller, dstsize=(plane.shape[1], plane.shape[0]))
        found.append(np.log(float(detail.std()) + _STILL))
        across, along = cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)
        angle = np.mod(np.arctan2(along, across), np.pi)
        bins = np.minimum((angle / np.pi * _DIRECTIONS).astype(np.int64), _DIRECTIONS - 1)
        weight = np.bincount(bins.ravel(), np.hypot(across, along).ravel(), minlength=_DIRECTIONS)
        share = weight / max(1e-6, float(weight.sum()))
        found += list(np.log(share + 0.02) / _DIRECTIONS * 2)
        plane = smaller
    return np.array(found)
