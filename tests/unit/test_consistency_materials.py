"""What a take's frames say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.materials import (
    MaterialJudgement,
    judge_material,
    second_opinion,
    statistic_of,
)
from circletake.domain.consistency.profiles import Profile, Statistic
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.words import DOUBTS, CharacterKind, Reason, ShotSize, Verdict
from tests.unit.consistency_cast import FACE, HAIR, OVERALL, PROFILE, THRESHOLDS, WARDROBE

MINIMUM, MEDIAN = (
    Profile(each.value, 1, THRESHOLDS, statistic=each) for each in (Statistic.MINIMUM, Statistic.MEDIAN)
)


def one(number=0, *, verdict=None, doubts=None, reasons=(), size=ShotSize.CU, instead=None, **ps):
    """Return a judged frame of Ada; its verdict follows the worst score unless it is given."""
    by_aspect = {"face": FACE, "hair": HAIR, "wardrobe": WARDROBE, "overall": OVERALL}
    scores = {by_aspect[name]: p for name, p in ps.items()}
    worst = min(scores.values(), default=None)
    found = Verdict.NOT_ASSESSABLE if worst is None else THRESHOLDS[FACE].judge(worst)
    return FrameJudgement(
        "ada",
        number,
        verdict or found,
        shot_size=size,
        scores=scores,
        verdicts={aspect: THRESHOLDS[aspect].judge(p) for aspect, p in scores.items()},
        doubts=doubts or {},
        reasons=tuple(reasons),
        instead=instead,
    )


def faces(*ps, **more):
    return [one(at, face=p, **more) for at, p in enumerate(ps)]


def test_a_still_is_its_one_frame():
    """A picture passes, fails or waits for a person exactly as its frame does."""
    for p in (0.9, 0.3, 0.01):
        (frame,) = faces(p)
        assert judge_material([frame], PROFILE).verdict is frame.verdict


def test_the_profile_says_which_statistic_stands_for_the_take():
    """One bad frame of three: fails by the minimum, passes by the median, goes to a person by p05."""
    take = faces(0.9, 0.01, 0.9)
    assert judge_material(take, MINIMUM).verdict is Verdict.FAIL
    assert judge_material(take, MEDIAN).verdict is Verdict.PASS
    assert judge_material(take, PROFILE).verdict is Verdict.NEEDS_HUMAN


def test_two_bad_frames_of_a_few_are_no_accident():
    """The fifth percentile of a few frames is their lowest, and two low ones fail it."""
    assert judge_material(faces(0.9, 0.01, 0.02), PROFILE).verdict is Verdict.FAIL
    assert judge_material(faces(0.9, 0.01), PROFILE).verdict is Verdict.FAIL


def test_one_frame_of_a_hundred_is_below_the_fifth_percentile():
    """With many frames a single bad one doesn't fail the take; it is still the worst frame."""
    take = faces(*[0.9] * 60, 0.01, *[0.9] * 39)
    judged = judge_material(take, PROFILE)
    assert judged.verdict is Verdict.PASS
    assert judged.worst_frame == 60
    assert judge_material(faces(*[0.9] * 90, *[0.01] * 10), PROFILE).verdict is Verdict.FAIL


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=60))
def test_statistics_are_in_order(ps):
    """The minimum is never above the fifth percentile, nor that above the median."""
    low, p05, median = (statistic_of(ps, each) for each in Statistic)
    assert low <= p05 <= median <= max(ps)


def test_the_drift_curve_has_every_frame_with_its_gaps():
    """The curve is the worst counted aspect per frame; where nothing could be judged there is a gap."""
    take = [
        one(0, face=0.9, wardrobe=0.7),
        one(12, doubts={FACE: Reason.TURNED_AWAY}),
        one(24, face=0.8),
    ]
    judged = judge_material(take, PROFILE)
    assert judged.drift_curve == ((0, 0.7), (12, None), (24, 0.8))
    assert judged.worst_frame == 0
    assert judged.unseen == {Reason.TURNED_AWAY: 1}
    assert judged.observed == {FACE: 2, WARDROBE: 1}


def test_any_aspect_that_fails_fails_the_take_and_is_named():
    """The right aspect is named, the identity first."""
    judged = judge_material([one(face=0.01, hair=0.9, wardrobe=0.01)], PROFILE)
    assert judged.verdict is Verdict.FAIL
    assert judged.broken == (FACE, WARDROBE)
    assert judged.reasons == (Reason.IDENTITY_BELOW_THRESHOLD, Reason.WARDROBE_MISMATCH)
    assert judged.score == 0.01


def test_a_take_whose_face_is_never_seen_is_not_assessable():
    """Hair and wardrobe that fit don't say who it is; why the face can't be judged is said."""
    hidden = {FACE: Reason.TURNED_AWAY}
    judged = judge_material([one(at, hair=0.9, wardrobe=0.9, doubts=hidden) for at in range(3)], PROFILE)
    assert (judged.verdict, judged.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.TURNED_AWAY,))
    assert judged.verdicts[HAIR] is Verdict.PASS


def test_a_face_seen_too_rarely_goes_to_a_person():
    """One frame of ten shows the face: no pass in silence for the rest."""
    take = [one(0, face=0.99), *(one(at, doubts={FACE: Reason.BLURRED}) for at in range(1, 10))]
    judged = judge_material(take, PROFILE)
    assert (judged.verdict, judged.reasons) == (Verdict.NEEDS_HUMAN, (Reason.BLURRED,))


