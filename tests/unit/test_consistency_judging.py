"""Is this still her, in one frame: who is who, and what every aspect says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.judging import judge_frame
from circletake.domain.consistency.profiles import Profile, Threshold
from circletake.domain.consistency.subjects import FrameJudgement, Subject
from circletake.domain.consistency.words import Aspect, Box, CharacterKind, Reason, ShotSize, Verdict
from tests.unit.consistency_cast import (
    CALIBRATIONS,
    EYE,
    FACE,
    HAIR,
    OTHER_EYE,
    OVERALL,
    PROFILE,
    THRESHOLDS,
    WARDROBE,
    Said,
    figure,
    frame,
)

ADA, BEA = Subject("ada"), Subject("bea")
HIDDEN = {FACE: Reason.TURNED_AWAY}


def judge(subjects, seen, said, profile=PROFILE, **more):
    return judge_frame(subjects, seen, said.by(), CALIBRATIONS, profile, **more)


def test_a_likeness_in_every_aspect_passes():
    """A face, hair and wardrobe like the references are a pass without a reason, with box and shot size."""
    (ada,) = judge([ADA], frame(figure()), Said().like("ada", face=0.99, hair=0.9, wardrobe=0.9))
    assert (ada.verdict, ada.reasons, ada.figure) == (Verdict.PASS, (), 0)
    assert (ada.box, ada.shot_size) == (Box(100, 100, 200, 200), ShotSize.MCU)
    assert ada.scores[FACE] == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("aspect", "reason"),
    [
        ("face", Reason.IDENTITY_BELOW_THRESHOLD),
        ("hair", Reason.HAIR_MISMATCH),
        ("wardrobe", Reason.WARDROBE_MISMATCH),
    ],
)
def test_the_aspect_that_broke_is_named(aspect, reason):
    """One broken aspect fails the frame and is the only reason given."""
    ps = {"face": 0.99, "hair": 0.9, "wardrobe": 0.9, aspect: 0.01}
    (ada,) = judge([ADA], frame(figure()), Said().like("ada", **ps))
    assert (ada.verdict, ada.reasons) == (Verdict.FAIL, (reason,))


def test_a_score_near_the_threshold_goes_to_a_person():
    """Between failing and passing nobody decides but a person."""
    (ada,) = judge([ADA], frame(figure()), Said().like("ada", face=0.99, hair=0.4, wardrobe=0.9))
    assert (ada.verdict, ada.reasons) == (Verdict.NEEDS_HUMAN, (Reason.NEAR_THRESHOLD,))


def test_a_single_threshold_has_a_band_around_it():
    """Where failing and passing meet, the profile's band keeps a zone for a person."""
    sharp = {aspect: Threshold(0.5, 0.5) for aspect in Aspect}
    for p, verdict in ((0.55, Verdict.NEEDS_HUMAN), (0.7, Verdict.PASS), (0.3, Verdict.FAIL)):
        profile = Profile("sharp", 1, sharp, band=0.5)
        assert judge([ADA], frame(figure()), Said().like("ada", face=p), profile)[0].verdict is verdict


def test_thresholds_follow_the_shot_size():
    """A close-up may be judged more strictly than the rest."""
    strict = Profile("strict", 1, THRESHOLDS, {ShotSize.ECU: {FACE: Threshold(0.2, 0.999)}})
    said = Said().like("ada", face=0.99)
    assert judge([ADA], frame(figure(face_px=300)), said, strict)[0].verdict is Verdict.NEEDS_HUMAN
    assert judge([ADA], frame(figure(face_px=100)), said, strict)[0].verdict is Verdict.PASS


def test_two_people_are_told_apart_by_likeness_not_by_order():
    """Whoever stands left, everybody gets their own figure, even when a greedy choice would not."""
    said = Said().like("ada", 0, face=0.6).like("ada", 1, face=0.9)
    said.like("bea", 0, face=0.001).like("bea", 1, face=0.95)
    ada, bea = judge([ADA, BEA], frame(figure(100), figure(900)), said)
    assert (ada.figure, bea.figure) == (0, 1)


def test_extras_count_against_nobody():
    """Strangers beside her change nothing."""
    said = Said().like("ada", 1, face=0.99).like("ada", 0, face=0.01).like("ada", 2, face=0.02)
    (ada,) = judge([ADA], frame(figure(0), figure(500), figure(900)), said)
    assert (ada.verdict, ada.figure, ada.reasons) == (Verdict.PASS, 1, ())


def test_an_expected_character_replaced_by_a_stranger_fails():
    """The shot is hers, the only face isn't: that is the break one looks for."""
    (ada,) = judge([ADA], frame(figure()), Said().like("ada", face=0.01))
    assert (ada.verdict, ada.reasons) == (Verdict.FAIL, (Reason.IDENTITY_BELOW_THRESHOLD,))


