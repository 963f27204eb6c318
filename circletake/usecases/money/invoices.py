"""Invoices taken in, and what they say beside our own books."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.exc import IntegrityError

from circletake.domain.errors import Invalid
from circletake.domain.money.invoices import (
    USAGE_TYPES,
    Apart,
    InvoiceLine,
    ModelNames,
    Studio,
    Studios,
)
from circletake.domain.pictures import Violation
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue
from circletake.ports.invoices import InvoiceReader, InvoiceUnreadable
from circletake.records.invoices import Invoice, InvoiceSum
from circletake.records.session import Database
from circletake.records.tenancy import Tenant

MOST_SUMS = 50_000
_EXACT = Context(prec=80)  # more digits than a bounded number of bounded amounts can have
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class SumKey:
    """What lines have in common that are added up."""

    tenant_id: UUID | None
    model_id: str | None
    day: date | None
    reason: str | None
    service: str
    usage_type: str
    line_type: str
    unit: str
    account_id: str


@dataclass(slots=True)
class LineSum:
    lines: int = 0
    units: Decimal = NOTHING
    usd: Decimal = NOTHING

    def add(self, line: InvoiceLine) -> None:
        self.lines += 1
        self.units = _EXACT.add(self.units, line.units)
        self.usd = _EXACT.add(self.usd, line.usd)


@dataclass(slots=True)
class Summed:
    """An export that was read to its end."""

    form: str
    sums: dict[SumKey, LineSum]
    total: LineSum
    period_from: date
    period_to: date
    accounts: set[str]


async def take_invoice(
    operator_database: Database,
    reader: InvoiceReader,
    catalogue: ModelCatalogue,
    file: BinaryIO,
    sha256: str,
) -> tuple[Invoice, bool]:
    """Read an export whole and keep its sums. Returns the invoice and whether it is new: the same file is the same
    invoice. Raises Invalid for what can't be read; then nothing is kept."""
    async with operator_database.role() as session:
        known = await session.scalar(select(Invoice).where(Invoice.sha256 == sha256))
        rows = await session.execute(select(Tenant.id, Tenant.slug, Tenant.work_role_arn))
        studios = Studios(Studio(row.id, row.slug, row.work_role_arn) for row in rows)
    if known is not None:
        return known, False
    names = ModelNames(catalogue.all())
    try:
        summed = await asyncio.to_thread(add_up, reader, file, names, studios)
    except InvoiceUnreadable as unreadable:
        raise _refused(unreadable) from unreadable
    invoice = {
        "id": new_id(),
        "sha256": sha256,
        "form": summed.form,
        "currency": "USD",
        "period_from": summed.period_from,
        "period_to": summed.period_to,
        "lines": summed.total.lines,
        "total_usd": summed.total.usd,
        "accounts": sorted(summed.accounts),
    }
    try:
        async with operator_database.role() as session:
            await session.execute(insert(Invoice).values(invoice))
            await session.execute(
                insert(InvoiceSum), [_row(invoice["id"], *each) for each in summed.sums.items()]
            )
    except IntegrityError:  # the same file was sent twice at once
        async with operator_database.role() as session:
            found = await session.scalar(select(Invoice).where(Invoice.sha256 == sha256))
        if found is None:
            raise
        return found, False
    async with operator_database.role() as session:
        return await session.get_one(Invoice, invoice["id"]), True


def _refused(unreadable: InvoiceUnreadable) -> Invalid:
    where = "" if unreadable.line is None else f"Line {unreadable.line}: "
    pointer = "/" if unreadable.line is None else f"/{unreadable.line}"
    return Invalid(
        [Violation(pointer, unreadable.code, f"{where}{unreadable.says} Nothing of the file was kept.")],
        code="invoice_unreadable",
    )


def _row(invoice_id: object, key: SumKey, found: LineSum) -> dict[str, object]:
    return {
        "id": new_id(),
        "invoice_id": invoice_id,
        **{name: getattr(key, name) for name in SumKey.__slots__},
        "lines": found.lines,
        "units": found.units,
        "usd": found.usd,
    }


def add_up(reader: InvoiceReader, file: BinaryIO, names: ModelNames, studios: Studios) -> Summed:
    """Read every line and add up what belongs together. Raises InvoiceUnreadable."""
    lines = reader.open(file)
    sums: dict[SumKey, LineSum] = {}
    total = LineSum()
    days: set[date] = set()
    accounts: set[str] = set()
    for line in lines:
        sums.setdefault(key_of(line, names, studios), LineSum()).add(line)
        total.add(line)
        days |= {line.day, line.last_day, *([line.billed_from] if line.billed_from else [])}
        accounts.add(line.account)
        if len(sums) > MOST_SUMS:
            raise InvoiceUnreadable(
                "Its lines are of too many kinds to be added up: export fewer services or days.",
                code="too_large",
                line=line.number,
            )
    if not total.lines:
        raise InvoiceUnreadable("There are no lines.", code="empty")
    return Summed(lines.form, sums, total, min(days), max(days), accounts)


def key_of(line: InvoiceLine, names: ModelNames, studios: Studios) -> SumKey:
    """Say what a line is of; of another service's only which one."""
    model = names.find(line)
    if model is Apart.NOT_A_MODEL:
        return SumKey(None, None, None, model.value, line.service, "", line.line_type, "", line.account)
    found = None if isinstance(model, Apart) else model.id
    who = studios.find(line)
    tenant_id = None if isinstance(who, Apart) else who
    reason: Apart | None = None
    if line.line_type.lower() not in USAGE_TYPES:
        reason = Apart.NOT_USAGE
    elif isinstance(model, Apart):
        reason = model
    elif isinstance(who, Apart):
        reason = who
    return SumKey(
        tenant_id,
        found,
        line.day,
        reason.value if reason else None,
        line.service,
        line.usage_type,
        line.line_type,
        line.unit,
        line.account,
    )


async def list_invoices(
    operator_database: Database, *, limit: int, before: tuple[datetime, UUID] | None
) -> Sequence[Invoice]:
    """List invoices, newest first."""
    query = select(Invoice)
    if before is not None:
        query = query.where(tuple_(Invoice.created_at, Invoice.id) < before)
    async with operator_database.role() as session:
        rows = await session.scalars(
            query.order_by(Invoice.created_at.desc(), Invoice.id.desc()).limit(limit)
        )
        return rows.all()
