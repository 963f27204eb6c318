"""On what ground inputs may be used: bases, licences, owned-source mode, and marks that a file carries."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.kinds import InputSlot, RightsBasis
from circletake.domain.permission.marks import inference_refused, read_marks
from circletake.domain.permission.rights import InputRights, Licence, input_violations

TODAY = date(2026, 11, 22)
HASH = "a" * 64
HOLDS = Licence("L-7", TODAY - timedelta(days=30), TODAY, HASH)


def said(rights: InputRights, *, owned_source_only: bool = False, slot: InputSlot = InputSlot.PLATE):
    found = input_violations({slot: rights}, owned_source_only=owned_source_only, on=TODAY)
    return [(each.pointer, each.code) for each in found]


def test_an_unknown_basis_refuses_any_input():
    """Mattes too: the refusal points at the input and says what to record."""
    unknown = InputRights(RightsBasis.UNKNOWN)
    assert said(unknown, slot=InputSlot.MATTE) == [("/inputs/matte", "rights_unknown")]


@pytest.mark.parametrize(
    ("licence", "code"),
    [
        (None, "licence_incomplete"),
        (Licence("L-7", TODAY, None, None), "licence_incomplete"),
        (Licence(None, TODAY, None, HASH), "licence_incomplete"),
        (Licence("L-7", TODAY + timedelta(days=1), None, HASH), "licence_not_begun"),
        (Licence("L-7", TODAY - timedelta(days=9), TODAY - timedelta(days=1), HASH), "licence_ended"),
        (Licence("L-7", TODAY, TODAY, HASH), None),
        (Licence("L-7", TODAY, None, HASH), None),
    ],
)
def test_a_licence_has_a_number_a_document_and_a_term_that_holds_today(licence, code):
    """Its last day is still in the term."""
    found = said(InputRights(RightsBasis.LICENSED, licence))
    assert found == ([] if code is None else [("/inputs/plate", code)])


BASES = st.sampled_from([each for each in RightsBasis if each is not RightsBasis.UNKNOWN])
INPUTS = st.dictionaries(
    st.sampled_from(list(InputSlot)),
    st.tuples(BASES, st.sampled_from([None, "made", "composite"])),
    max_size=4,
)
TYPES = {"made": "trainedAlgorithmicMedia", "composite": "compositeWithTrainedAlgorithmicMedia"}


@settings(max_examples=100)
@given(INPUTS)
def test_owned_source_mode_needs_a_picture_of_ones_own(inputs):
    """A matte is no picture, the public domain isn't enough, and neither is what a model made out of nothing."""
    rights = {
        slot: InputRights(basis, HOLDS, is_output=made is not None, output_type=TYPES.get(made))
        for slot, (basis, made) in inputs.items()
    }
    enough = any(
        slot is not InputSlot.MATTE and basis is not RightsBasis.PUBLIC_DOMAIN and made != "made"
        for slot, (basis, made) in inputs.items()
    )
    found = input_violations(rights, owned_source_only=True, on=TODAY)
    assert bool(found) is not enough
    assert all(each.code == "owned_source_required" and each.pointer.startswith("/inputs") for each in found)


def test_a_mark_against_inference_refuses_unless_it_is_overridden():
    """Whatever the basis: its maker said no, and a rights clearance manager has to say why it may be used."""
    marked = InputRights(RightsBasis.OWNED, inference_refused=True)
    assert said(marked) == [("/inputs/plate", "ai_inference_not_allowed")]
    assert said(InputRights(RightsBasis.OWNED, inference_refused=True, overridden=True)) == []


@pytest.mark.parametrize(
    ("label", "entries", "refused"),
    [
        ("cawg.training-mining", {"cawg.ai_inference": {"use": "notAllowed"}}, True),
        ("c2pa.training-mining", {"c2pa.ai_inference": {"use": "notAllowed"}}, True),
        ("cawg.training-mining__2", {"cawg.ai_inference": {"use": "constrained"}}, True),
        ("cawg.training-mining", {"cawg.ai_inference": {"use": "allowed"}}, False),
        ("cawg.training-mining", {"cawg.ai_training": {"use": "notAllowed"}}, False),
        ("cawg.training-mining", {"cawg.ai_inference": {"use": "NOT_ALLOWED"}}, True),
        ("cawg.training-mining", {"cawg.ai_inference": {"use": "perhaps"}}, True),
        ("cawg.training-mining", {"cawg.ai_inference": 7}, True),
        ("com.example.note", {"cawg.ai_inference": {"use": "notAllowed"}}, False),
        ("cawg.training-mining", ["not", "a", "map"], False),
    ],
)
def test_marks_are_read_as_the_assertions_say(label, entries, refused):
    """`constrained` counts as not allowed, and so does a word nobody knows; a stranger's nonsense is passed over."""
    kept = read_marks([(label, {"entries": entries})]).as_json()
    assert inference_refused(kept) is refused


def test_of_two_marks_the_stricter_holds_and_an_output_of_ones_own_is_free():
    """A tenant's own outputs may be its own references all the same."""
    kept = read_marks(
        [
            ("cawg.training-mining", {"entries": {"cawg.ai_inference": {"use": "allowed"}}}),
            ("c2pa.training-mining", {"entries": {"c2pa.ai_inference": {"use": "notAllowed"}}}),
        ]
    ).as_json()
    assert inference_refused(kept)
    assert not inference_refused({**kept, "own_output": True})
    assert not inference_refused(None)