def test_an_unexpected_character_is_not_looked_for_in_strangers():
    """Somebody who needn't be there isn't failed for another's face."""
    (ada,) = judge([Subject("ada", expected=False)], frame(figure()), Said().like("ada", face=0.01))
    assert (ada.verdict, ada.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.NO_DETECTION,))


def test_an_unexpected_character_is_found_when_there():
    """A plausible face is hers, expected or not."""
    (ada,) = judge([Subject("ada", expected=False)], frame(figure()), Said().like("ada", face=0.97))
    assert ada.verdict is Verdict.PASS


def test_another_cast_members_face_is_not_hers():
    """A face that fits somebody else of the cast better isn't given to a character who needn't be there."""
    said = Said().like("ada", face=0.3).like("bea", face=0.99)
    (ada,) = judge([Subject("ada", expected=False)], frame(figure()), said)
    assert ada.figure is None


def test_somebody_else_in_her_place_is_named():
    """Another cast member's face where hers is expected: failed, and it says whose face it is."""
    said = Said().like("ada", face=0.01).like("bea", face=0.99)
    (ada,) = judge([ADA], frame(figure()), said)
    assert ada.verdict is Verdict.FAIL
    assert Reason.SWAPPED_CHARACTERS in ada.reasons
    assert ada.instead == "bea"


def test_another_look_of_herself_is_nobody_else():
    """Two looks of one character share her face: neither stands in the other's place, both get her figure."""
    looks = {"ada in red": "ada", "ada in blue": "ada"}
    said = Said().like("ada in red", face=0.3, wardrobe=0.9).like("ada in blue", face=0.99, wardrobe=0.01)
    alone = Subject("ada in red", expected=False, identity="ada")
    (ada,) = judge([alone], frame(figure()), said, identities=looks)
    assert (ada.figure, ada.instead) == (0, None)
    both = [Subject(key, identity="ada") for key in looks]
    red, blue = judge(both, frame(figure()), said)
    assert (red.figure, blue.figure) == (0, 0)
    assert blue.reasons == (Reason.WARDROBE_MISMATCH,)


def test_swapped_places_are_found_where_places_are_known():
    """Ada belongs left and Bea right; seen the other way round, both are swapped."""
    said = Said().like("ada", 1, face=0.99).like("ada", 0, face=0.01)
    said.like("bea", 0, face=0.99).like("bea", 1, face=0.01)
    seen = frame(figure(100), figure(900))
    for judged in judge([Subject("ada", place=0), Subject("bea", place=1)], seen, said):
        assert (judged.verdict, judged.reasons) == (Verdict.FAIL, (Reason.SWAPPED_CHARACTERS,))
    for judged in judge([ADA, BEA], seen, said):
        assert judged.verdict is Verdict.PASS


def test_two_dressed_as_each_other_are_swapped_and_the_face_says_who_is_who():
    """Each wears what the other should: the face decides who it is, the wardrobe is the break."""
    said = Said().like("ada", 0, face=0.99, wardrobe=0.01).like("ada", 1, face=0.01, wardrobe=0.95)
    said.like("bea", 1, face=0.99, wardrobe=0.01).like("bea", 0, face=0.01, wardrobe=0.95)
    ada, bea = judge([ADA, BEA], frame(figure(100), figure(900)), said)
    assert (ada.figure, bea.figure) == (0, 1)
    for judged in (ada, bea):
        assert judged.verdict is Verdict.FAIL
        assert judged.reasons == (Reason.WARDROBE_MISMATCH, Reason.SWAPPED_CHARACTERS)


def test_the_same_person_twice_is_looked_at_by_a_person():
    """Two figures that both pass for her: a mirror or a mistake, a person says which."""
    said = Said().like("ada", 0, face=0.99).like("ada", 1, face=0.98)
    (ada,) = judge([ADA], frame(figure(100), figure(900)), said)
    assert (ada.verdict, ada.reasons) == (Verdict.NEEDS_HUMAN, (Reason.WRONG_CHARACTER_COUNT,))


def test_a_twin_of_the_cast_is_not_the_same_person_twice():
    """A second face that passes for her but is another's is just the other."""
    said = Said().like("ada", 0, face=0.99).like("ada", 1, face=0.9)
    said.like("bea", 0, face=0.3).like("bea", 1, face=0.99)
    (ada,) = judge([ADA], frame(figure(100), figure(900)), said)
    assert (ada.verdict, ada.reasons) == (Verdict.PASS, ())


def test_nobody_left_for_an_expected_character():
    """Two expected, one seen: the other can't be judged, and the count is said to be wrong."""
    said = Said().like("ada", face=0.99).like("bea", face=0.01)
    ada, bea = judge([ADA, BEA], frame(figure()), said)
    assert ada.verdict is Verdict.PASS
    assert bea.verdict is Verdict.NOT_ASSESSABLE
    assert bea.reasons == (Reason.NO_DETECTION, Reason.WRONG_CHARACTER_COUNT)


