"""Cost exports of AWS as CSV, plain or gzipped: CUR 2.0 (Data Exports) and the Cost and Usage Report before it.

Columns as the Data Exports user guide's table dictionary names them (`line_item_unblended_cost`), and as the earlier
report does (`lineItem/UnblendedCost`). Map columns (`product`, `resource_tags`, `tags`) are JSON objects in a CSV.
Line by line: nothing of the file but the line at hand is kept.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import BinaryIO, cast

from circletake.domain.money.invoices import InvoiceLine
from circletake.ports.invoices import InvoiceUnreadable

MAX_UNPACKED = 160 * 1024 * 1024
MAX_LINE = 1024 * 1024  # characters
MAX_COLUMNS = 2000
_LONGEST = 300  # of a text that is kept
_MOST_KNOWN, _LONG = 2000, 2000

_REQUIRED = (
    "line_item_usage_account_id",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_usage_start_date",
    "line_item_unblended_cost",
    "line_item_currency_code",
)
_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?")
_SMALLEST, _LARGEST = -24, 12  # exponents: sums stay exact
_FIRST_YEAR, _LAST_YEAR = 2006, 2199
# where a studio's tag may stand: a tag on the session that called first, a resource's or an inference profile's last
_TAGS = ("iamprincipal/tenant", "resourcetags/tenant", "user_tenant", "user:tenant", "tenant")
_TAG_COLUMNS = ("iam_principal_tenant", "resource_tags_user_tenant", "resource_tags_tenant")
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class AwsCostExports:
    """InvoiceReader."""

    def open(self, file: BinaryIO) -> "AwsCostExport":
        """Read the header. Raises InvoiceUnreadable for what is no export, or lacks a column that is needed."""
        return AwsCostExport(file)


class _Known:
    """What was read of texts that most lines of one file repeat."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, bool], date | None] = {}
        self._objects: dict[str, Mapping[str, str] | None] = {}

    def day(self, text: str, end: bool) -> date | None:
        key = (text, end)
        if key not in self._days:
            if len(self._days) > _MOST_KNOWN:
                self._days.clear()
            self._days[key] = _day_of(text, end)
        return self._days[key]

    def object(self, text: str) -> Mapping[str, str] | None:
        if len(text) > _LONG:
            return _object(text)
        if text not in self._objects:
            if len(self._objects) > _MOST_KNOWN:
                self._objects.clear()
            self._objects[text] = _object(text)
        return self._objects[text]


class AwsCostExport:
    """InvoiceLines of one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._rows = _rows(_unpacked(file))
        number, header = next(self._rows, (1, []))
        if len(header) > MAX_COLUMNS:
            raise InvoiceUnreadable(f"There are more than {MAX_COLUMNS} columns.", line=number)
        names = [_column(each) for each in header]
        doubled = sorted({each for each in names if names.count(each) > 1})
        missing = [each for each in _REQUIRED if each not in names]
        if doubled:
            raise InvoiceUnreadable("A column stands there twice.", code="columns", line=number)
        if missing:
            raise InvoiceUnreadable(
                f"This is no cost export: the columns {', '.join(missing)} are missing.",
                code="columns",
                line=number,
            )
        self._names: Sequence[str] = names
        self.form = "cur" if any("/" in each for each in header) else "cur2"

    def __iter__(self) -> Iterator[InvoiceLine]:
        known = _Known()
        for number, row in self._rows:
            if len(row) != len(self._names):
                raise InvoiceUnreadable(
                    f"It has {len(row)} fields, and there are {len(self._names)} columns: is the file whole?",
                    code="truncated",
                    line=number,
                )
            yield _line(number, dict(zip(self._names, row, strict=True)), known)


def _column(name: str) -> str:
    """Return the name as CUR 2.0 writes it: `lineItem/UnblendedCost` is `line_item_unblended_cost`."""
    return re.sub(r"[/: ]+", "_", _SNAKE.sub("_", name.strip())).lower()


def _unpacked(file: BinaryIO) -> BinaryIO:
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return cast(BinaryIO, _Bounded(gzip.GzipFile(fileobj=file)))
    if start == b"PAR1":
        raise InvoiceUnreadable("This is Parquet: export it as text/csv.", code="media_type")
    if start[:2] == b"PK":
        raise InvoiceUnreadable("This is a ZIP archive: send the CSV in it.", code="media_type")
    return cast(BinaryIO, _Bounded(file))


class _Bounded(io.RawIOBase):
    """Counts what comes out of a packed file, so that a small one can't fill the memory or take for ever."""

    def __init__(self, inner: BinaryIO | gzip.GzipFile) -> None:
        self._inner, self._read = inner, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        found = self._inner.read(len(buffer))
        self._read += len(found)
        if self._read > MAX_UNPACKED:
            raise InvoiceUnreadable(
                f"Unpacked it is larger than {MAX_UNPACKED // 1024 // 1024} MiB: export fewer columns or days.",
                code="too_large",
            )
        buffer[: len(found)] = found
        return len(found)


