"""Making pictures with a known answer from the folder's own. `develop` runs in a child, beside the networks.

Faces are located by the evaluator's own detector and landmarks: a face it can't find can't be altered either, so a
detector that misses faces shows in `unmade`, not in the figures of what was made.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from circletake.domain.consistency.words import ShotSize
from circletake.kit.children import ChildPool
from evaluation import edits, pictures
from evaluation.pictures import Face, Rgb

# the face's height in the frame's for each shot size: 2.9 eye distances, in the middle of the size's range
SHARES: Mapping[ShotSize, float] = {
    ShotSize.ECU: 0.70,
    ShotSize.CU: 0.41,
    ShotSize.MCU: 0.25,
    ShotSize.MS: 0.155,
    ShotSize.WS: 0.08,
}


@dataclass(frozen=True, slots=True)
class Half:
    """A picture and what is done to it: (step, how much), in this order. `other` is whom it drifts toward."""

    base: Path
    steps: tuple[tuple[str, float], ...] = ()
    other: Path | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """One picture to make; with `right`, two people beside each other in one frame."""

    target: Path
    left: Half
    right: Half | None = None


Seen = tuple[Rgb, Face]
Step = Callable[[Rgb, Face, float], Seen | None]


def _kept(change: Callable[[Rgb, Face, float], Rgb]) -> Step:
    return lambda rgb, face, amount: (change(rgb, face, amount), face)


def _mirror(rgb: Rgb, face: Face, _: float) -> Seen:
    points = face.points * np.array([-1, 1]) + np.array([rgb.shape[1] - 1, 0])
    return pictures.mirrored(rgb), Face(points[[2, 3, 0, 1, 4]])  # the other eye is on this side now


def _headless(rgb: Rgb, face: Face, _: float) -> Seen | None:
    cut = edits.headless(rgb, face)
    return None if cut is None else (cut, face)


_STEPS: Mapping[str, Step] = {
    "aged": _kept(lambda rgb, face, _: edits.aged(rgb, face)),
    "turned": _kept(edits.turned),
    "covered": _kept(lambda rgb, face, _: edits.covered(rgb, face)),
    "helmet": _kept(lambda rgb, face, _: edits.helmeted(rgb, face)),
    "behind": _kept(lambda rgb, face, _: edits.from_behind(rgb, face)),
    "dyed": _kept(edits.redressed),
    "blurred": _kept(lambda rgb, face, amount: pictures.blurred(rgb, amount * face.apart)),
    "exposed": _kept(lambda rgb, _, stops: pictures.exposed(rgb, stops, noise=3.0 if stops < -1 else 0.0)),
    "jpeg": _kept(lambda rgb, _, quality: pictures.compressed(rgb, int(quality))),
    "warm": _kept(lambda rgb, _, amount: pictures.tinted(rgb, (1 + amount, 1.0, 1 - amount))),
    "mirror": _mirror,
    "headless": _headless,
    "framed": pictures.framed,
    "far": lambda rgb, face, eyes: pictures.framed(rgb, face, 0.05, face_px=eyes),
}


class Maker:
    """Develops recipes in child processes."""

    def __init__(self, pool: ChildPool, weights: Path, jobs: int = 2) -> None:
        self._pool = pool
        self._weights = weights
        self._jobs = jobs
        self.unmade: list[Path] = []

    async def make(self, recipes: Sequence[Recipe]) -> set[Path]:
        """Write what can be made and return it; what can't (no face found, nothing left to see) is in `unmade`."""
        by_base: dict[Path, list[Recipe]] = {}
        for recipe in recipes:
            by_base.setdefault(recipe.left.base, []).append(recipe)
        done = await asyncio.gather(
            *(
                self._pool.run(partial(develop, self._weights, batch), timeout_seconds=300)
                for batch in by_base.values()
            )
        )
        made = {path for batch in done for path in batch}
        self.unmade += [recipe.target for recipe in recipes if recipe.target not in made]
        return made


def develop(weights: Path, recipes: Sequence[Recipe]) -> list[Path]:
    """Write each recipe's picture; return those that could be made."""
    known: dict[Path, Seen | None] = {}
    made = []
    for recipe in recipes:
        left = _half(weights, recipe.left, known)
        right = _half(weights, recipe.right, known) if recipe.right else None
        if left is None or (recipe.right and right is None):
            continue
        rgb = left[0] if right is None else _beside(left[0], right[0])
        made.append(pictures.save(recipe.target, rgb))
    return made


def _half(weights: Path, half: Half, known: dict[Path, Seen | None]) -> Seen | None:
    seen = _located(weights, half.base, known)
    other = _located(weights, half.other, known) if half.other else None
    for name, amount in half.steps:
        if seen is None:
            return None
        if name == "morphed":
            seen = None if other is None else (edits.morphed(*seen, *other, amount), seen[1])
        else:
            seen = _STEPS[name](*seen, amount)
    return seen


def _beside(left: Rgb, right: Rgb) -> Rgb:
    """Two 16:9 frames become one: the middle three fifths of each."""
    height = min(left.shape[0], right.shape[0])
    halves = []
    for rgb in (left, right):
        scaled = pictures.resized(rgb, height / rgb.shape[0])
        margin = scaled.shape[1] // 5
        halves.append(scaled[:height, margin : scaled.shape[1] - margin])
    return np.concatenate(halves, axis=1)


def _located(weights: Path, path: Path, known: dict[Path, Seen | None]) -> Seen | None:
    if path not in known:
        known[path] = _locate(weights, path)
    return known[path]


def _locate(weights: Path, path: Path) -> Seen | None:
    from circletake.adapters.vision.likeness.detection import find_faces
    from circletake.adapters.vision.likeness.landmarks import find_landmarks
    from circletake.adapters.vision.likeness.seeing import networks

    loaded = networks(weights)
    try:
        rgb = pictures.load(path)
    except (OSError, ValueError):
        return None  # the evaluator says what is wrong with it
    found = find_faces(loaded.detector, rgb, 1)
    if not found:
        return None
    points = find_landmarks(loaded.trees, rgb, max(found, key=lambda face: face.side).edges)
    face = Face(np.asarray(points, dtype=np.float64))
    return (rgb, face) if face.apart >= 1 else None
