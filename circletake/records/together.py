"""Insert rows of several tables in one round trip.

A transaction that records a whole story writes to six tables; one statement each would spend most of its time on the
way to Postgres and back. Foreign keys between the rows hold: they are checked when the statement has ended.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import Result, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
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
    values = {
        f"{table.name}_{name}": [row[name] for row in rows] for table, rows in whole for name in rows[0]
    }
    shape = tuple((table, tuple(rows[0])) for table, rows in whole)
    return await session.execute(_statement(shape, then), {**values, **parameters})


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
    """One array per column, however many rows there are: the statement depends on tables and columns alone."""
    inserts, parameters = [], []
    for table, names in shape:
        arrays = ", ".join(f":{table.name}_{name}" for name in names)
        inserts.append(
            f"insert into {table.name} ({', '.join(names)}) select * from unnest({arrays})"  # noqa: S608 - our own names
        )
        parameters += [
            bindparam(f"{table.name}_{name}", type_=ARRAY(table.columns[name].type, dimensions=1))
            for name in names
        ]
    *before, last = [*inserts, then] if then else inserts
    parts = ", ".join(f"part_{number} as ({one})" for number, one in enumerate(before))
    return text(f"with {parts} {last}" if parts else last).bindparams(*parameters)
