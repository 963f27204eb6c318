"""Where faces are in a picture. Runs in a child process only.

dlib's max-margin detector over an image pyramid, coarse to fine: a window of 80 pixels sees faces of an eighth of the
frame in the first pass, a sixteenth in the second, a thirty-second in the third. The finer passes cost four times as
much each and run only while fewer faces were found than are expected.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

_FIRST_SIDE = 640
_PASSES = 3
_STEP = 5 / 6  # between two pyramid levels, as the detector was trained
_LARGEST_UPSCALE = 2.6  # beyond it a face is below the size anything can be said about
_WINDOW = 80
_STRIDE = 8
_OFFSET = 14  # of the first window's centre
_PADDING = 16
_MEAN = (123, 117, 104)
_SMALLEST_LEVEL = 48
_SURE = 0.3
_OVERLAP = 0.4
_CONTAINED = 0.8
_STRIP_PIXELS = 1_500_000
_REACH = 112  # pixels of a level that one score depends on, to either side (80 before, 109 behind)


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face: left, top, right, bottom in pixels (may reach outside), and the detector's score (above 0)."""

    score: float
    edges: tuple[float, float, float, float]

    @property
    def side(self) -> float:
        return self.edges[2] - self.edges[0]


def find_faces(detector: Any, rgb: Any, expected: int) -> list[FaceBox]:
    """Faces in an RGB picture (height, width, 3; uint8), the surest first within each pass."""
    longest = max(rgb.shape[:2])
    largest = min(_LARGEST_UPSCALE, _FIRST_SIDE * 2 ** (_PASSES - 1) / longest)
    scale = min(_FIRST_SIDE / longest, largest)
    found = sweep(detector, rgb, scale, 0.0, 0.0)
    while scale < largest and sum(face.score > _SURE for face in found) < expected:
        seen, scale = scale, min(scale * 2, largest)
        finer = sweep(detector, rgb, scale, seen * 1.05, _SURE)
        found += [face for face in finer if not covered(face, found)]
    return found


def sweep(detector: Any, rgb: Any, scale: float, end: float, threshold: float) -> list[FaceBox]:
    """All levels from `scale` down to `end`, with faces seen twice taken once."""
    candidates = []
    level, at = rgb, 1.0
    while min(rgb.shape[:2]) * scale >= _SMALLEST_LEVEL and scale > end:
        height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
        # each level from the one before: from the frame, the many small ones would cost as much as the network
        level = cv2.resize(
            level, (width, height), interpolation=cv2.INTER_AREA if scale < at else cv2.INTER_LINEAR
        )
        candidates += _level(detector, level, scale, threshold)
        at, scale = scale, scale * _STEP
    candidates.sort(key=lambda face: -face.score)
    kept: list[FaceBox] = []
    for face in candidates:
        if not covered(face, kept):
            kept.append(face)
    return kept


def _level(detector: Any, level: Any, scale: float, threshold: float) -> list[FaceBox]:
    """Faces in one pyramid level, in pixels of the frame, of which it is `scale` times the size."""
    level = cv2.copyMakeBorder(
        level, _PADDING, _PADDING, _PADDING, _PADDING, cv2.BORDER_CONSTANT, value=_MEAN
    )
    scores = _scores(detector, level)
    peaks = (scores > threshold) & (scores >= cv2.dilate(scores, np.ones((3, 3))))
    faces = []
    for row, column in zip(*np.nonzero(peaks), strict=True):
        x = (_STRIDE * column + _OFFSET - _PADDING) / scale
        y = (_STRIDE * row + _OFFSET - _PADDING) / scale
        half = _WINDOW / 2 / scale
        edges = (float(x - half), float(y - half), float(x + half), float(y + half))
        faces.append(FaceBox(float(scores[row, column]), edges))
    return faces


def _scores(detector: Any, level: Any) -> Any:
    """One score per window; a large level goes through in strips, so that memory stays bounded."""
    height, width = level.shape[:2]
    rows = max(_STRIDE * 16, _STRIP_PIXELS // width // _STRIDE * _STRIDE)
    if height <= rows + 2 * _REACH:
        return _run(detector, level)
    strips = []
    for top in range(0, height, rows):
        start, stop = max(0, top - _REACH), min(height, top + rows + _REACH)
        scores = _run(detector, level[start:stop])
        first = (top - start) // _STRIDE
        last = None if stop == height else first + rows // _STRIDE
        strips.append(scores[first:last])
        if stop == height:
            break
    return np.concatenate(strips)


def _run(detector: Any, level: Any) -> Any:
    return detector.run(None, {"input": level[None].astype(np.float32)})[0][0, 0]


def covered(face: FaceBox, others: list[FaceBox]) -> bool:
    left, top, right, bottom = face.edges
    for other in others:
        width = min(right, other.edges[2]) - max(left, other.edges[0])
        height = min(bottom, other.edges[3]) - max(top, other.edges[1])
        if width <= 0 or height <= 0:
            continue
        shared, mine, theirs = width * height, face.side**2, other.side**2
        if shared > _OVERLAP * (mine + theirs - shared) or shared > _CONTAINED * min(mine, theirs):
            return True
    return False
