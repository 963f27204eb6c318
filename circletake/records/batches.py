"""Batches: many generations that were asked for in one call."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class GenerationBatch(TenantRecord):
    """One call that asked for many generations; they carry its id and their line.

    `completed_at` is when its last generation had finished for the first time: a retry doesn't open it again.
    """

    __tablename__ = "generation_batches"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        Index("ix_generation_batches_list", "tenant_id", "created_at", "id"),
        CheckConstraint("format in ('csv','jsonl','otio')", name="format"),
    )

    production_id: Mapped[UUID]
    external_ref: Mapped[str | None] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    file_sha256: Mapped[str] = mapped_column(Text)
    rows: Mapped[int]  # generations that it made
    refused_rows: Mapped[int]  # left out, because the request said so
    takes: Mapped[int]
    quote_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    requested_by: Mapped[UUID | None]  # the API key
    requested_by_person: Mapped[UUID | None]
    ledger_entry_id: Mapped[UUID]
    paused_at: Mapped[datetime | None]
    canceled_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
