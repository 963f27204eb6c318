"""Who is who in one frame: the cheapest assignment of rows to columns, where a row may also stay alone.

The Hungarian method with potentials and shortest augmenting paths (Kuhn 1955, Jonker and Volgenant 1987), O(n^3).
"""

import math
from collections.abc import Sequence


def assign(costs: Sequence[Sequence[float]], unassigned: Sequence[float]) -> list[int | None]:
    """Return, per row, its column or None, so that the sum of all costs is smallest.

    `costs[row][column]` may be infinite: never that pair. `unassigned[row]` is what the row costs when it gets no
    column; it must be finite, and says how bad a match a row would rather do without. Raises ValueError for ragged
    rows or costs that aren't numbers.
    """
    if not costs:
        return []
    columns = len(costs[0])
    _check(costs, unassigned, columns)
    # A row's own dummy column is always free, so a pair dearer than it is never chosen: a finite bar is enough.
    bar = 1.0
    table = [
        [min(cost, unassigned[row] + bar) for cost in line]
        + [unassigned[row] if row == other else unassigned[row] + bar for other in range(len(costs))]
        for row, line in enumerate(costs)
    ]
    return [column if column < columns else None for column in _hungarian(table)]


def _check(costs: Sequence[Sequence[float]], unassigned: Sequence[float], columns: int) -> None:
    if len(unassigned) != len(costs):
        raise ValueError("every row needs its cost of staying alone")
    if any(len(line) != columns for line in costs):
        raise ValueError("all rows must have the same number of columns")
    if any(math.isnan(cost) or cost == -math.inf for line in costs for cost in line):
        raise ValueError("a cost must be a number, or infinite for a pair that may not be")
    if not all(map(math.isfinite, unassigned)):
        raise ValueError("the cost of staying alone must be finite")


def _hungarian(table: Sequence[Sequence[float]]) -> list[int]:
    """Return the column of every row of a table with at least as many columns as rows; all costs finite."""
    rows, columns = len(table), len(table[0])
    row_potential = [0.0] * (rows + 1)
    column_potential = [0.0] * (columns + 1)
    owner = [0] * (
        columns + 1
    )  # rows and columns count from 1 here; 0 is nobody, and the start of every path
    for row in range(1, rows + 1):
        owner[0] = row
        came_from = _shortest_path(table, row_potential, column_potential, owner)
        column = came_from.pop()
        while column:
            owner[column] = owner[came_from[column]]
            column = came_from[column]
    found = [0] * rows
    for column in range(1, columns + 1):
        if owner[column]:
            found[owner[column] - 1] = column - 1
    return found


def _shortest_path(
    table: Sequence[Sequence[float]],
    row_potential: list[float],
    column_potential: list[float],
    owner: list[int],
) -> list[int]:
    """Grow a path from the row that owns column 0 to a free column; the free column stands last in the answer."""
    columns = len(column_potential) - 1
    came_from = [0] * (columns + 1)
    nearest = [math.inf] * (columns + 1)
    visited = [False] * (columns + 1)
    at = 0
    while owner[at]:
        visited[at] = True
        row, step, following = owner[at], math.inf, 0
        for column in range(1, columns + 1):
            if visited[column]:
                continue
            reduced = table[row - 1][column - 1] - row_potential[row] - column_potential[column]
            if reduced < nearest[column]:
                nearest[column], came_from[column] = reduced, at
            if nearest[column] < step:
                step, following = nearest[column], column
        for column in range(columns + 1):
            if visited[column]:
                row_potential[owner[column]] += step
                column_potential[column] -= step
            else:
                nearest[column] -= step
        at = following
    return [*came_from, at]
