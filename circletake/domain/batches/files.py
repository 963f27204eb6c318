"""Reading a batch's file, CSV or JSON lines, into rows."""

import re
from collections.abc import Mapping
from typing import Any

from circletake.domain.batches.rows import MAX_ROWS, BatchFile, BatchRow
from circletake.domain.errors import invalid
from circletake.domain.kinds import InputSlot
from circletake.domain.pictures import Violation
from circletake.domain.row_files import (
    NO_OBJECT,
    cell_count,
    csv_columns,
    csv_records,
    json_lines,
    json_value,
    storable_object,
    too_many_rows,
)

SLOTS = tuple(slot.value for slot in InputSlot)
_TEXTS = ("prompt", "negative_prompt", "search_prompt")
_WORDS = ("shot", "shot_id", "kind", "model", "quality", "deadline", "external_ref")
_NUMBERS = ("takes", "seed")
_JSON = ("controls", "use", "metadata", "consistency")
COLUMNS = (*_WORDS, *_TEXTS, *SLOTS, *_NUMBERS, "strict", "depicts", *_JSON)
_CONTROL, _USE = "control.", "use."
LISTED = f"{', '.join(COLUMNS)}, {_CONTROL}NAME, {_USE}NAME"

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_batch_csv(text: str) -> BatchFile:
    """Read a CSV file with a header row. An empty cell says nothing: the default holds.

    Raises Invalid for an unknown, doubled or missing column, broken quotes or too many rows.
    """
    records = csv_records(text)
    header_line, header = next(records, (1, []))
    columns = csv_columns(
        header_line, header, known=_known, listed=LISTED, needs=("shot", "shot_id", "prompt", *SLOTS)
    )
    rows: list[BatchRow] = []
    for line, cells in records:
        if len(rows) == MAX_ROWS:
            raise too_many_rows(MAX_ROWS)
        problem = cell_count(cells, columns)
        if problem is not None:
            rows.append(BatchRow(line, {}, (problem,)))
        else:
            rows.append(_csv_row(line, dict(zip(columns, cells, strict=True))))
    return BatchFile(rows)


def read_batch_lines(text: str) -> BatchFile:
    """Read one JSON object per line. A first line `{"defaults": {…}}` holds for every row that doesn't say otherwise.

    Raises Invalid for too many rows or defaults that aren't an object; a line that isn't one is a refused row.
    """
    rows: list[BatchRow] = []
    defaults: Mapping[str, Any] = {}
    for number, (line, values) in enumerate(json_lines(text, storable_object)):
        if number == 0 and values is not None and set(values) == {"defaults"}:
            defaults = checked_defaults(values["defaults"])
            continue
        if len(rows) == MAX_ROWS:
            raise too_many_rows(MAX_ROWS)
        rows.append(BatchRow(line, {}, (NO_OBJECT,)) if values is None else BatchRow(line, plain(values)))
    return BatchFile(rows, plain(defaults))


def checked_defaults(given: Any) -> Mapping[str, Any]:
    """Raises Invalid unless they are an object."""
    if not isinstance(given, dict):
        raise invalid("/defaults", "bad_defaults", "`defaults` is an object with a row's fields.")
    return given


def plain(value: Any) -> Any:
    """The same with floats, as a request's body would have it."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | None) else float(value)


def _known(name: str) -> bool:
    return name in COLUMNS or any(
        name.startswith(prefix) and len(name) > len(prefix) for prefix in (_CONTROL, _USE)
    )


def _csv_row(line: int, cells: Mapping[str, str]) -> BatchRow:
    values: dict[str, Any] = {}
    found: list[Violation] = []
    for column, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        if column in _JSON:
            value = _json_cell(text)
            if value is None:
                message = (
                    f'Write a JSON object, for example {{"strength": 0.5}}, or use columns `{column}.NAME`.'
                )
                found.append(Violation(f"/{column}", "malformed_json", message))
            else:
                values[column] = {**value, **values.get(column, {})}
        else:
            _put(values, column, text)
    return BatchRow(line, values, tuple(found))


def _put(values: dict[str, Any], column: str, text: str) -> None:
    """Give a cell its place and its type. What isn't of the type stays text, and is refused as such."""
    if column.startswith(_CONTROL):
        values.setdefault("controls", {})[column.removeprefix(_CONTROL)] = _scalar(text)
    elif column.startswith(_USE):
        values.setdefault("use", {})[column.removeprefix(_USE)] = _of_use(text)
    elif column in SLOTS:
        values.setdefault("inputs", {})[column] = text
    elif column in _NUMBERS and _WHOLE.fullmatch(text):
        values[column] = int(text)
    elif column == "strict":
        values[column] = _FLAGS.get(text.lower(), text)
    elif column == "depicts":
        values[column] = [each.strip() for each in text.split(";") if each.strip()]
    else:
        values[column] = text


def _json_cell(text: str) -> dict[str, Any] | None:
    return plain(storable_object(text))  # type: ignore[no-any-return]  # the same shape


def _scalar(text: str) -> Any:
    """A number, true, false, a list or an object as JSON has them; else the text itself."""
    try:
        return plain(json_value(text))
    except (ValueError, RecursionError):
        return text


def _of_use(text: str) -> Any:
    """Answers are true or false, lists are separated by semicolons."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return [each.strip() for each in text.split(";") if each.strip()] if ";" in text else text
