"""Script breakdowns: the rules that one holds whoever wrote it, whose words are whose, and what becomes a shot."""

from dataclasses import replace
from typing import Any

import pytest

from circletake.domain.language.apply import kept_shots, shot_notes, shot_row
from circletake.domain.language.breakdown import (
    Breakdown,
    Framing,
    Named,
    ProposedShot,
    Scene,
    Setting,
    breakdown_problems,
    changes,
    completed,
    numbered,
    origins,
    sequence_code,
    shot_codes,
)
from circletake.domain.shot_import import plan_import
from circletake.domain.shots import ShotValues

SCENE = Scene("12A", "EXT. QUAY - DAY", Setting.EXTERIOR, "QUAY", "DAY", None, ("MARA",), ("rope",))
SHOT = ProposedShot(
    "SC012A_0010", "12A", "Mara ties the boat.", Framing.MS, "static", ("MARA",), ("rope",), "Wet."
)
WHOLE = Breakdown((SCENE,), (Named("MARA", "30s"),), (Named("rope"),), (Named("QUAY"),), (SHOT,))


def problems(**parts: Any) -> set[tuple[str, str]]:
    return {(each.pointer, each.code) for each in breakdown_problems(replace(WHOLE, **parts))}


def test_it_comes_back_from_storage_as_it_was():
    """Nothing is lost on the way through JSON."""
    assert Breakdown.from_json(WHOLE.as_json()) == WHOLE
    assert Breakdown.from_json(Breakdown().as_json()) == Breakdown()


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ({}, set()),
        ({"scenes": (SCENE, SCENE)}, {("/scenes/1/number", "doubled_number")}),
        ({"scenes": (replace(SCENE, number="12 A"),), "shots": ()}, {("/scenes/0/number", "bad_number")}),
        ({"scenes": (replace(SCENE, number="1" * 17),), "shots": ()}, {("/scenes/0/number", "bad_number")}),
        ({"scenes": (replace(SCENE, heading=""),)}, {("/scenes/0/heading", "empty")}),
        ({"scenes": (replace(SCENE, heading="x" * 201),)}, {("/scenes/0/heading", "too_long")}),
        ({"scenes": (replace(SCENE, location="MOON"),)}, {("/scenes/0/location", "unknown_name")}),
        ({"scenes": (replace(SCENE, summary="\0"),)}, {("/scenes/0/summary", "bad_character")}),
        ({"characters": (Named("MARA"), Named("mara "))}, {("/characters/1/name", "doubled_name")}),
        (
            {"props": ()},
            {("/scenes/0/props/0", "unknown_name"), ("/shots/0/props/0", "unknown_name")},
        ),
        ({"shots": (SHOT, SHOT)}, {("/shots/1/code", "doubled_code")}),
        ({"shots": (replace(SHOT, code="a shot"),)}, {("/shots/0/code", "bad_code")}),
        ({"shots": (replace(SHOT, scene="13"),)}, {("/shots/0/scene", "unknown_scene")}),
        ({"shots": (replace(SHOT, description="x" * 2_000),)}, set()),
        ({"shots": (replace(SHOT, description="x" * 2_001),)}, {("/shots/0/description", "too_long")}),
        (
            {"shots": (replace(SHOT, characters=("MARA", "Mara")),)},
            {("/shots/0/characters/1", "doubled_name")},
        ),
        ({"shots": tuple(replace(SHOT, code=f"S{n}") for n in range(400))}, set()),
        ({"shots": tuple(replace(SHOT, code=f"S{n}") for n in range(401))}, {("/shots", "too_many")}),
        ({"locations": (Named("QUAY"), *(Named(str(n)) for n in range(200)))}, {("/locations", "too_many")}),
    ],
)
def test_its_rules_point_to_what_is_wrong(parts, found):
    """Unique names, known names, lengths and counts, each at its edge."""
    assert problems(**parts) == found


def test_each_entry_says_whose_words_it_is():
    """The model's, the model's that a person changed, a person's own; moving an entry changes nothing about it."""
    own = replace(SHOT, code="MINE_0010")
    now = replace(WHOLE, shots=(own, replace(SHOT, notes=None)), characters=(Named("MARA", "40s"),))
    assert origins(WHOLE, now)["shots"] == ["person", "model_edited"]
    assert origins(WHOLE, now)["characters"] == ["model_edited"]
    assert origins(WHOLE, now)["scenes"] == ["model"]
    assert changes(WHOLE, now) == {
        "shots": {"added": 1, "changed": 1, "removed": 0},
        "characters": {"added": 0, "changed": 1, "removed": 0},
    }
    assert changes(WHOLE, WHOLE) == {}


def test_scenes_keep_their_printed_numbers_and_get_free_ones():
    """A number that is printed twice, or that no code can hold, isn't kept."""
    assert numbered(["12A", "", "12A", "2", "12 A", None]) == ["12A", "1", "3", "2", "4", "5"]


def test_shots_are_numbered_within_their_scenes():
    """As studios number them, in tens; the scene is the sequence."""
    assert shot_codes(["12A", "3", "12A"]) == ["SC012A_0010", "SC003_0010", "SC012A_0020"]
    assert [sequence_code(each) for each in ("7", "1234B", "X")] == ["SC007", "SC1234B", "SC_X"]


def test_names_that_a_model_forgot_to_list_are_listed():
    """Only once, whatever their case; and what it did list stays as it is."""
    half = replace(WHOLE, characters=(), props=(Named("Rope", "wet"),), locations=())
    whole = completed(half)
    assert breakdown_problems(whole) == []
    assert whole.characters == (Named("MARA"),)
    assert whole.props == (Named("Rope", "wet"),)


def test_a_kept_shot_becomes_a_row_of_an_import():
    """Its notes say what the breakdown knows; the scene is its sequence unless another is named."""
    row = shot_row(0, SHOT, sequence=None, episode="E01")
    assert (row.line, row.code, row.given["sequence"], row.given["episode"]) == (
        1,
        "SC012A_0010",
        "SC012A",
        "E01",
    )
    assert row.given["notes"] == (
        "Mara ties the boat.\n\nSize: MS\nCamera: static\nCharacters: MARA\nProps: rope\n\nWet."
    )
    assert shot_notes(replace(SHOT, size=None, camera=None, characters=(), props=(), notes=None)) == (
        "Mara ties the boat."
    )
    places, missing = kept_shots(WHOLE, ["SC012A_0010", "NOT_THERE"])
    assert places == [0]
    assert [(each.pointer, each.code) for each in missing] == [("/shots/1", "unknown_shot")]


def test_a_shot_that_is_there_already_is_never_changed_by_a_breakdown():
    """The same again is unchanged; another text under the code is refused."""
    row = shot_row(0, SHOT, sequence=None, episode=None)
    same = ShotValues(sequence="SC012A", notes=shot_notes(SHOT), frame_in=1001, frame_out=1100)
    known = {"SC012A": None}
    assert plan_import([row], {}, {}, [], only_new=True).count("created") == 1
    assert plan_import([row], {row.code: same}, known, [], only_new=True).count("unchanged") == 1
    [refused] = plan_import([row], {row.code: replace(same, notes="By hand.")}, known, [], only_new=True).rows
    assert [each.code for each in refused.violations] == ["code_taken"]
