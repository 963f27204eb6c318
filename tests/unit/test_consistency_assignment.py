"""Who is who by assignment: the cheapest one, with the choice to stay alone."""

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.assignment import assign

COSTS = st.integers(0, 5).flatmap(
    lambda columns: st.lists(
        st.lists(
            st.one_of(st.integers(-50, 50).map(float), st.just(math.inf)),
            min_size=columns,
            max_size=columns,
        ),
        min_size=1,
        max_size=4,
    )
)


def total(costs, unassigned, found):
    return sum(unassigned[row] if column is None else costs[row][column] for row, column in enumerate(found))


def cheapest(costs, unassigned):
    """Try every way there is."""
    rows, columns = len(costs), len(costs[0])
    places = [*range(columns), *[None] * rows]
    return min(total(costs, unassigned, found) for found in permutations(places, rows))


@given(costs=COSTS, data=st.data())
def test_nothing_cheaper_exists(costs, data):
    """The assignment costs as little as the best of all there are, and no figure is given twice."""
    unassigned = data.draw(
        st.lists(st.integers(-50, 50).map(float), min_size=len(costs), max_size=len(costs))
    )
    found = assign(costs, unassigned)
    taken = [column for column in found if column is not None]
    assert len(taken) == len(set(taken))
    assert total(costs, unassigned, found) == pytest.approx(cheapest(costs, unassigned))


def test_a_greedy_choice_is_not_taken():
    """Somebody goes without their nearest figure when that makes the whole frame fit better."""
    assert assign([[1.0, 2.0], [1.1, 9.0]], [10.0, 10.0]) == [1, 0]


def test_more_people_than_figures_leaves_the_least_alike_alone():
    """With one figure for two people the better match has it."""
    assert assign([[3.0], [1.0]], [5.0, 5.0]) == [None, 0]


def test_a_bad_match_is_no_match():
    """A figure dearer than staying alone is left to nobody."""
    assert assign([[7.0, math.inf]], [5.0]) == [None]


def test_an_empty_frame_leaves_everybody_alone():
    """Nobody to assign, or nobody to be assigned to, is no error."""
    assert assign([], []) == []
    assert assign([[], []], [1.0, 1.0]) == [None, None]


@pytest.mark.parametrize(
    ("costs", "unassigned"),
    [
        ([[1.0], [1.0, 2.0]], [1.0, 1.0]),
        ([[1.0]], []),
        ([[math.nan]], [1.0]),
        ([[-math.inf]], [1.0]),
        ([[1.0]], [math.inf]),
    ],
)
def test_costs_that_are_none_are_refused(costs, unassigned):
    """Ragged tables and costs that aren't numbers are an error of the caller's, and said so."""
    with pytest.raises(ValueError, match=r"cost|columns|row"):
        assign(costs, unassigned)
