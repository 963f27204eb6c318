"""The drift curve: scores over shots, with the two limits, gaps where nothing could be assessed, and the trend."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.continuity import ink
from circletake.adapters.vision.lettering import Lettering
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell, ContinuityRow

_BREAKS, _DOUBTFUL = (54, 30, 30), (48, 42, 32)
_TREND_FROM = 3  # points


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a row's scores: at cell `index` it is `start + index * slope`."""

    start: float
    slope: float

    def at(self, index: float) -> float:
        return self.start + index * self.slope


def trend_of(row: ContinuityRow) -> Trend | None:
    """Fit the trend (least squares) of a row that drifts; single breaks don't bend it."""
    points = [
        (index, cell.score)
        for index, cell in enumerate(row.cells)
        if cell.score is not None and cell.verdict != Verdict.FAIL
    ]
    if not row.slow_drift or len(points) < _TREND_FROM:
        return None
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    return Trend(start, slope)


def height_of(score: float, box: Box) -> int:
    """The row of pixels of a score, 0 at the bottom of the box and 1 near its top."""
    inner = box.height - 10
    return box.top + 5 + round((1 - min(1.0, max(0.0, score))) * (inner - 1))


def draw_ground(canvas: Any, row: ContinuityRow, box: Box) -> None:
    """Draw the panel with the zones under the two limits."""
    ink.fill(canvas, box, ink.PANEL)
    for limit, zone in ((row.pass_from, _DOUBTFUL), (row.fail_below, _BREAKS)):
        if limit is not None:
            top = height_of(limit, box)
            ink.fill(canvas, Box(box.left, top, box.width, box.bottom - top), zone)
    for limit, colour in ((row.pass_from, ink.GREEN), (row.fail_below, ink.DULL_RED)):
        if limit is not None:
            level = height_of(limit, box)
            ink.dashes(canvas, (box.left, level), (box.right - 1, level), colour, dash=6)


def draw_limits(letters: Lettering, row: ContinuityRow, box: Box) -> None:
    """Name the two limits at the curve's beginning."""
    for limit, word, colour in ((row.pass_from, "pass", ink.GREEN), (row.fail_below, "fail", ink.DULL_RED)):
        if limit is not None:
            top = max(box.top, height_of(limit, box) - 17)
            letters.line(f"{word} {limit:.2f}", (box.left + 4, top), 14, colour)


def draw_curve(
    canvas: Any, cells: Sequence[ContinuityCell], centres: Sequence[int], box: Box, *, radius: int = 6
) -> None:
    """Draw one point per assessed cell at its centre, joined where neighbours have scores."""
    points = _points(cells, centres, box)
    _join(canvas, points)
    for index, (cell, point) in enumerate(zip(cells, points, strict=True)):
        if point is None:
            _gap(canvas, centres, index, box)
        else:
            _point(canvas, cell.verdict, point, box, radius)


def draw_course(
    canvas: Any, cells: Sequence[ContinuityCell], edges: Sequence[int], box: Box, *, radius: int = 9
) -> None:
    """Draw a long row small: a broken shot is a red bar over the whole height, however many shots there are.

    Cell i reaches from `edges[i]` to `edges[i + 1]`.
    """
    spans = list(pairwise(edges))
    for (left, right), cell in zip(spans, cells, strict=True):
        if cell.verdict == Verdict.NOT_ASSESSABLE:
            gap = Box(left, box.top + 4, max(2, right - left), box.height - 8)
            ink.hatch(canvas, gap, (78, 78, 84), every=8, thickness=1)
    points = _points(cells, [(left + right) // 2 for left, right in spans], box)
    _join(canvas, points)
    marked = [(span, cell, point) for span, cell, point in zip(spans, cells, points, strict=True)]
    for (left, right), cell, point in marked:
        if cell.verdict == Verdict.NEEDS_HUMAN:
            centre = (left + right) // 2
            _point(canvas, cell.verdict, point or (centre, box.top + box.height // 2), box, radius - 5)
    broken = [span for span, cell, _ in marked if cell.verdict == Verdict.FAIL]
    for left, right in broken:
        width = min(14, max(5, right - left - 2))
        ink.fill(canvas, Box((left + right - width) // 2, box.top, width, box.height), ink.RED)
    for left, right in broken:
        ink.cross_badge(canvas, ((left + right) // 2, box.top + 2), radius)


def _points(
    cells: Sequence[ContinuityCell], centres: Sequence[int], box: Box
) -> list[tuple[int, int] | None]:
    return [
        None if cell.score is None else (centre, height_of(cell.score, box))
        for cell, centre in zip(cells, centres, strict=True)
    ]


def _join(canvas: Any, points: Sequence[tuple[int, int] | None]) -> None:
    for one, other in pairwise(points):
        if one is not None and other is not None:
            cv2.line(canvas, one, other, (168, 172, 170), 2, cv2.LINE_AA)


def _gap(canvas: Any, centres: Sequence[int], index: int, box: Box) -> None:
    half = min(40, max(2, (centres[-1] - centres[0]) // max(1, len(centres) - 1) // 3))
    left, right = max(box.left, centres[index] - half), min(box.right, centres[index] + half)
    ink.hatch(
        canvas, Box(left, box.top + 4, right - left, box.height - 8), (66, 66, 71), every=9, thickness=1
    )


def _point(canvas: Any, verdict: str, point: tuple[int, int], box: Box, radius: int) -> None:
    if verdict == Verdict.FAIL:
        foot = (point[0], box.bottom - 2)
        ink.dashes(canvas, point, foot, ink.RED, dash=4, thickness=2)
        ink.cross_badge(canvas, point, radius + 5)
    elif verdict == Verdict.NEEDS_HUMAN:
        corners = [(0, -radius - 4), (radius + 4, 0), (0, radius + 4), (-radius - 4, 0)]
        shape = np.array([(point[0] + x, point[1] + y) for x, y in corners], np.int32)
        cv2.fillConvexPoly(canvas, shape, ink.AMBER, cv2.LINE_AA)
    else:
        colour = ink.GREEN if verdict == Verdict.PASS else ink.GREY
        cv2.circle(canvas, point, radius, colour, cv2.FILLED, cv2.LINE_AA)


def draw_trend(
    canvas: Any, trend: Trend, indexes: tuple[float, float], across: tuple[int, int], box: Box
) -> None:
    """Draw the trend from one cell's index to another's."""
    ends = [(x, height_of(trend.at(index), box)) for index, x in zip(indexes, across, strict=True)]
    ink.dashes(canvas, ends[0], ends[1], ink.BLUE, dash=12, thickness=3)
