"""What happened, who is told, the ledger's commitments and remembered answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Event(TenantRecord):
    """`seq` counts per generation, given under its row lock; `txid` lets a reader across generations wait for
    every transaction that could still commit in between."""

    __tablename__ = "events"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "generation_id", "seq"),
        Index("ix_events_order", "tenant_id", "txid", "id"),
    )

    generation_id: Mapped[UUID | None]
    seq: Mapped[int | None]
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)  # ids, states, links
    txid: Mapped[int] = mapped_column(Xid8(), server_default=text("pg_current_xact_id()"))


class WebhookEndpoint(TenantRecord):
    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        tenant_key(),
        CheckConstraint("state in ('unverified','active','disabled')", name="state"),
    )

    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(Text, default="unverified")
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    last_error: Mapped[str | None] = mapped_column(Text)  # the last failed attempt, for its owner
    challenged_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # attempts in a row without a success
    paused_until: Mapped[datetime | None]  # until then nothing is sent; then one attempt at a time
    version: Mapped[int] = mapped_column(default=1)


class WebhookSecret(TenantRecord):
    """A sealed signing secret: `whsec_`, or `whsk_` with its public half beside it. All that are live sign."""

    __tablename__ = "webhook_secrets"
    __table_args__ = (
        tenant_key(),
        belongs_to("webhook_endpoints", "endpoint_id", ondelete="CASCADE"),
        Index(None, "tenant_id", "endpoint_id"),
    )

    endpoint_id: Mapped[UUID]
    value: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]


class WebhookDelivery(TenantRecord):
    """One event for one endpoint. `event_id` is the webhook-id on every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        tenant_key(),
        belongs_to("webhook_endpoints", "endpoint_id", ondelete="CASCADE"),
        belongs_to("events", "event_id"),
        Index("ix_webhook_deliveries_pending", "tenant_id", postgresql_where=text("state = 'pending'")),
        Index("ix_webhook_deliveries_endpoint", "tenant_id", "endpoint_id", "created_at", "id"),
        Index(None, "tenant_id", "event_id"),
        CheckConstraint("state in ('pending','delivered','failed','abandoned')", name="state"),
    )

    endpoint_id: Mapped[UUID]
    event_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(Text, default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeliveryAttempt(TenantRecord):
    __tablename__ = "delivery_attempts"
    __table_args__ = (
        tenant_key(),
        belongs_to("webhook_deliveries", "delivery_id", ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "delivery_id", "number"),
    )

    delivery_id: Mapped[UUID]
    number: Mapped[int]
    status: Mapped[int | None]
    seconds: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    reply: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed, the first KiB


class LedgerEntry(TenantRecord):
    """A canonical salted commitment to what was asked or what came of it. Append-only (the grants say so).

    `commitment` = SHA-256(salt || canonical JSON); the JSON is sealed, so that erasing salt and content leaves
    the commitment standing and saying nothing.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (tenant_key(), Index(None, "tenant_id", "subject_id"))

    kind: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[UUID]
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class IdempotencyRecord(TenantRecord):
    """A remembered answer, sealed. Kept seven days."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (tenant_key(), UniqueConstraint("tenant_id", "route", "key"), Index(None, "created_at"))

    route: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
