"""The register of everything AI made in a production: one line per take, as values, CSV and JSON lines.

Underwriters and broadcasters ask for an "AI usage register": which tool made what, from which inputs, who asked and
who chose it, and how that can be checked.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UsedInput:
    slot: str
    media_id: UUID
    sha256: str


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One take. `inputs` are what the model was given; names of API keys stand for who asked and who circled."""

    shot: str | None
    shot_external_ref: str | None
    generation: UUID
    kind: str
    take_number: int
    take: UUID
    state: str
    model: str
    requested_by: str | None
    requested_at: datetime
    circled: bool
    circled_by: str | None
    circled_at: datetime | None
    rejected: bool
    seed: int | None
    billed: str | None
    cost_usd: Decimal | None
    inputs: Sequence[UsedInput]
    output_media: UUID | None
    output_sha256: str | None
    digital_source_type: str | None
    manifest_urn: str | None
    ledger_entry: UUID | None  # of the take's end
    request_ledger_entry: UUID


COLUMNS = tuple(each.name for each in fields(RegisterLine))

# A spreadsheet runs a cell that begins like this as a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_header() -> str:
    return _csv([COLUMNS])


def csv_lines(lines: Iterable[RegisterLine]) -> str:
    """RFC 4180 lines for spreadsheets: a text that would run as a formula is given a leading apostrophe."""
    return _csv([[harmless(_cell(getattr(line, name))) for name in COLUMNS] for line in lines])


def json_lines(lines: Iterable[RegisterLine]) -> str:
    """One JSON object per line, with the same names and typed values; `cost_usd` is a string."""
    return "".join(json.dumps(_document(line), ensure_ascii=False) + "\n" for line in lines)


def harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _csv(records: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return " | ".join(";".join((f"{used.slot}={used.media_id}", used.sha256)) for used in value)
    return str(value)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(line: RegisterLine) -> dict[str, object]:
    document: dict[str, object] = {}
    for name in COLUMNS:
        value = getattr(line, name)
        if name == "inputs":
            document[name] = [
                {"slot": used.slot, "media": str(used.media_id), "sha256": used.sha256} for used in value
            ]
        elif value is None or isinstance(value, bool | int):
            document[name] = value
        else:
            document[name] = _cell(value)
    return document
