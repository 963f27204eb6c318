"""Lists of shots as trackers export them: what is read, and what a row or a file is refused for."""

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.errors import Invalid
from circletake.domain.shot_files import COLUMNS, MAX_ROWS, decode, read_csv, read_json_lines
from circletake.domain.shots import code_violation, frame_violations
from services.api.schemas.context import ShotBody


def codes_of(row):
    return [violation.code for violation in row.violations]


def test_csv_in_any_column_order_with_bom_crlf_quotes_and_empty_lines():
    """A spreadsheet's export is read as it is, and each row knows the line that it began on."""
    data = (
        b"\xef\xbb\xbfnotes,Code,frame_in\r\n"
        b'"rain, ""hard""\r\nno stunt",AGM_104_TCC_0010,1001\r\n'
        b"\r\n"
        b",,\r\n"
        b"plain,AGM_104_TCC_0020, 1002 \r\n"
    )
    first, second = read_csv(decode(data))
    assert (first.line, first.code) == (2, "AGM_104_TCC_0010")
    assert first.given == {"notes": 'rain, "hard"\r\nno stunt', "frame_in": 1001}
    assert (second.line, second.code) == (6, "AGM_104_TCC_0020")
    assert second.given == {"notes": "plain", "frame_in": 1002}
    assert not first.violations
    assert not second.violations


def test_csv_empty_cell_clears_and_missing_column_leaves_alone():
    """An empty cell is told apart from a column that isn't there."""
    (row,) = read_csv("code,external_ref\nA,\n")
    assert row.given == {"external_ref": None}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing_column"),
        ("sequence,notes\nS,n\n", "missing_column"),
        ("code,frame_inn\nA,1\n", "unknown_column"),
        ("code,notes,\nA,n,\n", "unknown_column"),
        ("code,notes,notes\nA,n,n\n", "doubled_column"),
        ("code;frame_in\nA;1001\n", "wrong_separator"),
        ("code\tframe_in\nA\t1001\n", "wrong_separator"),
        ('code,notes\nA,"never closed\n', "malformed_csv"),
        ('code,notes\nA,"closed"early\n', "malformed_csv"),
        (f"code,notes\nA,{'n' * 200_000}\n", "malformed_csv"),
        ("code\n" + "".join(f"S{n}\n" for n in range(MAX_ROWS + 1)), "too_many_rows"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_whole(text, code):
    """What is wrong with the file is told once, with a stable code."""
    with pytest.raises(Invalid) as refused:
        read_csv(text)
    assert [violation.code for violation in refused.value.violations] == [code]


def test_a_broken_quote_is_told_with_the_line_it_begins_on():
    """In 3,000 rows one can find it."""
    with pytest.raises(Invalid, match="from line 3 on"):
        read_csv('code,notes\nA,fine\nB,"open\nC,fine\n')


@pytest.mark.parametrize("data", ["code\nÄ\n".encode("latin-1"), "code\nA\n".encode("utf-16")])
def test_a_file_that_is_not_utf8_is_refused(data):
    """Text in another encoding is never guessed."""
    with pytest.raises(Invalid) as refused:
        decode(data)
    assert refused.value.violations[0].code == "not_utf8"


@pytest.mark.parametrize(
    ("row", "violation"),
    [
        ("AGM 0010,,,,,,", ("/code", "bad_code")),
        ("=cmd|' /C calc'!A0,,,,,,", ("/code", "bad_code")),
        (".hidden,,,,,,", ("/code", "bad_code")),
        ("A" * 65 + ",,,,,,", ("/code", "bad_code")),
        (",S,,,,,", ("/code", "missing")),
        ("A,T C,,,,,", ("/sequence", "bad_code")),
        ("A,,EP1,,,,", ("/episode", "episode_without_sequence")),
        ("A,,,1001.0,,,", ("/frame_in", "not_a_frame")),
        ("A,,,,1e3,,", ("/frame_out", "not_a_frame")),
        ("A,,,,١٠٠١,,", ("/frame_out", "not_a_frame")),
        ("A,,,,,,," + "n", ("", "cell_count")),
        ("A", ("", "cell_count")),
        ("A,,,,," + "r" * 201 + ",", ("/external_ref", "too_long")),
        ("A,,,,,,nul\0", ("/notes", "bad_character")),
    ],
)
def test_a_wrong_csv_row_says_which_column_and_why(row, violation):
    """A row is refused with a pointer to its column; the file is still read."""
    text = f"code,sequence,episode,frame_in,frame_out,external_ref,notes\n{row}\nB,,,,,,\n"
    wrong, right = read_csv(text)
    assert [(each.pointer, each.code) for each in wrong.violations] == [violation]
    assert not right.violations


@pytest.mark.parametrize(
    ("line", "violation"),
    [
        ("[]", ("", "malformed_json")),
        ('{"code": "A"', ("", "malformed_json")),
        ("[" * 20_000, ("", "malformed_json")),
        ('{"code": "A", "frame": 1}', ("", "unknown_field")),
        ('{"code": 10}', ("/code", "not_text")),
        ('{"code": null}', ("/code", "missing")),
        ("{}", ("/code", "missing")),
        ('{"code": "A", "frame_in": true}', ("/frame_in", "not_a_frame")),
        ('{"code": "A", "frame_in": "1001"}', ("/frame_in", "not_a_frame")),
        ('{"code": "A", "frame_in": 1001.5}', ("/frame_in", "not_a_frame")),
        ('{"code": "A", "frame_in": NaN}', ("/frame_in", "not_a_frame")),
        ('{"code": "A", "notes": ""}', ("/notes", "empty")),
        (r'{"code": "A", "notes": "\ud800"}', ("/notes", "bad_character")),
    ],
)
def test_a_wrong_json_line_says_which_field_and_why(line, violation):
    """One bad line doesn't spoil the others."""
    wrong, right = read_json_lines(f'{line}\r\n\r\n{{"code": "B"}}\n')
    assert (violation[0], violation[1]) in [(each.pointer, each.code) for each in wrong.violations]
    assert right.line == 3
    assert not right.violations


def test_json_null_clears_and_a_missing_field_leaves_alone():
    """JSON lines tell the two apart as a merge patch does."""
    (row,) = read_json_lines('{"code": "A", "notes": null, "frame_in": 1001}')
    assert row.given == {"notes": None, "frame_in": 1001}


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "code": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
                "frame_in": st.integers(0, 10_000),
                "notes": st.text(
                    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
                )
                .map(str.strip)
                .filter(bool),
            }
        ),
        max_size=6,
    )
)
def test_csv_and_json_lines_say_the_same(rows):
    """Whatever a spreadsheet quotes, both forms of one list read alike."""
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, ["code", "frame_in", "notes"])
    writer.writeheader()
    writer.writerows(rows)
    from_csv = read_csv(sheet.getvalue())
    from_json = read_json_lines("\n".join(json.dumps(row) for row in rows))
    assert [(row.code, row.given) for row in from_csv] == [(row.code, row.given) for row in from_json]
    assert all(not row.violations for row in from_csv)