def test_an_empty_frame_can_not_be_judged():
    """No figure at all: not assessable, with the reason, and no aspect passed in silence."""
    (ada,) = judge([ADA], frame(), Said())
    assert (ada.verdict, ada.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.NO_DETECTION,))
    assert set(ada.verdicts.values()) == {Verdict.NOT_ASSESSABLE}


def test_the_back_of_her_head_is_no_pass_even_when_hair_and_wardrobe_fit():
    """What was seen is judged, who it is isn't: not assessable, with the reason."""
    seen = frame(figure(doubts=HIDDEN))
    (ada,) = judge([ADA], seen, Said().like("ada", hair=0.99, wardrobe=0.99))
    assert (ada.verdict, ada.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.TURNED_AWAY,))
    assert ada.verdicts[HAIR] is ada.verdicts[WARDROBE] is Verdict.PASS


def test_the_wrong_wardrobe_is_seen_from_behind_when_nobody_else_is_there():
    """Alone in the frame it must be her, so her wardrobe may fail; among others a person looks."""
    said = Said().like("ada", hair=0.9, wardrobe=0.01)
    assert judge([ADA], frame(figure(doubts=HIDDEN)), said)[0].verdict is Verdict.FAIL
    (ada,) = judge([ADA], frame(figure(doubts=HIDDEN), figure(900)), said.like("ada", 1, face=0.001))
    assert (ada.verdict, ada.reasons) == (
        Verdict.NEEDS_HUMAN,
        (Reason.WARDROBE_MISMATCH, Reason.TURNED_AWAY),
    )


def test_a_figure_from_behind_is_hers_before_a_strangers_face_is():
    """Over her shoulder at a stranger: the stranger's face isn't taken for hers."""
    said = Said().like("ada", 0, hair=0.9, wardrobe=0.9).like("ada", 1, face=0.001)
    (ada,) = judge([ADA], frame(figure(doubts=HIDDEN), figure(900)), said)
    assert (ada.verdict, ada.figure) == (Verdict.NOT_ASSESSABLE, 0)


def test_what_little_a_hidden_face_says_counts_little():
    """A half hidden face measures far off; it is hers all the same before a stranger's clear face is."""
    said = Said().like("ada", 0, face=0.0005).like("ada", 1, face=0.02)
    (ada,) = judge([ADA], frame(figure(doubts={FACE: Reason.OCCLUDED}), figure(900)), said)
    assert (ada.verdict, ada.figure) == (Verdict.NOT_ASSESSABLE, 0)


def test_extras_from_behind_are_not_taken_for_somebody_who_need_not_be_there():
    """The back of a stranger's head in another's clothes isn't hers to fail."""
    seen = frame(figure(doubts=HIDDEN))
    (ada,) = judge([Subject("ada", expected=False)], seen, Said().like("ada", hair=0.05, wardrobe=0.01))
    assert (ada.verdict, ada.figure) == (Verdict.NOT_ASSESSABLE, None)


def test_a_doubted_aspect_is_not_judged_although_there_are_values():
    """Whatever was measured on an occluded face, it is no evidence."""
    seen = frame(figure(doubts={FACE: Reason.OCCLUDED}))
    (ada,) = judge([ADA], seen, Said().like("ada", face=0.01, wardrobe=0.9))
    assert (ada.verdict, ada.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.OCCLUDED,))
    assert FACE not in ada.scores


@given(
    face_px=st.floats(0, 12.99),
    ps=st.dictionaries(st.sampled_from(["face", "hair", "wardrobe"]), st.floats(0.0001, 0.9999)),
    others=st.integers(0, 2),
)
def test_a_face_below_the_minimum_never_fails_and_never_passes(face_px, ps, others):
    """Too small to tell is said, whatever the numbers are."""
    seen = frame(figure(face_px=face_px), *(figure(900, face_px=face_px) for _ in range(others)))
    (ada,) = judge([ADA], seen, Said().like("ada", **ps))
    assert ada.verdict is Verdict.NOT_ASSESSABLE
    assert Reason.FACE_TOO_SMALL in ada.reasons


