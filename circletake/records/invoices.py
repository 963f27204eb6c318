"""The provider's invoices: what an export of them says, in sums. They belong to the platform; studios see nothing of
them, and of their lines nothing is kept that isn't needed to compare."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from circletake.kit.ids import new_id
from circletake.records.base import Record


class Invoice(Record):
    """One export that was read whole. The same file is the same invoice: its hash is unique."""

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint("period_from <= period_to", name="period"),
        Index("ix_invoices_list", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sha256: Mapped[str] = mapped_column(Text, unique=True)
    form: Mapped[str] = mapped_column(Text)  # cur2 | cur: the names of its columns
    currency: Mapped[str] = mapped_column(Text)
    period_from: Mapped[date]  # UTC days, both included
    period_to: Mapped[date]
    lines: Mapped[int]
    total_usd: Mapped[Decimal] = mapped_column(Numeric)  # to the last digit, as the lines add up
    accounts: Mapped[list[Any]]  # ids of the AWS accounts that it bills


class InvoiceSum(Record):
    """Lines of an invoice that say the same but for their amounts, added up. Every line is in exactly one.

    `reason` says why a sum isn't compared with our calls; null where it is.
    """

    __tablename__ = "invoice_sums"
    __table_args__ = (
        Index(None, "invoice_id"),
        CheckConstraint(
            "reason is not null or (tenant_id is not null and model_id is not null and day is not null)",
            name="compared",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    model_id: Mapped[str | None] = mapped_column(Text)
    day: Mapped[date | None]  # UTC
    reason: Mapped[str | None] = mapped_column(Text)
    service: Mapped[str] = mapped_column(Text)
    usage_type: Mapped[str] = mapped_column(Text)
    line_type: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text)
    lines: Mapped[int]
    units: Mapped[Decimal] = mapped_column(Numeric)
    usd: Mapped[Decimal] = mapped_column(Numeric)
