"""How alike two pictures are, by classical means: palette, layout and texture. It knows nothing of faces or people.

A vector is the three descriptions side by side, turned into the asked number of dimensions by one fixed random
projection, which keeps angles (Johnson and Lindenstrauss, 1984). Cosines near 1 mean nearly the same picture, near 0
nothing in common.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Picture, resized

_SIDE = 96
_BINS = 6
_GRID = 12
_CELLS = 8
_DIRECTIONS = 8
_WEIGHTS = (0.55, 0.25, 0.2)
_SMALLEST = 8

# where an aspect is mostly seen in a crop of head and shoulders: left, right, top, bottom
_PLACES = {
    "face": (0.33, 0.67, 0.28, 0.68),
    "hair": (0.27, 0.76, 0.04, 0.3),
    "wardrobe": (0.0, 1.0, 0.78, 1.0),
}
_ALL = (0.0, 1.0, 0.0, 1.0)
_STEPS = (0.25, 0.45, 0.62, 0.8)  # cosines from which a rating of 1, 2, 3, 4 is given
_SAME = 4
_HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "magenta")


def embed(picture: Picture, dimensions: int) -> list[float]:
    """A vector of unit length; the same picture always has the same."""
    described = _described(picture)
    vector = described @ _projection(len(described), dimensions)
    vector /= max(1e-12, float(np.linalg.norm(vector)))
    return [round(float(value), 7) for value in vector]


def fill_schema(
    schema: Mapping[str, Any], references: Sequence[Picture], shots: Sequence[Picture]
) -> dict[str, Any]:
    """A document of the schema's shape: numbers and texts from comparing the pictures, per member's own name."""
    return {
        str(name): _filled(str(name), part if isinstance(part, dict) else {}, references, shots)
        for name, part in dict(schema.get("properties") or {}).items()
    }


def _filled(
    aspect: str, part: Mapping[str, Any], references: Sequence[Picture], shots: Sequence[Picture]
) -> Any:
    if part.get("type") != "object":
        rating, difference = rate(aspect, references, shots)
        return _value(part, rating, difference)
    rating, difference = rate(aspect, references, shots)
    return {
        str(name): _value(each if isinstance(each, dict) else {}, rating, difference)
        for name, each in dict(part.get("properties") or {}).items()
    }


def _value(part: Mapping[str, Any], rating: int, difference: str) -> Any:
    match part.get("type"):
        case "integer" | "number":
            return rating
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return difference


def rate(aspect: str, references: Sequence[Picture], shots: Sequence[Picture]) -> tuple[int, str]:
    """(0-4, the difference in words) of the best matching reference; 2 when there is nothing to compare."""
    if not references or not shots:
        return 2, "nothing to compare"
    shot = _place(shots[0], aspect)
    described = _described(shot)
    parts = [_place(each, aspect) for each in references]
    cosines = [float(described @ _described(each)) for each in parts]
    best = int(np.argmax(cosines))
    rating = sum(cosines[best] >= step for step in _STEPS)
    if rating == _SAME:
        return rating, "none"
    return rating, f"{_colour(shot)} in the shot, {_colour(parts[best])} in the reference"


def _place(picture: Picture, aspect: str) -> Picture:
    left, right, top, bottom = _PLACES.get(aspect, _ALL)
    height, width = picture.shape[:2]
    part = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return np.ascontiguousarray(part) if min(part.shape[:2]) >= _SMALLEST else picture


def _colour(picture: Picture) -> str:
    """The commonest colour in words: how light, which hue."""
    hsv = cv2.cvtColor(resized(picture, (32, 32)), cv2.COLOR_RGB2HSV).reshape(-1, 3).astype(np.float32)
    vivid = hsv[hsv[:, 1] > 70]  # noqa: PLR2004 - of 255
    light = "dark" if hsv[:, 2].mean() < 90 else "light" if hsv[:, 2].mean() > 175 else "medium"  # noqa: PLR2004
    if len(vivid) < len(hsv) / 5:
        return f"{light} grey"
    counts = np.bincount((vivid[:, 0] * 2 / 45).astype(int) % len(_HUES), minlength=len(_HUES))
    return f"{light} {_HUES[int(counts.argmax())]}"


def _described(picture: Picture) -> Floats:
    """Palette, layout and texture, each centred and of unit length, weighted; together of unit length."""
    small = resized(picture, (_SIDE, _SIDE))
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    told = (_palette(lab), _layout(lab), _texture(small))
    joined = np.concatenate([weight**0.5 * _unit(each) for weight, each in zip(_WEIGHTS, told, strict=True)])
    return np.asarray(joined / max(1e-12, float(np.linalg.norm(joined))), np.float32)


def _palette(lab: Floats) -> Floats:
    """Shares of colours, the middle of the picture counting more; square roots, so that small shares tell too."""
    y, x = np.ogrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    weight = np.exp(-(x * x + y * y)).astype(np.float32).reshape(-1)
    # a and b rarely leave the middle half of their range
    spread = np.clip((lab.reshape(-1, 3) - (0, 64, 64)) / (256, 128, 128), 0, 0.999)
    cells = (spread * _BINS).astype(int)
    index = (cells[:, 0] * _BINS + cells[:, 1]) * _BINS + cells[:, 2]
    counts = np.bincount(index, weights=weight, minlength=_BINS**3).astype(np.float32)
    grid = cv2.GaussianBlur(counts.reshape(_BINS, -1), (3, 1), 0.6)
    return np.asarray(np.sqrt(grid / grid.sum()).reshape(-1), np.float32)


def _layout(lab: Floats) -> Floats:
    thumbnail = cv2.resize(lab, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(thumbnail - thumbnail.mean(axis=(0, 1)), np.float32).reshape(-1)


def _texture(small: Picture) -> Floats:
    """Directions of edges per cell (histograms of oriented gradients, Dalal and Triggs, 2005, without blocks)."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(gx, gy)
    direction = ((np.arctan2(gy, gx) % np.pi) / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    side = _SIDE // _CELLS
    cell = np.arange(_SIDE) // side
    index = (cell[:, None] * _CELLS + cell[None, :]) * _DIRECTIONS + direction
    found = np.bincount(index.reshape(-1), strength.reshape(-1), _CELLS * _CELLS * _DIRECTIONS)
    return np.sqrt(found).astype(np.float32)


def _unit(values: Floats) -> Floats:
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length > 1e-6 else centred * 0, np.float32)  # noqa: PLR2004


@lru_cache(maxsize=4)
def _projection(rows: int, columns: int) -> Floats:
    rng = np.random.default_rng(20_261_122)
    return np.asarray(rng.standard_normal((rows, columns)) / columns**0.5, np.float32)
