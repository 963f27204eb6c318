"""One character across shots: breaks, outliers, drift, cuts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.calibration import sigmoid
from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.sequences import SequenceShot, judge_sequence
from circletake.domain.consistency.trends import falling_p_value, robust_z, trend
from circletake.domain.consistency.words import MISMATCH, Reason, Verdict
from tests.unit.consistency_cast import FACE, HAIR, PROFILE, THRESHOLDS, WARDROBE


def judged(**log_odds):
    """Return a shot's judgement by the log-odds of its aspects."""
    by_name = {"face": FACE, "hair": HAIR, "wardrobe": WARDROBE}
    scores = {by_name[name]: sigmoid(z) for name, z in log_odds.items()}
    verdicts = {aspect: THRESHOLDS[aspect].judge(p) for aspect, p in scores.items()}
    broken = tuple(aspect for aspect, verdict in verdicts.items() if verdict is Verdict.FAIL)
    doubt = Verdict.NEEDS_HUMAN if Verdict.NEEDS_HUMAN in verdicts.values() else Verdict.PASS
    verdict = Verdict.FAIL if broken else doubt if scores else Verdict.NOT_ASSESSABLE
    reasons = tuple(MISMATCH[aspect] for aspect in broken)
    worst = min(scores.values(), default=None)
    return MaterialJudgement("ada", verdict, worst, scores, verdicts, reasons=reasons, broken=broken)


def shots(*faces, look="day"):
    return [SequenceShot(f"s{at}", judged(face=z), look) for at, z in enumerate(faces)]


def noisy(level, count, seed=1, spread=1.5):
    dice = random.Random(seed)
    return [level + dice.gauss(0, spread) for _ in range(count)]


def same(count, aspect=FACE, p=0.95):
    return {(i, j): {aspect: p} for i in range(count) for j in range(i + 1, count)}


def test_a_steady_sequence_passes():
    """The same character throughout: no break, no drift, no outlier."""
    found = judge_sequence(shots(*noisy(8, 12)), same(12), PROFILE)
    assert found.verdict is Verdict.PASS
    assert (found.breaks, found.outliers, found.drifts, found.reasons) == ((), (), (), ())
    assert found.likeness > 0.99
    assert found.self_consistency == 0.95


def test_a_planted_intruder_is_the_break_and_named():
    """One stranger among twelve: that shot, in the face, and nothing else."""
    line = noisy(8, 12)
    line[7] = -6.0
    found = judge_sequence(shots(*line), {}, PROFILE)
    assert found.verdict is Verdict.FAIL
    assert [(each.shot, each.aspects) for each in found.breaks] == [("s7", (FACE,))]
    assert [(each.shot, each.broken) for each in found.outliers] == [("s7", True)]
    assert found.drifts == ()
    assert found.reasons == (Reason.IDENTITY_BELOW_THRESHOLD,)


def test_the_references_decide_even_when_most_shots_are_wrong():
    """With the majority replaced by one impostor who is alike throughout, the references still say who is who."""
    line = [-5.0] * 8 + [8.0] * 4
    pairs = same(12, p=0.9)
    found = judge_sequence(shots(*line), pairs, PROFILE)
    assert {each.shot for each in found.breaks} == {f"s{at}" for at in range(8)}


def test_an_outlier_near_enough_to_the_references_is_only_pointed_at():
    """Far from the other shots but still like the references: no break, a person looks."""
    line = noisy(11, 12, spread=0.5)
    line[4] = 1.0
    found = judge_sequence(shots(*line), {}, PROFILE)
    assert found.breaks == ()
    assert [(each.shot, each.broken) for each in found.outliers] == [("s4", False)]
    assert found.verdict is Verdict.NEEDS_HUMAN


def test_slow_drift_is_found_before_anything_breaks():
    """A face that slides away over ten shots is drift, with the shot where it shows; single shots aren't blamed."""
    line = [9 - 0.8 * at + wobble for at, wobble in enumerate(noisy(0, 10, spread=0.4))]
    found = judge_sequence(shots(*line), {}, PROFILE)
    (drift,) = found.drifts
    assert (drift.kind, drift.aspect) == ("slow_drift", FACE)
    assert drift.since in {"s2", "s3", "s4"}
    assert drift.change < -5
    assert found.outliers == ()
    assert found.reasons == (Reason.SLOW_DRIFT,)
    assert found.verdict is Verdict.NEEDS_HUMAN


def test_a_fall_at_once_is_no_slow_drift():
    """From one shot on everything is different: told as a step, from the shot where it begins."""
    line = [*noisy(9, 9, spread=0.5), *noisy(3, 9, seed=2, spread=0.5)]
    found = judge_sequence(shots(*line), {}, PROFILE)
    assert [(each.kind, each.since) for each in found.drifts] == [("step", "s9")]
    assert Reason.SLOW_DRIFT not in found.reasons


def test_outliers_in_a_drifting_line_are_measured_from_the_line():
    """Late shots of a drift aren't outliers; one that falls out of the drifting line is."""
    line = [13 - 0.8 * at + wobble for at, wobble in enumerate(noisy(0, 14, spread=0.3))]
    line[3] -= 9
    found = judge_sequence(shots(*line), {}, PROFILE)
    assert [each.kind for each in found.drifts] == ["slow_drift"]
    assert [each.shot for each in found.outliers] == ["s3"]


