"""Reading a list of shots as CSV (RFC 4180) or JSON lines into rows, each with what is wrong with it.

What makes the whole file unreadable raises Invalid; what is wrong with one row stays with the row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from circletake.domain.pictures import Violation
from circletake.domain.row_files import (
    NO_OBJECT,
    cell_count,
    csv_columns,
    csv_records,
    decode,
    json_lines,
    json_object,
    too_many_rows,
)
from circletake.domain.shots import (
    MAX_CODE,
    MAX_EXTERNAL_REF,
    MAX_NOTES,
    amount_of,
    code_violation,
    text_violation,
)

__all__ = ["BID", "COLUMNS", "MAX_ROWS", "ShotRow", "decode", "read_csv", "read_json_lines"]

BID = "conventional_bid_usd"
COLUMNS = ("code", "sequence", "episode", "frame_in", "frame_out", "external_ref", "notes", BID)
FRAMES = ("frame_in", "frame_out")
MAX_ROWS = 5_000

_LONGEST = {"external_ref": MAX_EXTERNAL_REF, "notes": MAX_NOTES}
_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class ShotRow:
    """One row. `line` counts the file's lines from 1; `given` holds what the row says, None to clear a value.

    `code` is what stood there, cut to a code's length, so that a report can name the row.
    """

    line: int
    code: str
    given: Mapping[str, str | int | Decimal | None] = field(default_factory=dict, repr=False)
    violations: tuple[Violation, ...] = ()


def read_csv(text: str) -> list[ShotRow]:
    """Read a CSV file with a header row. A column that is left out leaves its values alone; an empty cell clears.

    Raises Invalid for an unknown, doubled or missing column, broken quotes or too many rows.
    """
    records = csv_records(text)
    header_line, header = next(records, (1, []))
    columns = csv_columns(
        header_line, header, known=COLUMNS.__contains__, listed=", ".join(COLUMNS), needs=("code",)
    )
    rows: list[ShotRow] = []
    for line, cells in records:
        if len(rows) == MAX_ROWS:
            raise too_many_rows(MAX_ROWS)
        problem = cell_count(cells, columns)
        if problem is not None:
            rows.append(ShotRow(line, _shown(cells[0] if columns[0] == "code" else ""), {}, (problem,)))
        else:
            rows.append(_row(line, _cell_values(dict(zip(columns, cells, strict=True)))))
    return rows


def read_json_lines(text: str) -> list[ShotRow]:
    """Read one JSON object per line. A field that is left out leaves its value alone; null clears.

    Raises Invalid for too many rows; a line that isn't an object is a refused row.
    """
    rows: list[ShotRow] = []
    for line, values in json_lines(text, json_object):
        if len(rows) == MAX_ROWS:
            raise too_many_rows(MAX_ROWS)
        rows.append(ShotRow(line, "", {}, (NO_OBJECT,)) if values is None else _row(line, values))
    return rows


def _cell_values(cells: Mapping[str, str]) -> dict[str, Any]:
    """CSV knows text only: an empty cell is None, a whole number in a frame column an int."""
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        text = cell.strip()
        if column in FRAMES and _WHOLE.fullmatch(text):
            values[column] = int(text)
        else:
            values[column] = text or None
    return values


def _row(line: int, values: Mapping[str, Any]) -> ShotRow:
    given: dict[str, str | int | Decimal | None] = {}
    found: list[Violation] = []
    for name, value in values.items():
        violation = _violation(name, value)
        if violation is not None:
            found.append(violation)
        elif name != "code":
            given[name] = amount_of(value) if name == BID else value
    code = values.get("code")
    if code is None:
        found.append(Violation("/code", "missing", "Every row needs a code."))
    if given.get("episode") is not None and given.get("sequence") is None and "sequence" not in _wrong(found):
        found.append(
            Violation("/episode", "episode_without_sequence", "A shot is in an episode through its sequence.")
        )
    return ShotRow(line, _shown(code), given, tuple(found))


def _wrong(found: Sequence[Violation]) -> set[str]:
    return {violation.pointer.removeprefix("/") for violation in found}


def _violation(name: str, value: Any) -> Violation | None:
    if name not in COLUMNS:
        return Violation("", "unknown_field", f"A field isn't known. The fields are: {', '.join(COLUMNS)}.")
    if value is None:
        return None
    if name == BID:
        return _amount_violation(value)
    return _frame_violation(name, value) if name in FRAMES else _text_violation(name, value)


def _amount_violation(value: Any) -> Violation | None:
    if amount_of(value) is not None:
        return None
    return Violation(
        f"/{BID}", "not_an_amount", "Write US dollars with digits alone, for example 12500 or 12500.50."
    )


def _frame_violation(name: str, value: Any) -> Violation | None:
    """Only what it is: the number is judged together with the shot's other end."""
    if isinstance(value, int) and not isinstance(value, bool):
        return None
    return Violation(f"/{name}", "not_a_frame", "A frame is a whole number, for example 1001.")


def _text_violation(name: str, value: Any) -> Violation | None:
    if not isinstance(value, str):
        return Violation(f"/{name}", "not_text", "This is text: write it in quotes.")
    if name in _LONGEST:
        return text_violation(f"/{name}", value, _LONGEST[name])
    return code_violation(f"/{name}", value)


def _shown(code: object) -> str:
    """A code as a report may repeat it, whatever stood there."""
    if not isinstance(code, str):
        return ""
    return code.strip()[:MAX_CODE].encode(errors="replace").decode().replace("\0", "?")
