"""What a fit is worth: figures checked against counting by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.metrics import (
    OneClassOnly,
    Scored,
    auc,
    balanced_brier,
    balanced_ece,
    bootstrap,
    percentiles,
)

ROWS = st.lists(
    st.tuples(st.integers(0, 8).map(lambda x: x / 8), st.booleans()), min_size=2, max_size=30
).filter(lambda rows: len({same for _, same in rows}) == 2)


def scored(rows):
    return [Scored(score, same) for score, same in rows]


@given(rows=ROWS)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    """Counted over every same pair against every different one; ties are half right."""
    same = [score for score, is_same in rows if is_same]
    different = [score for score, is_same in rows if not is_same]
    right = sum((a > b) + (a == b) / 2 for a in same for b in different)
    assert auc(scored(rows)) == pytest.approx(right / len(same) / len(different))


def test_perfect_and_useless_scores():
    """A perfect order ranks all pairs right, a reversed one none, equal scores are a coin."""
    right = scored([(0.9, True), (0.8, True), (0.2, False), (0.1, False)])
    wrong = [Scored(1 - row.score, row.same) for row in right]
    flat = [Scored(0.5, row.same) for row in right]
    assert (auc(right), auc(wrong), auc(flat)) == (1.0, 0.0, 0.5)


def test_calibration_is_judged_with_both_classes_weighing_half():
    """A thousand different pairs don't drown ten same ones that were all called unlikely."""
    rows = scored([(0.05, False)] * 1000 + [(0.05, True)] * 10)
    assert balanced_ece(rows) == pytest.approx(0.45)
    assert balanced_brier(rows) == pytest.approx((0.05**2 + 0.95**2) / 2)


def test_honest_probabilities_have_little_error():
    """Scores drawn as true probabilities come out as calibrated."""
    dice = random.Random(1)
    rows = []
    for _ in range(20000):
        p = dice.random()
        rows.append(Scored(p, dice.random() < p))
    assert balanced_ece(rows) < 0.02


def test_people_are_drawn_not_pairs():
    """All pairs of a person come and go together; a pair of two people counts as often as both were drawn."""
    groups = [("a",), ("a",), ("b",), ("c",), ("a", "b")]
    drawn = bootstrap(groups, 50, seed=1)
    assert len(drawn) == 50
    for weights in drawn:
        assert weights[0] == weights[1]
        assert weights[4] == weights[0] * weights[2]
        assert weights[0] + weights[2] + weights[3] == 3
    assert drawn == bootstrap(groups, 50, seed=1)
    assert drawn != bootstrap(groups, 50, seed=2)


def test_no_interval_is_made_up():
    """From two people, or from a handful of draws, there is no interval."""
    assert bootstrap([("a",), ("b",)], 50, seed=1) == []
    assert percentiles([0.1] * 5) == (None, None)
    assert percentiles([at / 1000 for at in range(1001)]) == pytest.approx((0.025, 0.975), abs=0.002)


def test_one_class_alone_is_refused():
    """Without a single different pair nothing can be said about telling them apart."""
    for figure in (auc, balanced_ece, balanced_brier):
        with pytest.raises(OneClassOnly):
            figure(scored([(0.5, True), (0.6, True)]))