def test_a_reference_at_the_start_of_a_shot_is_legitimate():
    """A keyframe that starts a clip repeats the reference; a clip that repeats it throughout is pasted."""
    copied = {"face": 0.99, "reasons": (Reason.COPY_PASTE_SUSPECTED,), "verdict": Verdict.NEEDS_HUMAN}
    started = [one(0, **copied), *(one(at, face=0.95) for at in range(1, 6))]
    assert judge_material(started, PROFILE).verdict is Verdict.PASS
    pasted = [one(at, **copied) for at in range(6)]
    assert judge_material(pasted, PROFILE).reasons == (Reason.COPY_PASTE_SUSPECTED,)
    assert judge_material(pasted, PROFILE).verdict is Verdict.NEEDS_HUMAN


def test_swapped_people_fail_a_take_whose_faces_pass():
    """Everybody recognised, but in each other's place: failed for that reason."""
    swapped = {
        "face": 0.99,
        "reasons": (Reason.SWAPPED_CHARACTERS,),
        "verdict": Verdict.FAIL,
        "instead": "bea",
    }
    judged = judge_material([one(at, **swapped) for at in range(3)], PROFILE)
    assert (judged.verdict, judged.reasons, judged.instead) == (
        Verdict.FAIL,
        (Reason.SWAPPED_CHARACTERS,),
        "bea",
    )


def test_a_slow_slide_within_a_take_is_named():
    """A likeness that falls steadily is told, even where every frame still passes."""
    judged = judge_material(faces(*[0.9999, 0.999, 0.995, 0.99, 0.97, 0.93, 0.85, 0.7]), PROFILE)
    assert Reason.SLOW_DRIFT in judged.reasons
    assert Reason.SLOW_DRIFT not in judge_material(faces(*[0.99, 0.9] * 4), PROFILE).reasons


def test_a_creature_passes_by_its_whole_likeness():
    """What carries the identity depends on the kind of character."""
    take = [one(at, overall=0.9) for at in range(3)]
    assert judge_material(take, PROFILE, CharacterKind.CREATURE).verdict is Verdict.PASS
    assert judge_material(take, PROFILE, CharacterKind.HUMAN).verdict is Verdict.NOT_ASSESSABLE


def test_the_size_that_most_frames_have_sets_the_bar():
    """Thresholds of a take are those of its framing."""
    take = [one(0, face=0.9, size=ShotSize.WS), *(one(at, face=0.9, size=ShotSize.ECU) for at in (1, 2))]
    assert judge_material(take, PROFILE).shot_size is ShotSize.ECU


FRAMES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"face": st.floats(0.001, 0.999)}),
        st.fixed_dictionaries({"hair": st.floats(0.001, 0.999)}),
        st.fixed_dictionaries({"doubts": st.sampled_from(sorted(DOUBTS)).map(lambda why: {FACE: why})}),
    ),
    min_size=1,
    max_size=12,
)


@given(frames=FRAMES, statistic=st.sampled_from(Statistic))
def test_no_take_passes_without_its_face(frames, statistic):
    """Whatever the frames hold, a pass has a face that passed; anything else has a reason."""
    profile = Profile("any", 1, THRESHOLDS, statistic=statistic)
    judged = judge_material([one(at, **each) for at, each in enumerate(frames)], profile)
    if judged.verdict is Verdict.PASS:
        assert judged.scores[FACE] >= 0.5
    else:
        assert judged.reasons
    if not any("face" in each or "hair" in each for each in frames):
        assert judged.verdict is Verdict.NOT_ASSESSABLE
    assert MaterialJudgement.from_json(judged.as_json()).as_json() == judged.as_json()


def test_a_second_opinion_settles_what_was_in_doubt():
    """A judge that is sure moves a take out of doubt, either way."""
    doubtful = judge_material([one(face=0.4, hair=0.9)], PROFILE)
    assert second_opinion(doubtful, {FACE: 0.95}, PROFILE).verdict is Verdict.PASS
    failed = second_opinion(doubtful, {FACE: 0.02}, PROFILE)
    assert (failed.verdict, failed.reasons) == (Verdict.FAIL, (Reason.IDENTITY_BELOW_THRESHOLD,))
    assert second_opinion(doubtful, {FACE: 0.4}, PROFILE).verdict is Verdict.NEEDS_HUMAN


def test_a_second_opinion_changes_nothing_that_was_clear():
    """What passed or failed stands, and what nobody saw isn't seen by being talked about."""
    for take in ([one(face=0.9)], [one(face=0.01)], [one(doubts={FACE: Reason.OCCLUDED})]):
        judged = judge_material(take, PROFILE)
        assert second_opinion(judged, {FACE: 0.5}, PROFILE) == judged
    clear_hair = judge_material([one(face=0.4, hair=0.9)], PROFILE)
    assert second_opinion(clear_hair, {HAIR: 0.01, FACE: 0.95}, PROFILE).verdict is Verdict.PASS


def test_a_second_opinion_does_not_wave_a_copy_through():
    """A suspected copy stays a person's matter."""
    copied = one(face=0.4, reasons=(Reason.COPY_PASTE_SUSPECTED,), verdict=Verdict.NEEDS_HUMAN)
    judged = second_opinion(judge_material([copied], PROFILE), {FACE: 0.99}, PROFILE)
    assert (judged.verdict, judged.reasons) == (Verdict.NEEDS_HUMAN, (Reason.COPY_PASTE_SUSPECTED,))


def test_frames_of_two_subjects_are_refused():
    """A verdict is on one subject, over at least one frame."""
    with pytest.raises(ValueError, match="several subjects"):
        judge_material([one(), FrameJudgement("bea", 0, Verdict.PASS)], PROFILE)
    with pytest.raises(ValueError, match="at least one frame"):
        judge_material([], PROFILE)