def test_steady_sequences_are_rarely_called_drifting():
    """Of 200 steady sequences with the spread measured on real faces at most a few are called drifting."""
    false = sum(
        bool(judge_sequence(shots(*noisy(8, 10, seed=seed, spread=2)), {}, PROFILE).drifts)
        for seed in range(200)
    )
    assert false <= 6


def test_a_change_of_look_is_no_break():
    """New wardrobe in a new look: neither an outlier nor a drift nor a clash in the cut."""
    line = [
        SequenceShot(f"s{at}", judged(face=8, wardrobe=6 if at < 6 else 2), "day" if at < 6 else "night")
        for at in range(12)
    ]
    pairs = {(5, 6): {FACE: 0.95, WARDROBE: 0.01}}
    found = judge_sequence(line, pairs, PROFILE)
    assert (found.verdict, found.outliers, found.drifts) == (Verdict.PASS, (), ())
    assert [(cut.clash, cut.same_look) for cut in found.cuts] == [(False, False)]


def test_wardrobe_that_changes_within_a_look_clashes_in_the_cut():
    """The face says it is she; her wardrobe doesn't go together: a clash in the wardrobe only."""
    line = [SequenceShot(f"s{at}", judged(face=8, wardrobe=4), "day") for at in range(3)]
    pairs = {(0, 1): {FACE: 0.97, WARDROBE: 0.02}, (1, 2): {FACE: 0.97, WARDROBE: 0.9}}
    found = judge_sequence(line, pairs, PROFILE)
    assert [(cut.before, cut.after, cut.clashing) for cut in found.cuts] == [
        ("s0", "s1", (WARDROBE,)),
        ("s1", "s2", ()),
    ]
    assert found.cuts[0].same_identity is Verdict.PASS
    assert found.verdict is Verdict.NEEDS_HUMAN


def test_cuts_are_between_shots_that_show_her():
    """A reverse angle in between is still a cut together; three shots in between aren't."""
    shown = {0, 2, 6}
    line = [SequenceShot(f"s{at}", judged(face=8) if at in shown else None, "day") for at in range(7)]
    found = judge_sequence(line, same(7), PROFILE)
    assert [(cut.before, cut.after, cut.direct) for cut in found.cuts] == [("s0", "s2", False)]
    assert found.shots == 3


def test_shots_that_can_not_be_judged_are_listed():
    """A back of the head is neither a break nor a pass of the sequence."""
    line = [SequenceShot("s0", judged(face=8)), SequenceShot("s1", judged())]
    found = judge_sequence(line, {}, PROFILE)
    assert (found.verdict, found.not_assessable) == (Verdict.PASS, ("s1",))
    assert judge_sequence(line[1:], {}, PROFILE).verdict is Verdict.NOT_ASSESSABLE
    assert judge_sequence([], {}, PROFILE).verdict is Verdict.NOT_ASSESSABLE


def test_every_shot_says_how_like_the_others_it_is():
    """Self-consistency per shot is the median likeness to the others."""
    pairs = {(0, 1): {FACE: 0.9}, (0, 2): {FACE: 0.1}, (1, 2): {FACE: 0.1}}
    found = judge_sequence(shots(8, 8, 8), pairs, PROFILE)
    assert found.per_shot == pytest.approx({"s0": 0.5, "s1": 0.5, "s2": 0.1})


def test_a_shot_stands_once():
    """Two shots of one name can't be told apart in the answer."""
    with pytest.raises(ValueError, match="stands once"):
        judge_sequence([SequenceShot("s", None), SequenceShot("s", None)], {}, PROFILE)


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=9, unique=True))
def test_the_test_for_falling_is_exact(ys):
    """Falling and rising together are sure; reversing the line exchanges them."""
    p, q = falling_p_value(ys), falling_p_value(ys[::-1])
    assert 0 < p <= 1
    assert p + q >= 1


def test_a_perfect_fall_of_six_is_one_in_720():
    """The exact probability, not an approximation."""
    assert falling_p_value([6, 5, 4, 3, 2, 1]) == pytest.approx(1 / 720)
    assert falling_p_value([1, 2, 3, 4, 5, 6]) == pytest.approx(1)
    long = falling_p_value(list(range(20, 0, -1)))
    assert long < 1e-6


@given(slope=st.floats(-3, 3), offset=st.floats(-5, 5), wild=st.integers(0, 8))
def test_a_wild_point_does_not_turn_the_trend(slope, offset, wild):
    """A line stays a line with one point far off."""
    ys = [offset + slope * x for x in range(9)]
    ys[wild] -= 50
    found = trend([float(x) for x in range(9)], ys)
    assert found.slope == pytest.approx(slope, abs=1e-6)


def test_alike_neighbours_make_no_outlier():
    """With neighbours all alike, a small difference isn't called wild."""
    assert robust_z(0.9, [1.0, 1.0, 1.0], least_spread=1.0) == pytest.approx(-0.1)
