"""Logistic regression with smoothed targets and balanced classes, by Newton's method. Small and exact."""

import math
from collections.abc import Callable, Sequence

_RIDGE = 1e-4  # keeps a perfectly separable fit finite
_ROUNDS = 60
_DONE = 1e-9
_LEAST_CURVE = 1e-12

Vector = list[float]
_Derivatives = Callable[[Vector], tuple[Vector, list[Vector]]]


def line(xs: Sequence[float], sames: Sequence[bool], weights: Sequence[float]) -> tuple[float, float]:
    """Return (slope, offset) of the log-odds over one score: Platt's sigmoid. Both classes must have weight."""
    total = sum(weights)
    mean = sum(x * w for x, w in zip(xs, weights, strict=True)) / total
    spread = math.sqrt(sum(w * (x - mean) ** 2 for x, w in zip(xs, weights, strict=True)) / total) or 1.0
    targets, shares = _balanced(sames, weights)
    points = [
        ((x - mean) / spread, target, share)
        for x, target, share in zip(xs, targets, shares, strict=True)
        if share
    ]

    def derivatives(at: Vector) -> tuple[Vector, list[Vector]]:
        slope, offset = at
        pull_x, pull, xx, x1, one = _RIDGE * slope, 0.0, _RIDGE, 0.0, _LEAST_CURVE
        for x, target, weight in points:
            p = _sigmoid(slope * x + offset)
            gap, curve = weight * (p - target), weight * p * (1 - p)
            pull_x += gap * x
            pull += gap
            xx += curve * x * x
            x1 += curve * x
            one += curve
        return [pull_x, pull], [[xx, x1], [x1, one]]

    slope, offset = _newton(derivatives, 2)
    return slope / spread, offset - slope * mean / spread


def plane(rows: Sequence[Sequence[float]], sames: Sequence[bool]) -> tuple[tuple[float, ...], float]:
    """Return (weights, bias) of the log-odds over several values. Both classes must be there."""
    targets, shares = _balanced(sames, [1.0] * len(rows))
    points = list(zip([(*row, 1.0) for row in rows], targets, shares, strict=True))
    size = len(points[0][0])

    def derivatives(at: Vector) -> tuple[Vector, list[Vector]]:
        gradient = [*(_RIDGE * each for each in at[:-1]), 0.0]
        hessian = [[_RIDGE if i == j else 0.0 for j in range(size)] for i in range(size)]
        for row, target, weight in points:
            p = _sigmoid(sum(a * x for a, x in zip(at, row, strict=True)))
            gap, curve = weight * (p - target), weight * p * (1 - p)
            for i in range(size):
                gradient[i] += gap * row[i]
                for j in range(size):
                    hessian[i][j] += curve * row[i] * row[j]
        return gradient, hessian

    solved = _newton(derivatives, size)
    return tuple(solved[:-1]), solved[-1]


def _balanced(sames: Sequence[bool], weights: Sequence[float]) -> tuple[Vector, Vector]:
    """Return Platt's smoothed targets, and weights by which both classes count the same."""
    same = sum(w for w, each in zip(weights, sames, strict=True) if each)
    different = sum(weights) - same
    targets = [(same + 1) / (same + 2) if each else 1 / (different + 2) for each in sames]
    half = (same + different) / 2
    shares = [w * half / (same if each else different) for w, each in zip(weights, sames, strict=True)]
    return targets, shares


def _newton(derivatives: _Derivatives, size: int) -> Vector:
    """Find where the gradient vanishes; a step that would make it larger is halved until it doesn't."""
    at = [0.0] * size
    gradient, hessian = derivatives(at)
    for _ in range(_ROUNDS):
        before = sum(g * g for g in gradient)
        step, scale = _solve(hessian, gradient), 1.0
        while True:
            tried = [a - scale * s for a, s in zip(at, step, strict=True)]
            new_gradient, new_hessian = derivatives(tried)
            if sum(g * g for g in new_gradient) <= before or scale < _DONE:
                break
            scale /= 2
        at, gradient, hessian = tried, new_gradient, new_hessian
        if max(abs(scale * s) for s in step) < _DONE:
            break
    return at


def _solve(matrix: Sequence[Vector], right: Sequence[float]) -> Vector:
    """Solve a small symmetric positive system by elimination with pivoting."""
    size = len(right)
    table = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(table[row][at]))
        table[at], table[pivot] = table[pivot], table[at]
        for row in range(at + 1, size):
            factor = table[row][at] / table[at][at]
            for column in range(at, size + 1):
                table[row][column] -= factor * table[at][column]
    found = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(table[at][column] * found[column] for column in range(at + 1, size))
        found[at] = (table[at][size] - rest) / table[at][at]
    return found


def _sigmoid(z: float) -> float:
    if z >= 0:
        return 1 / (1 + math.exp(-z)) if z < 700 else 1.0  # noqa: PLR2004 - exp() overflows beyond
    grown = math.exp(z)
    return grown / (1 + grown)
