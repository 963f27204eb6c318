"""Keyset pages: over (created_at, id), newest first, or over the codes of the film context."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from circletake.kit.paging import BadCursor, Cursors


class Listed(Protocol):
    """A row that can stand at a page's end."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def id(self) -> UUID: ...


def position(cursors: Cursors, purpose: str, cursor: str | None) -> tuple[datetime, UUID] | None:
    """Read a cursor. Raises BadCursor."""
    if cursor is None:
        return None
    parts = cursors.read(purpose, cursor)
    if len(parts) != 2:  # noqa: PLR2004 - created_at and id
        raise BadCursor("not a position in a list")
    return datetime.fromisoformat(parts[0]), UUID(parts[1])


def next_cursor(cursors: Cursors, purpose: str, rows: Sequence[Listed], limit: int) -> str | None:
    """Return the cursor after the page's last row, or None when `rows` holds no more than the page."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursors.write(purpose, last.created_at.isoformat(), str(last.id))


class Coded(Protocol):
    """A row of the film context, in a list where codes are unique."""

    @property
    def code(self) -> str: ...


def code_position(cursors: Cursors, purpose: str, cursor: str | None) -> str | None:
    """Read a cursor over codes. Raises BadCursor."""
    return None if cursor is None else cursors.read(purpose, cursor)[0]


def next_code_cursor(cursors: Cursors, purpose: str, rows: Sequence[Coded], limit: int) -> str | None:
    """Return the cursor after the page's last row, or None when `rows` holds no more than the page."""
    return cursors.write(purpose, rows[limit - 1].code) if len(rows) > limit else None
