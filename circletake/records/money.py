"""Money: budgets with their counters, and what became of bills that nobody knew."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Budget(TenantRecord):
    """What a tenant, a production or a shot may spend. `note` is sealed content.

    The counters repeat what the takes and the judging calls in scope say; they change in the same transactions, under
    this row's lock. `scope_id` is the tenant's, the production's or the shot's id.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        UniqueConstraint("tenant_id", "scope_id"),
        CheckConstraint(
            "case scope when 'tenant' then production_id is null and shot_id is null"
            " when 'production' then production_id is not null and shot_id is null"
            " when 'shot' then production_id is not null and shot_id is not null else false end",
            name="scope",
        ),
        CheckConstraint("scope_id = coalesce(shot_id, production_id, tenant_id)", name="scope_id"),
        CheckConstraint("soft_usd is not null or hard_usd is not null", name="limits"),
        CheckConstraint("spent_usd >= 0 and unknown_usd >= 0 and reserved_usd >= 0", name="counters"),
    )

    scope: Mapped[str] = mapped_column(Text)
    scope_id: Mapped[UUID]
    production_id: Mapped[UUID | None]
    shot_id: Mapped[UUID | None]
    soft_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    hard_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    spent_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # owed for certain
    unknown_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # perhaps owed: nobody knows yet
    reserved_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # of takes that are queued or running
    exhausted_at: Mapped[datetime | None]  # the first request that found no room, since there was some
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Settlement(TenantRecord):
    """What became of a call's unknown bill. Append-only; `evidence` is sealed content.

    `call_id` is of the table that `call_kind` names; null for a take that was settled whole, before calls were.
    """

    __tablename__ = "settlements"
    __table_args__ = (
        tenant_key(),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "call_id"),
        Index(None, "tenant_id", "take_id"),
        CheckConstraint("billed in ('true','false')", name="billed"),
        CheckConstraint("call_kind in ('take','judging','language')", name="call_kind"),
        CheckConstraint("take_id is not null or call_id is not null", name="whose"),
        Index("ix_settlements_list", "tenant_id", "created_at", "id"),
    )

    take_id: Mapped[UUID | None]  # of a call that was to make a take
    call_id: Mapped[UUID | None]
    call_kind: Mapped[str] = mapped_column(Text, server_default="take")
    billed: Mapped[str] = mapped_column(Text)
    amount_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    evidence: Mapped[bytes] = mapped_column(LargeBinary)
    settled_by: Mapped[str] = mapped_column(Text)  # operator
    ledger_entry_id: Mapped[UUID]
