"""Exports of what a provider bills."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from circletake.domain.money.invoices import InvoiceLine


class InvoiceUnreadable(Exception):
    """The file isn't a whole export. `line`: of the file, from 1, where one is to blame. `says` quotes nothing of it
    but names of columns."""

    def __init__(self, says: str, *, code: str = "unreadable", line: int | None = None) -> None:
        super().__init__(says)
        self.says, self.code, self.line = says, code, line


class InvoiceLines(Protocol):
    """An export that was opened: its lines one after the other, so that no file is ever held whole."""

    @property
    def form(self) -> str:
        """Return how its columns are named."""
        ...

    def __iter__(self) -> Iterator[InvoiceLine]:
        """Raises InvoiceUnreadable, also in the middle: whoever reads keeps nothing before the end."""
        ...


class InvoiceReader(Protocol):
    def open(self, file: BinaryIO) -> InvoiceLines:
        """Begin to read. Raises InvoiceUnreadable."""
        ...
