"""Who accounts for the faces of a picture that is to be altered, and which of them are altered at all."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.consistency.words import Box
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.permission.likeness import (
    SURE,
    Cleared,
    ClearedAs,
    FaceFound,
    Region,
    in_region,
    region_of,
    unaccounted,
)

CAST = {"mara": ["mara/day", "mara/night"], "jon": ["jon/day"]}


def face(left: int = 0, *, share: float = 1.0, eyes: float = 40.0, doubted: bool = False, **likeness: float):
    told = {name.replace("_", "/"): p for name, p in likeness.items()}
    return FaceFound(Box(left, 200, 100, 100), eyes, 1.0, share, doubted=doubted, likeness=told)


def test_every_declared_character_accounts_for_its_own_face():
    """In any look, whoever stands first."""
    assert unaccounted([face(jon_day=0.98), face(200, mara_day=0.1, mara_night=0.97)], CAST) == []


@pytest.mark.parametrize(
    "unsure",
    [
        face(mara_day=SURE - 0.01),
        face(mara_day=0.99, doubted=True),
        face(mara_day=0.99, eyes=9.0),
        face(),
        face(ann_day=0.99),
    ],
    ids=["near", "turned away", "too small", "like nobody", "like somebody undeclared"],
)
def test_what_nobody_can_be_sure_of_is_held(unsure):
    """A likeness that is only probable is a question for a person."""
    assert unaccounted([unsure], CAST) == [0]


def test_two_faces_are_never_one_character():
    """By assignment: the better match is hers, the other one is a twin, a mirror or somebody else."""
    twins = [face(mara_day=0.96), face(200, mara_day=0.99)]
    assert unaccounted(twins, CAST) == [0]
    assert unaccounted([face(mara_day=0.97, jon_day=0.98), face(200, mara_day=0.96)], CAST) == []


LIKENESS = st.dictionaries(st.sampled_from(["mara/day", "mara/night", "jon/day"]), st.floats(0, 1))
FACES = st.lists(
    st.builds(
        lambda told, eyes, doubted: replace(face(eyes=eyes, doubted=doubted), likeness=told),
        LIKENESS,
        st.floats(6, 60),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=100)
@given(FACES, st.sets(st.sampled_from(list(CAST))))
def test_no_more_faces_pass_than_there_are_characters(faces, declared):
    """And each that passes is surely one of those who were declared."""
    cast = {key: CAST[key] for key in declared}
    left = unaccounted(faces, cast)
    passed = [each for place, each in enumerate(faces) if place not in left]
    assert len(passed) <= len(cast)
    assert all(
        max(each.likeness.get(s, 0) for sets in cast.values() for s in sets) >= SURE for each in passed
    )


def test_an_approved_reference_accounts_for_its_own_face_only():
    """Whoever else is in that picture is asked about."""
    both = [face(0, doubted=True), face(300, mara_day=0.99)]
    assert unaccounted(both, CAST, known={"mara": [Box(5, 203, 96, 96)]}) == [1]
    assert unaccounted(both[:1], {"jon": CAST["jon"]}, known={"mara": [both[0].box]}) == [0]


def test_a_cleared_face_isnt_asked_about_again():
    """But as a character only where that character is declared, so that its consents are asked for."""
    unknown = face(40)
    extra = Cleared(Box(42, 201, 98, 98), ClearedAs.NO_LIKENESS)
    elsewhere = Cleared(Box(400, 201, 98, 98), ClearedAs.NO_LIKENESS)
    as_mara = Cleared(unknown.box, ClearedAs.DEPICTED_CHARACTER, "mara")
    assert unaccounted([unknown], {}, cleared=[extra]) == []
    assert unaccounted([unknown], {}, cleared=[elsewhere]) == [0]
    assert unaccounted([unknown], CAST, cleared=[as_mara]) == []
    assert unaccounted([unknown], {"jon": CAST["jon"]}, cleared=[as_mara]) == [0]


def test_which_part_of_an_input_is_altered_follows_how_the_result_is_laid_back():
    """A plate through its matte, an extension at its edges; what a model only looks at, whole."""
    assert region_of(Kind.CLEANUP, InputSlot.PLATE, has_matte=True) is Region.MATTE
    assert region_of(Kind.SET_EXTENSION, InputSlot.PLATE, has_matte=False) is Region.BORDER
    assert region_of(Kind.PREVIS_SHOT, InputSlot.FIRST_FRAME, has_matte=False) is Region.WHOLE
    assert region_of(Kind.CONCEPT_ART, InputSlot.REFERENCE, has_matte=False) is Region.WHOLE
    assert region_of(Kind.ELEMENT, InputSlot.MATTE, has_matte=True) is None


def test_outside_the_matte_nobody_is_altered():
    """What a detector is off by isn't the face; a spot in the middle of it is."""
    assert not in_region(face(share=0.0), Region.MATTE, 1920, 1080)
    assert not in_region(face(share=0.04), Region.MATTE, 1920, 1080)
    assert in_region(face(share=0.08), Region.MATTE, 1920, 1080)


def test_an_extension_goes_on_drawing_whom_its_edge_cuts():
    """Somebody whole in the middle of the plate stays as they are."""
    whole = FaceFound(Box(900, 200, 60, 60), 25, 1.0, 1.0)
    cut = FaceFound(Box(20, 200, 60, 60), 25, 1.0, 1.0)
    low = FaceFound(Box(900, 800, 60, 60), 25, 1.0, 1.0)
    everywhere = {"left": 1, "right": 1, "up": 1, "down": 1}
    assert not in_region(whole, Region.BORDER, 1920, 1080, everywhere)
    assert in_region(cut, Region.BORDER, 1920, 1080)
    assert not in_region(cut, Region.BORDER, 1920, 1080, {"right": 256})
    assert in_region(low, Region.BORDER, 1920, 1080, {"down": 128})
