"""From raw values to probabilities, and fitting them to decisions people made."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.calibration import (
    Calibration,
    Calibrations,
    at_prior,
    combine,
    log_odds,
    logit,
    probability,
    sigmoid,
)
from circletake.domain.consistency.fitting import (
    NothingToLearn,
    Sample,
    TooLittleData,
    fit,
    fit_weights,
    starting_point,
)
from circletake.domain.consistency.words import Aspect, EvaluatorId

LIKENESS = EvaluatorId("likeness", "1")
PS = st.floats(0.001, 0.999)


def face(**changed):
    numbers = {"weights": (-21.0, 24.0), "bias": 9.0, **changed}
    return Calibration("likeness@1/face/x", LIKENESS, Aspect.FACE, **numbers)


def decisions(count, *, seed=1, groups=10, slope=1.0, threshold=0.0):
    """Draw decisions whose log-odds truly are slope x (value - threshold)."""
    dice = random.Random(seed)
    found = []
    for at in range(count):
        value = dice.uniform(-4, 4)
        same = dice.random() < sigmoid(slope * (value - threshold))
        found.append(Sample((value,), same, f"character {at % groups}"))
    return found


RAW = starting_point(LIKENESS, Aspect.FACE, (1.0,))


@given(near=st.floats(0, 2), far=st.floats(0, 2), room=st.floats(-1, 1))
def test_a_nearer_face_is_never_less_likely(near, far, room):
    """The probability falls with distance and never leaves its bounds."""
    near, far = sorted((near, far))
    p, q = probability(face(), (near, room)), probability(face(), (far, room))
    assert 0 < q <= p < 1


@given(p=PS, prior=PS)
def test_another_prior_and_back_is_the_same(p, prior):
    """A probability stated at another prior comes back unchanged."""
    assert at_prior(at_prior(p, 0.5, prior), prior, 0.5) == pytest.approx(p)


def test_a_rarer_character_needs_more_evidence():
    """The same values mean less where fewer pairs are the same to begin with, exactly by the prior's odds."""
    values = (0.45, 0.1)
    even, rare = log_odds(face(), values), log_odds(face(), values, prior=0.1)
    assert even - rare == pytest.approx(math.log(9))


def test_no_value_claims_certainty():
    """However far a value lies, the ceiling and the floor are the most that is claimed."""
    sure = face(floor=0.01, ceiling=0.99)
    assert probability(sure, (0.0, 5.0)) == 0.99
    assert probability(sure, (9.0, -9.0)) == 0.01


def test_values_that_do_not_fit_are_refused():
    """Too few values, too many, or none that is a number can't be read as something else."""
    for values in ((0.4,), (0.4, 0.1, 0.2), (math.nan, 0.1), (math.inf, 0.1)):
        with pytest.raises(ValueError, match="likeness@1/face"):
            probability(face(), values)


def test_isotonic_knots_are_followed():
    """Between two knots the probability lies on the line between them, outside it stays at the ends."""
    stepped = face(weights=(1.0,), bias=0.0, knots=((0.0, 0.1), (1.0, 0.5), (2.0, 0.9)))
    for value, p in ((-3, 0.1), (0.5, 0.3), (1.0, 0.5), (9, 0.9)):
        assert probability(stepped, (value,)) == pytest.approx(p)


@pytest.mark.parametrize("knots", [((0.0, 0.5),), ((0.0, 0.5), (0.0, 0.6)), ((0.0, 0.5), (1.0, 0.4))])
def test_knots_that_fall_are_refused(knots):
    """An isotonic calibration rises; anything else is a mistake in the file."""
    with pytest.raises(ValueError, match="knots"):
        face(knots=knots)


@given(p=PS, q=PS, prior=PS)
def test_two_witnesses_are_joined_as_evidence(p, q, prior):
    """Evidence adds up in log-odds, in any order; one that says no more than the prior changes nothing."""
    joined = combine([(p, 1.0), (q, 1.0)], prior)
    assert joined == pytest.approx(combine([(q, 1.0), (p, 1.0)], prior))
    assert combine([(p, 1.0), (prior, 1.0)], prior) == pytest.approx(p)
    assert combine([(p, 1.0), (q, 0.0)], prior) == pytest.approx(p)


def test_two_who_agree_are_surer_than_one():
    """Two evaluators that each say .9 say more together than their average."""
    assert combine([(0.9, 1.0), (0.9, 1.0)]) == pytest.approx(81 / 82)


def test_nothing_can_not_be_combined():
    """No evidence is no probability."""
    with pytest.raises(ValueError, match="nothing"):
        combine([])


def test_stored_calibrations_come_back_whole():
    """What is stored with a production's fit is what is judged by later."""
    own = face(knots=((0.0, 0.1), (1.0, 0.9)), margin=0.3, trust=0.5, names=("a", "b"), source="x")
    assert Calibration.from_json(own.as_json()) == own


def test_a_production_replaces_only_what_it_fitted():
    """A production's own calibration takes the place of the shipped one and leaves the others."""
    hair = Calibration("hair", LIKENESS, Aspect.HAIR, (-1.0,), 0.0)
    own = face(bias=1.0)
    both = Calibrations.of([face(), hair]).replaced([own])
    assert both.get(LIKENESS, Aspect.FACE) == own
    assert both.get(LIKENESS, Aspect.HAIR) == hair


def test_a_fit_finds_what_decisions_mean():
    """From enough decisions the true slope and threshold come back, inside their intervals."""
    many = decisions(3000, slope=1.5, threshold=0.8, groups=40)
    fitted = fit(many, RAW, method="platt")
    at_even_odds = 0.8 + logit(sum(each.same for each in many) / len(many)) / 1.5
    assert fitted.threshold.low < at_even_odds < fitted.threshold.high
    assert fitted.slope.low < 1.5 < fitted.slope.high
    assert fitted.ece < 0.04
    assert not fitted.calibration.provisional