@pytest.mark.parametrize(
    "code", ["AGM_104_TCC_0010", "a", "0", "A" * 64, "A" * 65, "", "_a", "A\n", "Ä", "a/b", "a b"]
)
def test_one_shot_and_a_list_of_shots_take_the_same_codes(code):
    """No code can come in through one door only."""
    try:
        ShotBody(code=code)
        one = True
    except ValueError:
        one = False
    assert (code_violation("/code", code) is None) == one


@pytest.mark.parametrize(
    ("frame_in", "frame_out", "codes"),
    [
        (1001, 1100, []),
        (1001, 1001, []),
        (-8, 90, []),
        (1001, None, []),
        (None, 1100, []),
        (1100, 1001, ["frame_range"]),
        (10**9, None, ["out_of_range"]),
    ],
)
def test_a_frame_range_is_inclusive_and_runs_forward(frame_in, frame_out, codes):
    """A shot may have one frame, may be known at one end only, and never runs backward."""
    assert [each.code for each in frame_violations(frame_in, frame_out)] == codes


def test_every_column_can_be_read():
    """A row that fills every column is taken whole."""
    text = ",".join(COLUMNS) + "\nAGM_104_TCC_0010,TCC,104,1001,1100,sg:12345,Rain,12500.50\n"
    (row,) = read_csv(text)
    assert not row.violations
    assert set(row.given) == set(COLUMNS) - {"code"}


@pytest.mark.parametrize(
    ("said", "bid"),
    [
        ("12500", Decimal(12500)),
        ("12500.50", Decimal("12500.50")),
        ("$12,500", None),
        ("-1", None),
        ("0.001", None),
        ("1e3", None),
    ],
)
def test_a_bid_is_dollars_to_the_cent(said, bid):
    """What isn't plainly an amount is refused, never read as another one; both files say the same."""
    (cell,) = read_csv(f'code,conventional_bid_usd\nA,"{said}"\n')
    (field,) = read_json_lines(f'{{"code": "A", "conventional_bid_usd": "{said}"}}')
    for row in (cell, field):
        assert row.given.get("conventional_bid_usd") == bid
        assert [each.code for each in row.violations] == ([] if bid is not None else ["not_an_amount"])