@given(
    data=st.data(),
    count=st.integers(0, 3),
    expected=st.booleans(),
)
def test_nothing_observed_is_never_a_pass(data, count, expected):
    """A pass always has a face that was seen, of the right size, without a doubt, and that passed."""
    said, figures = Said(), []
    for at in range(count):
        doubted = data.draw(st.sampled_from([None, Reason.BLURRED, Reason.TURNED_AWAY]))
        figures.append(
            figure(
                at * 400,
                face_px=data.draw(st.sampled_from([5.0, 80.0])),
                doubts={FACE: doubted} if doubted else {},
            )
        )
        for key in ("ada", "bea"):
            aspects = data.draw(st.sets(st.sampled_from(["face", "hair", "wardrobe"])))
            said.like(key, at, **{name: data.draw(st.floats(0.001, 0.999)) for name in aspects})
    subjects = [Subject("ada", expected=expected), Subject("bea", expected=expected)]
    judged = judge(subjects, frame(*figures), said)
    taken = [each.figure for each in judged if each.figure is not None]
    assert len(taken) == len(set(taken))
    for each in judged:
        if each.verdict is Verdict.PASS:
            own = figures[each.figure]
            assert each.scores[FACE] >= 0.5
            assert FACE not in own.doubts
            assert own.face_px >= 13
        if each.verdict is not Verdict.PASS:
            assert each.reasons
        assert FrameJudgement.from_json(each.as_json()).as_json() == each.as_json()


def test_a_pasted_reference_is_no_consistency():
    """A picture that repeats a reference can't pass by itself."""
    said = Said().like("ada", copy=0.97, face=0.999, hair=0.99, wardrobe=0.99)
    (ada,) = judge([ADA], frame(figure()), said)
    assert (ada.verdict, ada.reasons) == (Verdict.NEEDS_HUMAN, (Reason.COPY_PASTE_SUSPECTED,))


def test_a_creature_is_judged_by_the_whole_frame():
    """Without a face the whole subject is what likeness means, found where the evaluator says."""
    dog = Subject("dog", CharacterKind.CREATURE)
    where = Box(10, 20, 300, 200)
    for p, verdict, reasons in (
        (0.9, Verdict.PASS, ()),
        (0.3, Verdict.NEEDS_HUMAN, (Reason.NEAR_THRESHOLD,)),
        (0.01, Verdict.FAIL, (Reason.LIKENESS_BELOW_THRESHOLD,)),
    ):
        (judged,) = judge([dog], frame(), Said().like("dog", -1, box=where, overall=p))
        assert (judged.verdict, judged.reasons, judged.box) == (verdict, reasons, where)


def test_a_creature_that_need_not_be_there_is_not_failed():
    """Nothing like it in the frame is no detection, unless somebody said it had to be there."""
    dog = Subject("dog", CharacterKind.CREATURE, expected=False)
    (judged,) = judge([dog], frame(), Said().like("dog", -1, overall=0.01))
    assert (judged.verdict, judged.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.NO_DETECTION,))


def test_a_creature_nobody_compared_is_not_passed():
    """Without a match there is no verdict on it."""
    (judged,) = judge([Subject("dog", CharacterKind.CREATURE)], frame(), Said())
    assert judged.verdict is Verdict.NOT_ASSESSABLE


def test_people_are_not_judged_by_the_whole_frame():
    """A palette of the whole frame is told for a person, but doesn't decide."""
    said = Said().like("ada", face=0.99).like("ada", -1, overall=0.01)
    (ada,) = judge([ADA], frame(figure()), said)
    assert ada.verdict is Verdict.PASS
    assert ada.scores[OVERALL] == pytest.approx(0.01)


def test_two_evaluators_are_joined_as_evidence():
    """What two evaluators say is added up; an evaluator nobody calibrated is no evidence at all."""
    one, other = Said().like("ada", face=0.9), Said().like("ada", face=0.9)
    evidence = {**one.by(EYE), **other.by(OTHER_EYE)}
    (ada,) = judge_frame([ADA], frame(figure()), evidence, CALIBRATIONS, PROFILE)
    assert ada.scores[FACE] == pytest.approx(81 / 82)
    unknown = {**one.by(EYE), **other.by(type(EYE)("stranger", "1"))}
    (ada,) = judge_frame([ADA], frame(figure()), unknown, CALIBRATIONS, PROFILE)
    assert ada.scores[FACE] == pytest.approx(0.9)


def test_every_subject_may_have_a_profile_of_its_own():
    """A stricter profile for one character leaves the other's alone."""
    said = Said().like("ada", 0, face=0.9).like("bea", 1, face=0.9)
    said.like("ada", 1, face=0.01).like("bea", 0, face=0.01)
    strict = Profile("strict", 1, {aspect: Threshold(0.2, 0.99) for aspect in Aspect})
    ada, bea = judge([ADA, BEA], frame(figure(), figure(900)), said, {"ada": PROFILE, "bea": strict})
    assert (ada.verdict, bea.verdict) == (Verdict.PASS, Verdict.NEEDS_HUMAN)


def test_a_subject_is_asked_for_once():
    """Two subjects of one key are a mistake of the caller's."""
    with pytest.raises(ValueError, match="own key"):
        judge([ADA, ADA], frame(), Said())
