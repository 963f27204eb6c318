"""What the files of batches say, before anything is looked up."""

import json
from typing import Any

import pytest

from circletake.domain.batches.files import read_batch_csv, read_batch_lines
from circletake.domain.batches.rows import MAX_ROWS, with_defaults
from circletake.domain.batches.timeline import read_batch_timeline
from circletake.domain.errors import Invalid


def test_csv_cells_become_what_a_request_has_there() -> None:
    """Numbers, flags, lists, inputs and controls have their types; an empty cell says nothing."""
    [row] = read_batch_csv(
        "shot,takes,strict,depicts,plate,control.aspect_ratio,control.strength,controls,use.media,seed\n"
        'S_1,20,yes,MARA; JON,pl-10,16:9,0.5,"{""strength"": 1, ""creativity"": 0.2}",tv;web,\n'
    ).rows
    assert row.values == {
        "shot": "S_1",
        "takes": 20,
        "strict": True,
        "depicts": ["MARA", "JON"],
        "inputs": {"plate": "pl-10"},
        "controls": {"aspect_ratio": "16:9", "strength": 0.5, "creativity": 0.2},
        "use": {"media": ["tv", "web"]},
    }


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("shot;prompt\nS_1;x", "wrong_separator"),
        ("shot,promt\nS_1,x", "unknown_column"),
        ("shot,prompt,shot\nS_1,x,S_2", "doubled_column"),
        ("kind,takes\nconcept_art,1", "missing_column"),
        ("shot,prompt\n" + "S_1,x\n" * (MAX_ROWS + 1), "too_many_rows"),
    ],
)
def test_a_csv_that_cannot_be_a_batch_is_refused_whole(file: str, code: str) -> None:
    """The header and the size are the file's, not a row's."""
    with pytest.raises(Invalid) as refused:
        read_batch_csv(file)
    assert refused.value.violations[0].code == code


def test_a_row_keeps_its_line_over_quoted_line_breaks() -> None:
    """A report's line is the one that an editor shows."""
    rows = read_batch_csv('shot,prompt\nS_1,"one\ntwo"\nS_2,x,y\n').rows
    assert [(row.line, row.values.get("prompt"), bool(row.violations)) for row in rows] == [
        (2, "one\ntwo", False),
        (4, None, True),
    ]


def test_only_a_first_line_of_defaults_is_none_of_the_rows() -> None:
    """Numbers stay numbers; a line that isn't an object is a refused row."""
    file = read_batch_lines(
        '{"defaults": {"takes": 2}}\n\n{"shot": "S_1", "controls": {"strength": 0.5}}\n[]\n'
    )
    assert file.defaults == {"takes": 2}
    assert [(row.line, row.values, bool(row.violations)) for row in file.rows] == [
        (3, {"shot": "S_1", "controls": {"strength": 0.5}}, False),
        (4, {}, True),
    ]


@pytest.mark.parametrize("value", ["NaN", "1e999", '"\\ud800"'])
def test_what_cannot_be_stored_is_no_row(value: str) -> None:
    """Numbers that are none, and half of a character, are refused with their line."""
    [row] = read_batch_lines(f'{{"shot": "S_1", "controls": {{"strength": {value}}}}}').rows
    assert [each.code for each in row.violations] == ["malformed_json"]


def test_a_row_wins_over_the_files_defaults_and_those_over_the_calls() -> None:
    """Controls are filled in one by one, and a null says that there is nothing."""
    whole = with_defaults(
        {"prompt": None, "controls": {"strength": 1}},
        {"prompt": "x", "controls": {"strength": 0, "loop": True}},
        {"prompt": "y", "kind": "concept_art"},
    )
    assert whole == {"prompt": None, "controls": {"strength": 1, "loop": True}, "kind": "concept_art"}


def timeline(*clips: dict[str, Any], kind: str = "Video") -> str:
    track = {"OTIO_SCHEMA": "Track.1", "kind": kind, "children": list(clips)}
    tracks = {"OTIO_SCHEMA": "Stack.1", "children": [track]}
    return json.dumps({"OTIO_SCHEMA": "Timeline.1", "metadata": {}, "tracks": tracks})


def clip(name: str, **ours: Any) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "Clip.2", "name": name, "metadata": {"circletake": ours} if ours else {}}


def test_clips_are_rows_once_each_and_in_their_order() -> None:
    """Gaps, nested stacks and clips that are left out count for nothing; a clip that is cut in twice is one row."""
    nested = {"OTIO_SCHEMA": "Stack.1", "children": [clip("S_2")]}
    file = timeline(
        clip("S_1", prompt="x"),
        {"OTIO_SCHEMA": "Gap.1"},
        nested,
        clip("S_3", skip=True),
        clip("S_1", prompt="x"),
        clip("S_1", prompt="y"),
    )
    assert [(row.line, row.values) for row in read_batch_timeline(file).rows] == [
        (1, {"shot": "S_1", "prompt": "x"}),
        (2, {"shot": "S_2"}),
        (5, {"shot": "S_1", "prompt": "y"}),
    ]
    assert read_batch_timeline(timeline(clip("S_1"), kind="Audio")).rows == []


@pytest.mark.parametrize("file", ["{}", "[]", "no", "[" * 100_000, '{"OTIO_SCHEMA": 1}'])
def test_what_is_no_timeline_is_refused(file: str) -> None:
    """It is said to be none, however broken it is."""
    with pytest.raises(Invalid) as refused:
        read_batch_timeline(file)
    assert refused.value.violations[0].code == "malformed_otio"