def test_a_fit_does_not_depend_on_the_mix_of_decisions():
    """Many more rejected than circled takes leave the threshold where it is: classes weigh the same."""
    everything = decisions(3000, groups=20)
    fewer = [each for at, each in enumerate(everything) if not each.same or at % 5 == 0]
    one, other = (fit(each, RAW, method="platt") for each in (everything, fewer))
    assert other.threshold.value == pytest.approx(one.threshold.value, abs=0.25)


def test_the_same_decisions_give_the_same_fit():
    """A fit can be repeated to the last digit, intervals included."""
    assert fit(decisions(300), RAW).as_json() == fit(decisions(300), RAW).as_json()


def test_a_new_fit_has_a_new_id():
    """A verdict's calibration can be told from every other."""
    ids = {fit(decisions(300, seed=seed), RAW).calibration.id for seed in range(3)}
    assert len(ids) == 3
    assert all(each.startswith("likeness@1/face/") for each in ids)


@pytest.mark.parametrize(
    ("count", "groups", "missing"),
    [(40, 10, "that are"), (200, 3, "2 more characters"), (0, 1, "30 that are the same")],
)
def test_too_little_is_refused_and_says_how_much_is_missing(count, groups, missing):
    """A few takes don't make a calibration."""
    with pytest.raises(TooLittleData, match=missing):
        fit(decisions(count, groups=groups), RAW)


def test_isotonic_waits_for_a_thousand_of_each():
    """With hundreds of pairs an isotonic fit is refused, and not chosen by itself."""
    with pytest.raises(TooLittleData):
        fit(decisions(1000), RAW, method="isotonic")
    assert fit(decisions(1000), RAW, method="auto").method == "platt"


def test_isotonic_follows_what_no_sigmoid_can():
    """With enough decisions, a plateau in the middle is learnt, and measured better than by the sigmoid."""
    dice = random.Random(5)
    many = []
    for at in range(4000):
        value = dice.uniform(-3, 3)
        truth = 0.03 if value < -1 else 0.5 if value < 1 else 0.97
        many.append(Sample((value,), dice.random() < truth, f"character {at % 12}"))
    fitted = fit(many, RAW, method="auto")
    assert fitted.method == "isotonic"
    assert probability(fitted.calibration, (0.0,)) == pytest.approx(0.5, abs=0.06)
    assert probability(fitted.calibration, (-2.0,)) < 0.08
    ps = [probability(fitted.calibration, (x / 10,)) for x in range(-40, 40)]
    assert ps == sorted(ps)


def test_isotonic_reads_ratings_with_many_ties():
    """A judge's ratings from 0 to 4 repeat; each gets the share of the same among its pairs."""
    dice = random.Random(7)
    ratings = [(float(at % 5), at % 15) for at in range(5000)]
    many = [Sample((each,), dice.random() < each / 4, f"character {group}") for each, group in ratings]
    fitted = fit(many, RAW, method="isotonic").calibration
    assert probability(fitted, (2.0,)) == pytest.approx(0.5, abs=0.06)
    assert probability(fitted, (0.0,)) < 0.01
    assert probability(fitted, (4.0,)) > 0.99


def test_scores_that_say_nothing_make_no_calibration():
    """Decisions that don't follow the scores, or go against them, are refused instead of fitted."""
    with pytest.raises(NothingToLearn):
        fit(decisions(400, slope=-1.0), RAW)
    with pytest.raises(NothingToLearn):
        fit(decisions(400, slope=0.0, seed=3), RAW)


def test_a_separable_set_stays_finite():
    """Decisions without a single contradiction don't make an endless slope."""
    clear = [Sample((float(at % 2),), bool(at % 2), f"c{at % 6}") for at in range(80)]
    fitted = fit(clear, RAW)
    assert 0.9 < probability(fitted.calibration, (1.0,)) < 1
    assert 0 < probability(fitted.calibration, (0.0,)) < 0.1


def test_a_refit_keeps_the_directions_of_several_values():
    """A production's fit stretches and moves the shipped score, it doesn't turn it round."""
    base = face()
    dice = random.Random(2)
    many = []
    for at in range(600):
        values = (dice.uniform(0.2, 0.7), dice.uniform(-0.2, 0.4))
        many.append(Sample(values, dice.random() < sigmoid(0.5 * log_odds(base, values) - 1), f"c{at % 8}"))
    fitted = fit(many, base, method="platt").calibration
    assert fitted.weights[1] / fitted.weights[0] == pytest.approx(-24 / 21)
    assert fitted.weights[0] == pytest.approx(-10.5, rel=0.3)


def test_weights_are_found_from_nothing():
    """For an evaluator nobody has calibrated, each value's weight is fitted."""
    dice = random.Random(4)
    many = []
    for at in range(4000):
        values = (dice.gauss(0, 1), dice.gauss(0, 1), dice.gauss(0, 1))
        same = dice.random() < sigmoid(2 * values[0] - values[1] + 0.0 * values[2])
        many.append(Sample(values, same, f"c{at % 9}"))
    found = fit_weights(many, LIKENESS, Aspect.OVERALL)
    assert found.weights == pytest.approx((2, -1, 0), abs=0.2)
    assert found.bias == pytest.approx(0, abs=0.2)


def test_even_odds_are_even():
    """Log-odds of 0 are a half, and the way back is the way there."""
    assert sigmoid(0.0) == 0.5
    assert sigmoid(logit(0.123)) == pytest.approx(0.123)
    assert sigmoid(-1e9) >= 0
    assert sigmoid(1e9) <= 1
