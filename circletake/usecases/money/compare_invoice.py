"""An invoice beside our books, as they are at this moment: settled bills count as settled."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from circletake.domain.errors import NotFound
from circletake.domain.money.invoices import Compared, Explanation, UnknownCall, explain
from circletake.records.invoices import Invoice, InvoiceSum
from circletake.records.session import Database
from circletake.records.tenancy import Tenant

NOTHING = Decimal(0)
_EXACT = Context(prec=80)
_MODEL_CALLS = text("select * from model_calls(:since, :until)")
_UNKNOWN_CALLS = text("select * from unknown_model_calls(:since, :until) order by at, call_id")


@dataclass(slots=True)
class ModelDifference:
    """One studio's calls to one model."""

    tenant_id: UUID
    slug: str
    model: str
    lines: int = 0
    units: dict[str, Decimal] = field(default_factory=dict)  # as the invoice counts, by its unit
    invoiced: dict[date, Decimal] = field(default_factory=dict)
    charged: dict[date, Decimal] = field(default_factory=dict)
    calls: int = 0
    unknown: list[UnknownCall] = field(default_factory=list)

    @property
    def invoiced_usd(self) -> Decimal:
        return _sum(self.invoiced.values())

    @property
    def charged_usd(self) -> Decimal:
        return _sum(self.charged.values())

    @property
    def unknown_usd(self) -> Decimal:
        return _sum(each.estimate for each in self.unknown)

    @property
    def difference(self) -> Decimal:
        """What the invoice shows beyond what we charged; below zero it shows less."""
        return _EXACT.subtract(self.invoiced_usd, self.charged_usd)

    def explained(self) -> Explanation:
        return explain(Compared(self.invoiced, self.charged, self.calls, self.unknown))


@dataclass(frozen=True, slots=True)
class ApartSum:
    """Lines that aren't compared, and why."""

    reason: str
    tenant_id: UUID | None
    model: str | None
    service: str
    usage_type: str
    line_type: str
    account_id: str
    unit: str
    lines: int
    units: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceReport:
    """`overlapping`: other invoices of some of the same days, which say the same again; none is added to another."""

    invoice: Invoice
    differences: Sequence[ModelDifference]
    apart: Sequence[ApartSum]
    overlapping: Sequence[UUID]


async def compare_invoice(operator_database: Database, invoice_id: UUID) -> InvoiceReport:
    """Compare an invoice with our calls of its days. Raises NotFound."""
    async with operator_database.role() as session:
        invoice = await session.get(Invoice, invoice_id)
        if invoice is None:
            raise NotFound("invoice")
        overlapping = await session.scalars(
            select(Invoice.id)
            .where(
                Invoice.id != invoice.id,
                Invoice.period_from <= invoice.period_to,
                Invoice.period_to >= invoice.period_from,
            )
            .order_by(Invoice.created_at, Invoice.id)
        )
        sums = (await session.scalars(select(InvoiceSum).where(InvoiceSum.invoice_id == invoice.id))).all()
        days = {"since": invoice.period_from, "until": invoice.period_to}
        charged = (await session.execute(_MODEL_CALLS, days)).all()
        unknown = (await session.execute(_UNKNOWN_CALLS, days)).all()
        slugs = {row.id: row.slug for row in await session.execute(select(Tenant.id, Tenant.slug))}
    found = _Books(slugs)
    for each in sums:
        if each.reason is None:
            found.add_invoiced(each)
    for row in charged:
        found.add_charged(row)
    for row in unknown:
        found.add_unknown(row)
    return InvoiceReport(
        invoice,
        sorted(found.by_model.values(), key=lambda each: (each.slug, each.model)),
        _apart([each for each in sums if each.reason is not None]),
        list(overlapping),
    )


class _Books:
    def __init__(self, slugs: dict[UUID, str]) -> None:
        self._slugs = slugs
        self.by_model: dict[tuple[UUID, str], ModelDifference] = {}

    def _of(self, tenant_id: UUID, model: str) -> ModelDifference:
        key = (tenant_id, model)
        if key not in self.by_model:
            self.by_model[key] = ModelDifference(tenant_id, self._slugs.get(tenant_id, ""), model)
        return self.by_model[key]

    def add_invoiced(self, row: InvoiceSum) -> None:
        if row.tenant_id is None or row.model_id is None or row.day is None:
            raise ValueError("a sum that is compared has a studio, a model and a day")
        of = self._of(row.tenant_id, row.model_id)
        of.lines += row.lines
        of.units[row.unit] = _EXACT.add(of.units.get(row.unit, NOTHING), row.units)
        of.invoiced[row.day] = _EXACT.add(of.invoiced.get(row.day, NOTHING), row.usd)

    def add_charged(self, row: Any) -> None:
        of = self._of(row.tenant_id, row.model_id)
        of.calls += row.charged_calls
        of.charged[row.day] = of.charged.get(row.day, NOTHING) + row.charged_usd

    def add_unknown(self, row: Any) -> None:
        self._of(row.tenant_id, row.model_id).unknown.append(
            UnknownCall(
                row.call_id, row.kind, row.take_id, row.at, row.at.astimezone(UTC).date(), row.estimate_usd
            )
        )


_ALIKE = ("reason", "tenant_id", "model_id", "service", "usage_type", "line_type", "account_id", "unit")
_OF_APART = ("reason", "tenant_id", "model", "service", "usage_type", "line_type", "account_id", "unit")


def _apart(sums: Sequence[InvoiceSum]) -> list[ApartSum]:
    """Add up over the days; the dearest first."""
    lines: dict[tuple[Any, ...], int] = defaultdict(int)
    units: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    usd: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for each in sums:
        key = tuple(getattr(each, name) for name in _ALIKE)
        lines[key] += each.lines
        units[key] = _EXACT.add(units[key], each.units)
        usd[key] = _EXACT.add(usd[key], each.usd)
    found = [
        ApartSum(**dict(zip(_OF_APART, key, strict=True)), lines=lines[key], units=units[key], usd=usd[key])
        for key in lines
    ]
    return sorted(found, key=lambda each: (each.reason, -each.usd, each.service, each.usage_type))


def _sum(amounts: Any) -> Decimal:
    total = NOTHING
    for each in amounts:
        total = _EXACT.add(total, each)
    return total
