# ruff: noqa: PLR2004 - the numbers are proportions of a body
"""Cut a person whose face was found into regions: skin, hair, torso.

Regions follow from the five landmarks: lengths are in units of the distance between the eyes. What belongs to the
person is told from the background by colour (two rounds of histogram posteriors, no network).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.likeness.palettes import to_lab, to_linear

_LEAST = 2  # pixels between the eyes, below which landmarks coincide
UNIT = 12  # pixels between the eyes at which regions are measured
_EVEN = 0.5  # more probably the person than the background
_LEFT, _UP, _RIGHT, _DOWN = 6, 4, 6, 8  # how far the cut reaches from between the eyes, in eye distances


@dataclass(frozen=True, slots=True)
class Places:
    """Where a person's parts are expected, as masks of the cut."""

    face: Any
    skin: Any
    hair: Any
    crown: Any  # above the forehead, where a hat would be
    torso: Any
    likely: Any  # more probably the person than not
    sure: Any
    away: Any


@dataclass(frozen=True, slots=True)
class Person:
    """A person cut out of a frame at UNIT pixels between the eyes; all masks are of the cut's shape."""

    rgb: Any
    inside: Any  # what lies inside the frame
    skin: Any
    hair: Any
    crown: Any
    torso: Any
    person: Any


def cut_person(rgb: Any, landmarks: Any) -> Person | None:
    """Regions around (5, 2) landmarks (two per eye, then the nose's base); None for landmarks that coincide."""
    left, right = landmarks[:2].mean(0), landmarks[2:4].mean(0)
    eyes = float(np.linalg.norm(left - right))
    if eyes < _LEAST:
        return None
    cut, inside = _cut(rgb, (left + right) / 2, eyes)
    places = expected_places()
    person = _foreground(cut, inside, places)
    hair = places.hair & person & inside
    return Person(
        rgb=cut,
        inside=inside,
        skin=places.skin & inside,
        hair=hair,
        crown=hair & places.crown,
        torso=places.torso & person & inside,
        person=person & inside,
    )


@cache
def expected_places() -> Places:
    """The parts' usual places, from upright people seen from the front; dy grows downwards."""
    rows, columns = np.mgrid[0 : (_UP + _DOWN) * UNIT, 0 : (_LEFT + _RIGHT) * UNIT].astype(np.float32)
    dx, dy = columns / UNIT - _LEFT, rows / UNIT - _UP
    face = (dx / 1.05) ** 2 + ((dy - 0.55) / 1.45) ** 2 < 1
    head = (dx / 1.75) ** 2 + ((dy + 0.05) / 2.35) ** 2 < 1
    torso = (dy > 2.35) & (dy < 6.0) & (np.abs(dx) < 1.0 + 0.55 * (dy - 2.0)) & (np.abs(dx) < 2.4)
    crown = dy < -0.75
    return Places(
        face=face,
        skin=(dx / 0.85) ** 2 + ((dy - 0.55) / 1.0) ** 2 < 1,
        hair=head & ~face & (dy < 0.6) & (crown | (np.abs(dx) > 1.0)),
        crown=crown,
        torso=torso,
        likely=head | torso,
        sure=((dy > 2.9) & (dy < 5.2) & (np.abs(dx) < 0.7)) | face,
        away=(np.abs(dx) > 3.8) | (dy < -2.9) | ((np.abs(dx) > 2.4) & (dy < 1.2)),
    )


def _cut(rgb: Any, centre: Any, eyes: float) -> tuple[Any, Any]:
    """The person's surroundings at UNIT pixels between the eyes, black where the frame ends, and what is inside."""
    scale = UNIT / eyes
    height, width = rgb.shape[:2]
    # cut before scaling: a small figure in a large frame costs what the figure costs
    x0, x1 = int(max(0, centre[0] - (_LEFT + 1) * eyes)), int(min(width, centre[0] + (_RIGHT + 1) * eyes) + 1)
    y0, y1 = int(max(0, centre[1] - (_UP + 1) * eyes)), int(min(height, centre[1] + (_DOWN + 1) * eyes) + 1)
    near = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    size = max(1, round(near.shape[1] * scale)), max(1, round(near.shape[0] * scale))
    small = cv2.resize(near, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    to = np.array([_LEFT * UNIT, _UP * UNIT]) - np.round((centre - (x0, y0)) * scale)
    shape = ((_UP + _DOWN) * UNIT, (_LEFT + _RIGHT) * UNIT)
    out = np.zeros((*shape, 3), np.uint8)
    inside = np.zeros(shape, bool)
    left, top = int(to[0]), int(to[1])
    rows = slice(max(0, top), max(0, min(shape[0], top + small.shape[0])))
    columns = slice(max(0, left), max(0, min(shape[1], left + small.shape[1])))
    out[rows, columns] = small[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    inside[rows, columns] = True
    return out, inside


def _foreground(cut: Any, inside: Any, places: Places) -> Any:
    """Which pixels are the person: posteriors of colour histograms, learnt from where a person is expected."""
    lab = to_lab(to_linear(cut))
    bins = np.clip((lab / (100, 140, 140) + (0, 0.5, 0.5)) * (10, 18, 18), 0, (9, 17, 17)).astype(np.int64)
    cells = (bins[..., 0] * 18 + bins[..., 1]) * 18 + bins[..., 2]
    prior = np.where(places.likely, 0.65, 0.2).astype(np.float32)
    prior[places.away] = 0.02
    prior[places.sure] = 0.97
    belief = prior * inside
    for _ in range(2):
        ours = _density(cells, belief)
        theirs = _density(cells, (1 - belief) * inside)
        odds = prior / (1 - prior) * (ours / theirs)[cells]
        belief = cv2.GaussianBlur((odds / (1 + odds)).astype(np.float32), (0, 0), 1.0) * inside
    return belief > _EVEN


def _density(cells: Any, weight: Any) -> Any:
    counts = np.bincount(cells.ravel(), weight.ravel(), minlength=10 * 18 * 18).astype(np.float32)
    cube = counts.reshape(10, 18, 18)
    for axis in range(3):
        cube = _smooth(cube, axis)
    flat = cube.ravel() + 0.02
    return flat / flat.sum()


def _smooth(cube: Any, axis: int) -> Any:
    """A (1 2 1) / 4 filter along one axis, edges repeated."""
    padded = np.pad(cube, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    take = [np.take(padded, range(k, k + cube.shape[axis]), axis) for k in range(3)]
    return (take[0] + 2 * take[1] + take[2]) / 4
