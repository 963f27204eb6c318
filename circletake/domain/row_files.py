"""Reading files of rows, CSV (RFC 4180) or JSON lines, each row with the line that it begins on.

What makes the whole file unreadable raises Invalid; what is wrong with one row is told with the row.
"""

import csv
import io
import json
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


def json_lines(text: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield (line, the object on it); None where it isn't one. Numbers with a point are Decimals."""
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield line, json_object(content)


def json_object(content: str) -> dict[str, Any] | None:
    try:
        values = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
