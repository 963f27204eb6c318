"""Insert rows of several tables in one round trip.

A transaction that records a whole story writes to six tables; one statement each would spend most of its time on the
way to Postgres and back. Foreign keys between the rows hold: they are checked when the statement has ended. The rows
travel as one JSON document, because a parameter per column costs more than the insert.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import Result, TextClause, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.schema import Table

from circletake.records.base import Record
from circletake.records.session import TenantSession

Rows = tuple[type[Record], Sequence[Mapping[str, Any]]]


async def insert_together(
    session: TenantSession, *batches: Rows, then: str = "", **parameters: Any
) -> Result[Any]:
    """Insert each batch's rows; all rows of a batch name the same columns, columns left out get their defaults.

    `then`: a constant query of the same round trip, with its parameters; it doesn't see the new rows.
    """
    whole = [
        (table, [_whole(table, row) for row in rows])
        for table, rows in ((_table(record), rows) for record, rows in batches)
        if rows
    ]
    document = json.dumps({table.name: rows for table, rows in whole}, default=_plain)
    shape = tuple((table, tuple(rows[0])) for table, rows in whole)
    return await session.execute(_statement(shape, then), {"rows": document, **parameters})


def _plain(value: object) -> str:
    """What Postgres reads as a value of the column's own type."""
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no column of ours holds a {type(value).__name__}")


def _table(record: type[Record]) -> Table:
    table = record.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{record.__name__} is not a table")
    return table


def _whole(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the declaration gives a column; what the database gives it by itself stays out."""
    return {**{name: make() for name, make in _defaults(table) if name not in row}, **row}


@lru_cache(maxsize=64)
def _defaults(table: Table) -> tuple[tuple[str, Callable[[], Any]], ...]:
    return tuple(
        (column.name, _maker(column.default)) for column in table.columns if column.default is not None
    )


def _maker(default: Any) -> Callable[[], Any]:
    if default.is_callable:
        return partial(default.arg, None)  # SQLAlchemy calls it with its own context
    if default.is_scalar:
        return lambda: default.arg
    raise TypeError(f"{default!r} is made by the database: declare it as a server default")


@lru_cache(maxsize=64)
def _statement(shape: tuple[tuple[Table, tuple[str, ...]], ...], then: str) -> TextClause:
    inserts = []
    for table, names in shape:
        typed = ", ".join(f"{name} {_type_of(table, name)}" for name in names)
        inserts.append(
            f"insert into {table.name} ({', '.join(names)})"  # noqa: S608 - our own names
            f" select r.* from sent, jsonb_to_recordset(document -> '{table.name}') as r({typed})"
        )
    *before, last = [*inserts, then] if then else inserts
    parts = "".join(f", part_{number} as ({one})" for number, one in enumerate(before))
    return text(f"with sent as materialized (select cast(:rows as jsonb) as document){parts} {last}")


def _type_of(table: Table, name: str) -> str:
    return table.columns[name].type.compile(dialect=PGDialect())  # type: ignore[no-untyped-call]
