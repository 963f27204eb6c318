"""The figures of the evaluation: checked against counting by hand."""

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
    eer,
    intervals,
    measure,
    tar_at_far,
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


@given(rows=ROWS, far=st.sampled_from([0.0, 0.001, 0.1, 0.5]))
def test_tar_at_far_is_the_best_of_all_thresholds(rows, far):
    """Among thresholds that let at most that share of different pairs in, the one that accepts most."""
    same = [score for score, is_same in rows if is_same]
    different = [score for score, is_same in rows if not is_same]
    best = 0.0
    for threshold in {score for score, _ in rows}:
        if sum(score >= threshold for score in different) / len(different) <= far:
            best = max(best, sum(score >= threshold for score in same) / len(same))
    assert tar_at_far(scored(rows), far) == pytest.approx(best)


def test_perfect_and_useless_scores():
    """A perfect order has no error, a reversed one nothing else, equal scores are a coin."""
    right = scored([(0.9, True), (0.8, True), (0.2, False), (0.1, False)])
    wrong = [Scored(1 - row.score, row.same) for row in right]
    flat = [Scored(0.5, row.same) for row in right]
    assert (auc(right), eer(right)) == (1.0, 0.0)
    assert (auc(wrong), eer(wrong)) == (0.0, 1.0)
    assert (auc(flat), eer(flat)) == (0.5, 0.5)


def test_equal_error_is_where_both_errors_meet():
    """One of four refused and one of four accepted is a quarter."""
    same, different = (0.9, 0.8, 0.7, 0.3), (0.6, 0.2, 0.1, 0.0)
    rows = scored([*((p, True) for p in same), *((p, False) for p in different)])
    assert eer(rows) == pytest.approx(0.25)


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


def test_intervals_come_from_people_not_pairs():
    """The same pairs from fewer people are less certain; without groups there is no interval at all."""
    dice = random.Random(2)

    def drawn(people, each):
        rows = []
        for person in range(people):
            shift = dice.gauss(0, 0.6)
            rows += [
                Scored(shift + dice.gauss(at % 2, 1), bool(at % 2), (f"p{person}",)) for at in range(each)
            ]
        return rows

    few, many = (intervals(drawn(*size), [auc], resamples=100)[0] for size in ((6, 100), (100, 6)))
    assert few.high - few.low > many.high - many.low
    assert many.low < many.value < many.high
    alone = intervals([Scored(row.score, row.same) for row in drawn(6, 10)], [auc])[0]
    assert (alone.low, alone.high) == (None, None)


def test_all_figures_at_once():
    """The summary has every figure, with counts and people, under the names of the evaluation."""
    rows = [Scored(at / 100, at >= 50, (f"p{at % 5}",)) for at in range(100)]
    found = measure(rows, probabilities=True, resamples=30).as_json()
    assert set(found) == {
        *("same", "different", "people", "auc", "eer", "tar_far_1e-2", "tar_far_1e-3", "ece", "brier")
    }
    assert (found["same"], found["different"], found["people"]) == (50, 50, 5)
    assert found["auc"]["value"] == 1.0


def test_one_class_alone_is_refused():
    """Without a single different pair nothing can be said about telling them apart."""
    with pytest.raises(OneClassOnly):
        measure(scored([(0.5, True), (0.6, True)]), probabilities=True)
