"""What is wrong with a picture as a reference, and what circled and rejected takes teach."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.learning import JudgedTake, learn, samples_of
from circletake.domain.consistency.profiles import Learnt
from circletake.domain.consistency.references import choose_face, face_findings, is_open, picture_findings
from circletake.domain.consistency.words import Aspect, Box, EvaluatorId, Reason

FACE, HAIR = Aspect.FACE, Aspect.HAIR
LIKENESS = EvaluatorId("likeness", "1")


@dataclass(frozen=True)
class Face:
    face_px: float = 60.0
    sharpness: float = 0.5
    box: Box = field(default_factory=lambda: Box(0, 0, 100, 100))
    doubts: dict = field(default_factory=dict)


def codes(findings):
    return [each["code"] for each in findings]


def test_one_face_is_the_one_that_is_meant():
    """Nothing is said of it; without a face there is no reference of a human."""
    assert choose_face([Face()], None).figure == 0
    assert choose_face([Face()], None).findings == ()
    nobody = choose_face([], None)
    assert (nobody.figure, codes(nobody.findings), nobody.findings[0]["blocking"]) == (
        None,
        ["no_face"],
        True,
    )


def test_an_extra_far_behind_doesnt_ask_for_a_choice():
    """The large face is taken and the finding can be accepted; a face of its size has to be chosen by a person."""
    taken = choose_face([Face(20), Face(60)], None)
    assert (taken.figure, codes(taken.findings), taken.findings[0]["blocking"]) == (
        1,
        ["several_faces"],
        False,
    )
    rivals = choose_face([Face(50), Face(60)], None)
    assert (rivals.figure, rivals.findings[0]["blocking"]) == (None, True)
    assert [each["figure"] for each in rivals.findings[0]["faces"]] == [0, 1]


def test_a_choice_settles_it():
    """A face that was chosen stands, whatever its size; one that isn't there is no face."""
    chosen = choose_face([Face(20), Face(60)], 0)
    assert chosen.figure == 0
    assert not any(map(is_open, chosen.findings))
    assert codes(choose_face([Face()], 4).findings) == ["no_face"]


@pytest.mark.parametrize(
    ("face", "wrong"),
    [
        (Face(), []),
        (Face(face_px=18), ["too_small"]),
        (Face(face_px=8, doubts={FACE: Reason.FACE_TOO_SMALL}), ["too_small"]),
        (Face(sharpness=0.02), ["blurred"]),
        (Face(doubts={FACE: Reason.TURNED_AWAY}), ["turned_away"]),
        (Face(doubts={FACE: Reason.OCCLUDED}), ["occluded"]),
        (Face(doubts={Aspect.WARDROBE: Reason.OCCLUDED}), []),
    ],
)
def test_a_poor_face_is_told_once_and_may_be_accepted(face, wrong):
    """A close-up without clothes is no poor face."""
    found = face_findings(face)
    assert codes(found) == wrong
    assert not any(each["blocking"] for each in found)


def test_a_small_picture_of_a_thing_is_told():
    """By its shorter side."""
    assert codes(picture_findings(1920, 150)) == ["too_small"]
    assert picture_findings(400, 300) == []


# --- what decisions teach -----------------------------------------------------------------------------------------


def take(name, circled, face, hair=0.9, character="mara"):
    scores = {FACE: face, HAIR: hair, Aspect.PALETTE: 0.01}
    return JudgedTake(name, character, character, circled, scores, (FACE, HAIR))


def test_a_circled_take_is_right_in_all_and_a_rejected_one_wrong_in_its_worst():
    """What doesn't count teaches nothing, and of several people in a rejected take one is blamed."""
    samples = samples_of(
        [
            take("a", True, 0.8),
            take("b", False, 0.3),
            take("c", False, 0.9, hair=0.2),
            take("d", False, 0.4, character="mara"),
            take("d", False, 0.1, character="june"),
        ]
    )
    assert {aspect: [each.same for each in own] for aspect, own in samples.items()} == {
        FACE: [True, False, False],
        HAIR: [True, False],
    }
    assert [each.group for each in samples[FACE] if not each.same] == ["mara", "june"]


def test_too_little_is_refused_aspect_by_aspect():
    """Thirty of each and five who they are about: what lacks is told, what suffices is fitted."""
    judged = [
        take(f"t{number}", number % 2 == 0, 0.9 if number % 2 == 0 else 0.2, character=f"c{number % 7}")
        for number in range(80)
    ] + [take("odd", True, 0.3, character="c1"), take("even", False, 0.8, character="c2")]
    fitted, refused = learn(samples_of(judged), LIKENESS)
    assert set(fitted) == {FACE}
    assert (refused[HAIR].missing_same, refused[HAIR].missing_different) == (0, 30)


@given(
    p=st.floats(0.001, 0.999),
    slope=st.floats(0.3, 3),
    offset=st.floats(-2, 2),
    prior=st.floats(0.2, 0.8),
)
def test_what_was_learnt_keeps_the_order_and_can_be_undone(p, slope, offset, prior):
    """A better score stays a better one, and a later refit finds the shipped scale again."""
    learnt = Learnt(slope, offset)
    said = learnt.apply(p, prior)
    assert 0 < said < 1
    assert learnt.apply(min(0.9999, p + 0.0005), prior) >= said
    if 1e-5 < said < 1 - 1e-5:
        assert learnt.undo(said, prior) == pytest.approx(p, rel=0.01, abs=1e-4)
