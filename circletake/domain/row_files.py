"""Reading files of rows, CSV (RFC 4180) or JSON lines, each row with the line that it begins on.

What makes the whole file unreadable raises Invalid; what is wrong with one row is told with the row.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from circletake.domain.errors import Invalid, invalid
from circletake.domain.pictures import Violation

NO_OBJECT = Violation("", "malformed_json", "This line isn't a JSON object.")


def decode(data: bytes) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark. Raises Invalid."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid(
            "", "not_utf8", "The file isn't UTF-8: save it as UTF-8 (in Excel: CSV UTF-8)."
        ) from None


def too_many_rows(most: int) -> Invalid:
    return invalid("", "too_many_rows", f"Send at most {most} rows at once: split the file.")


def csv_records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (the line a record begins on, its cells); records without any content are left out. Raises Invalid."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error:
        raise invalid(
            "",
            "malformed_csv",
            f"The CSV can't be read from line {begins} on: a quote isn't closed or stands in the middle of a"
            ' cell (write "" for a quote inside quotes), or a cell is far too long.',
        ) from None


def csv_columns(
    line: int, header: Sequence[str], *, known: Callable[[str], bool], listed: str, needs: Sequence[str]
) -> list[str]:
    """Return the columns that a header names. `needs`: columns of which one must be there; `listed`: what there is, for
    people. Raises Invalid for an unknown, doubled or missing column."""
    names = [cell.strip().lower() for cell in header]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise invalid("", "wrong_separator", "Separate the columns with commas, not semicolons or tabs.")
    for number, name in enumerate(names, start=1):
        if not known(name):
            raise invalid(
                "",
                "unknown_column",
                f"Column {number} of the header (line {line}) isn't known. The columns are: {listed}.",
            )
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise invalid("", "doubled_column", f"Name each column once: {', '.join(sorted(doubled))}.")
    if not set(needs) & set(names):
        wanted = " or ".join(f"`{each}`" for each in needs)
        raise invalid(
            "", "missing_column", f"The first line must be a header with at least the column {wanted}."
        )
    return names


def cell_count(cells: Sequence[str], columns: Sequence[str]) -> Violation | None:
    """What is wrong with a row that doesn't fit its header."""
    if len(cells) == len(columns):
        return None
    message = f"This row has {len(cells)} cells, the header {len(columns)}: make them fit."
    return Violation("", "cell_count", message)


def json_lines(
    text: str, read: Callable[[str], dict[str, Any] | None]
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield (line, the object on it); None where it isn't one."""
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield line, read(content)


def json_object(content: str) -> dict[str, Any] | None:
    """Read an object whose fields are judged one by one. Numbers with a point are Decimals."""
    try:
        values = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def storable_object(content: str) -> dict[str, Any] | None:
    """Read an object that can be stored as it is: see `json_value`."""
    try:
        values = json_value(content)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def json_value(content: str) -> Any:
    """Read JSON that can be stored: numbers with a point are Decimals that a float can hold, text has no half of a
    surrogate pair. Raises ValueError, RecursionError."""
    value = json.loads(content, parse_float=_finite, parse_constant=_no_number)
    if "\\u" in content:
        json.dumps(value, ensure_ascii=False, default=str).encode()  # UnicodeEncodeError is a ValueError
    return value


def _finite(text: str) -> Decimal:
    value = Decimal(text)
    if not math.isfinite(float(value)):
        raise ValueError("too large")
    return value


def _no_number(text: str) -> Decimal:
    raise ValueError(f"{text} isn't JSON")