def _rows(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line that it ends on."""
    text = io.TextIOWrapper(io.BufferedReader(cast(io.RawIOBase, file)), encoding="utf-8-sig", newline="")
    reader = csv.reader(_lines(text), strict=True)
    while True:
        try:
            row = next(reader, None)
        except InvoiceUnreadable as unreadable:
            unreadable.line = unreadable.line or reader.line_num + 1
            raise
        except UnicodeDecodeError as error:
            raise InvoiceUnreadable("It isn't UTF-8 text.", line=reader.line_num + 1) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvoiceUnreadable(
                "The gzip file is cut off or broken.", code="truncated", line=reader.line_num + 1
            ) from error
        except csv.Error as error:
            code = "truncated" if "end of data" in str(error) else "unreadable"
            raise InvoiceUnreadable("It isn't well-formed CSV.", code=code, line=reader.line_num) from error
        if row is None:
            return
        if row:
            yield reader.line_num, row


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise InvoiceUnreadable("A line is longer than a million characters.")
        yield line


def _line(number: int, row: Mapping[str, str], known: _Known) -> InvoiceLine:
    if row["line_item_currency_code"].strip().upper() != "USD":
        raise InvoiceUnreadable("Its currency isn't USD.", code="currency", line=number)
    day = _day(row, "line_item_usage_start_date", number, known)
    ends = row.get("line_item_usage_end_date", "").strip()
    last_day = _day(row, "line_item_usage_end_date", number, known, end=True) if ends else day
    product = _map(row, "product", number, known)
    code = row["line_item_product_code"].strip()
    period = row.get("bill_billing_period_start_date", "").strip()
    return InvoiceLine(
        number=number,
        account=_short(row["line_item_usage_account_id"]),
        billing_entity=_short(row.get("bill_billing_entity", "")),
        seller=_short(row.get("line_item_legal_entity", "")),
        product_code=_short(code),
        service=_short(
            row.get("product_product_name", "").strip()
            or product.get("product_name", "").strip()
            or row.get("product_servicename", "").strip()
            or product.get("servicename", "").strip()
            or code
        ),
        usage_type=_short(row["line_item_usage_type"]),
        operation=_short(row.get("line_item_operation", "")),
        description=_short(row.get("line_item_line_item_description", "")),
        resource=row.get("line_item_resource_id", "").strip(),
        line_type=_short(row.get("line_item_line_item_type", "")),
        billed_from=_day(row, "bill_billing_period_start_date", number, known) if period else None,
        day=day,
        last_day=max(day, last_day),
        units=_amount(row, "line_item_usage_amount", number, empty=True),
        unit=_short(row.get("pricing_unit", "")),
        usd=_amount(row, "line_item_unblended_cost", number),
        principal=row.get("line_item_iam_principal", "").strip(),
        tenant_tag=_tenant(row, number, known),
    )


def _short(text: str) -> str:
    return text.strip().replace("\x00", "")[:_LONGEST]


def _amount(row: Mapping[str, str], column: str, number: int, *, empty: bool = False) -> Decimal:
    text = row.get(column, "").strip()
    if not text and empty:
        return Decimal(0)
    value = Decimal(text) if _AMOUNT.fullmatch(text) else None
    if value is None or (value and not _fits(value)):
        raise InvoiceUnreadable(f"{column} isn't an amount.", code="amount", line=number)
    return value


def _fits(value: Decimal) -> bool:
    return int(value.as_tuple().exponent) >= _SMALLEST and value.adjusted() <= _LARGEST


def _day(row: Mapping[str, str], column: str, number: int, known: _Known, *, end: bool = False) -> date:
    """`end`: of the moment before it, since an end isn't in its line."""
    day = known.day(row[column], end)
    if day is None:
        raise InvoiceUnreadable(f"{column} isn't a date.", code="date", line=number)
    return day


def _day_of(text: str, end: bool) -> date | None:
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        return None
    return (at - timedelta(microseconds=1)).date() if end else at.date()


_NOTHING: Mapping[str, str] = {}


def _map(row: Mapping[str, str], column: str, number: int, known: _Known) -> Mapping[str, str]:
    """Return a map column; in the earlier report there are none."""
    text = row.get(column)
    found = known.object(text) if text else _NOTHING
    if found is None:
        raise InvoiceUnreadable(f"{column} isn't a JSON object.", code="map", line=number)
    return found


def _object(text: str) -> Mapping[str, str] | None:
    if not text.strip():
        return _NOTHING
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {str(name): value for name, value in found.items() if isinstance(value, str)}


def _tenant(row: Mapping[str, str], number: int, known: _Known) -> str:
    for column in _TAG_COLUMNS:
        if row.get(column, "").strip():
            return _short(row[column])
    tags = [_map(row, column, number, known) for column in ("tags", "resource_tags")]
    if not any(tags):
        return ""
    named = {name.lower(): value for each in tags for name, value in each.items()}
    return _short(next((named[name] for name in _TAGS if named.get(name, "").strip()), ""))
