"""Every face in the region of a picture that is to be altered. Runs in a child process only.

Judging asks whether somebody is this character, and may miss a face that nothing can be said about. Screening asks
whether anybody is there at all, so it looks harder: at a lower threshold, at twice and three times the size, and until
the smallest face it may find, however many were found before. It looks only around the region, so that this costs what
the region costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.likeness.detection import FaceBox, covered, sweep
from circletake.adapters.vision.likeness.faces import describe_face
from circletake.adapters.vision.likeness.frames import Frame, read_frames
from circletake.adapters.vision.likeness.landmarks import find_landmarks
from circletake.adapters.vision.likeness.packing import pack
from circletake.adapters.vision.likeness.regions import describe_person
from circletake.adapters.vision.likeness.seeing import LEAST_EYES, Networks, networks, same_face
from circletake.adapters.vision.mattes import read_matte
from circletake.domain.consistency.words import Box
from circletake.ports import Figure, Screened, ScreenedFace

THRESHOLD = -0.3  # of the detector's score; judging believes a face of a finer pass from 0.3 on
SMALLEST = 20  # pixels of the frame: the side of the smallest face that is looked for
_WINDOW = 80  # pixels of a level that the detector takes for a face
_FIRST_SIDE = 640
_MOST_PIXELS = 12_000_000  # of the finest level: about eight seconds
_WHITE = 0.02  # of a matte; below it a change can't be seen
_RIM = 0.2  # of a face's box, on every side
_MUCH = 0.3  # of a face's box
_MOSTLY = 0.5  # of a part of the matte
_AGAIN = 0.8  # a pass looks again for faces a little larger than the smallest of the one before


@dataclass(frozen=True, slots=True)
class _Region:
    """The pixels of `Frame.rgb` that are to be altered, with their bounds: left, top, right, bottom."""

    white: Any  # (height, width) of bool; None: all of them
    edges: tuple[int, int, int, int]
    parts: Any = None  # (height, width): the number of the connected part, 0 outside
    areas: Any = None  # pixels of each part, by its number


def screen(folder: Path, path: Path, matte: Path | None, bounds: Bounds) -> Screened:
    """Raises PictureRefused, WeightsFault."""
    loaded = networks(folder)
    frame = next(read_frames(path, [0], bounds))
    region = _region(frame, matte, bounds)
    if region is None:
        return Screened(frame.width, frame.height, ())
    found: list[ScreenedFace] = []
    known: list[Any] = []
    for face in _faces(loaded, frame.rgb, region):
        share = _share(face, region)
        if share <= 0:
            continue
        points = find_landmarks(loaded.trees, frame.rgb, face.edges)
        if any(same_face(points, other) for other in known):
            continue
        known.append(points)
        found.append(ScreenedFace(_figure(loaded, frame, face, points), share))
    return Screened(frame.width, frame.height, tuple(found))


def _region(frame: Frame, matte: Path | None, bounds: Bounds) -> _Region | None:
    """None: the matte alters nothing."""
    height, width = frame.rgb.shape[:2]
    if matte is None:
        return _Region(None, (0, 0, width, height))
    weights, _ = read_matte(matte, bounds)
    white = (weights > _WHITE * 65535).astype(np.float32)
    if white.shape != (height, width):
        white = cv2.resize(white, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    if not rows.size:
        return None
    edges = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    count, parts = cv2.connectedComponents((white > 0).astype(np.uint8))
    return _Region(white > 0, edges, parts, np.bincount(parts.ravel(), minlength=count))


def _faces(loaded: Networks, rgb: Any, region: _Region) -> list[FaceBox]:
    """Faces in and around the region, the large ones first."""
    found: list[FaceBox] = []
    for scale, end, (left, top, right, bottom) in _passes(rgb.shape[1], rgb.shape[0], region.edges):
        cut = np.ascontiguousarray(rgb[top:bottom, left:right])
        for face in sweep(loaded.detector, cut, scale, end, THRESHOLD):
            edges = face.edges
            moved = FaceBox(face.score, (edges[0] + left, edges[1] + top, edges[2] + left, edges[3] + top))
            if not covered(moved, found):
                found.append(moved)
    return found


def _passes(
    width: int, height: int, edges: tuple[int, int, int, int]
) -> Iterator[tuple[float, float, tuple[int, int, int, int]]]:
    """Yield scale, the scale of the pass before, and where to look: around the region as far as a face that this pass
    may find first can reach into it."""
    finest = _WINDOW / SMALLEST
    scale, seen = min(_FIRST_SIDE / max(width, height), finest), 0.0
    while True:
        reach = max(width, height) if not seen else round(1.25 * _WINDOW / (seen * _AGAIN))
        cut = (
            max(0, edges[0] - reach),
            max(0, edges[1] - reach),
            min(width, edges[2] + reach),
            min(height, edges[3] + reach),
        )
        area = (cut[2] - cut[0]) * (cut[3] - cut[1])
        most = max(seen, (_MOST_PIXELS / max(1, area)) ** 0.5)
        scale = min(scale, most)
        if scale <= seen * 1.05:
            return
        yield scale, seen * _AGAIN, cut
        if scale >= finest or scale >= most:
            return
        seen, scale = scale, min(scale * 2, finest)


def _share(face: FaceBox, region: _Region) -> float:
    """How much of the face proper is altered, 0-1; what lies outside the frame doesn't count.

    The middle of the box speaks for the face: its rim is hair, background, and what the detector is off by. A spot of
    the matte that lies in the box for the most part is about this face, however small it is.
    """
    if region.white is None:
        return 1.0
    inset = _RIM * face.side
    left, top, right, bottom = face.edges
    core = _cut(region.white, (left + inset, top + inset, right - inset, bottom - inset))
    box = _cut(region.white, face.edges)
    middle = float(core.mean()) if core.size else 0.0
    whole = float(box.mean()) if box.size else 0.0
    if whole > 0 and _about(face, region):
        return 1.0
    return max(middle, whole) if whole > _MUCH else middle


def _cut(white: Any, edges: tuple[float, float, float, float]) -> Any:
    height, width = white.shape
    left, top, right, bottom = (round(value) for value in edges)
    return white[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]


def _about(face: FaceBox, region: _Region) -> bool:
    """Whether a connected part of the matte lies in the face's box for the most part."""
    around = _cut(region.parts, face.edges)
    inside = np.bincount(around.ravel(), minlength=region.areas.size)
    return bool((inside[1:] > _MOSTLY * region.areas[1:]).any())


def _figure(loaded: Networks, frame: Frame, face: FaceBox, points: Any) -> Figure:
    """A face too small to be described is one all the same: it has no features, so nobody accounts for it by them."""
    side = round(face.side / frame.scale)
    box = Box(round(face.edges[0] / frame.scale), round(face.edges[1] / frame.scale), side, side)
    described = describe_face(loaded.resnet, frame.rgb, points)
    if described.eyes < LEAST_EYES:
        return Figure(box, face.score, described.eyes / frame.scale, described.sharpness, b"")
    looks, doubts = describe_person(frame.rgb, points)
    return Figure(
        box=box,
        confidence=face.score,
        face_px=described.eyes / frame.scale,
        sharpness=described.sharpness,
        features=pack({**looks, **described.features}),
        doubts={**doubts, **described.doubts},
    )
