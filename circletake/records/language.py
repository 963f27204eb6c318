"""What language models were asked, what they wrote, and what it cost."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class LanguageRequest(TenantRecord):
    """One task for one language model. `input`, `result`, `edited` and `provider_reason` are sealed.

    `result` is what the model wrote and is never changed; `edited` is what people made of it.
    """

    __tablename__ = "language_requests"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        Index("ix_language_requests_list", "tenant_id", "task", "created_at", "id"),
        Index("ix_language_requests_production", "tenant_id", "production_id", "task", "created_at", "id"),
        Index(
            "ix_language_requests_shot",
            "tenant_id",
            "shot_id",
            "created_at",
            "id",
            postgresql_where=text("shot_id is not null"),
        ),
        CheckConstraint("task in ('script_breakdown','shot_prompt')", name="task"),
        CheckConstraint(
            "state in ('queued','running','waiting','succeeded','failed','filtered','canceled')", name="state"
        ),
    )

    task: Mapped[str] = mapped_column(Text)
    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    kind: Mapped[str | None] = mapped_column(Text)  # of the generation that a prompt is for
    model_id: Mapped[str] = mapped_column(Text)
    model_lock_id: Mapped[UUID | None]  # the production's choice that the model is of
    use: Mapped[dict[str, Any]] = mapped_column(default=dict)
    external_ref: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="queued")
    waiting_for: Mapped[str | None] = mapped_column(Text)
    input: Mapped[bytes] = mapped_column(LargeBinary)
    input_hash: Mapped[str] = mapped_column(Text)  # keyed
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    edited: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(default=1)
    edits: Mapped[list[Any]] = mapped_column(default=list)  # who changed which parts, when: no content
    applied: Mapped[list[Any]] = mapped_column(default=list)  # who made which shots of it, when
    failure_code: Mapped[str | None] = mapped_column(Text)
    refusal: Mapped[dict[str, Any] | None]  # {stage, source, categories}
    provider_reason: Mapped[bytes | None] = mapped_column(LargeBinary)
    requested_by: Mapped[UUID | None]
    requested_by_person: Mapped[UUID | None]
    ledger_entry_id: Mapped[UUID]
    finished_at: Mapped[datetime | None]


class LanguageCall(TenantRecord):
    """One paid call to a language model. Committed before the call; until its end its bill is unknown."""

    __tablename__ = "language_calls"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("language_requests", "subject_id"),
        Index(None, "tenant_id", "subject_id"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "tenant_id", "production_id", "created_at"),
    )

    production_id: Mapped[UUID]  # whose budgets it counts in
    shot_id: Mapped[UUID | None]
    subject_id: Mapped[UUID]
    model_id: Mapped[str] = mapped_column(Text)
    request_hash: Mapped[str] = mapped_column(Text)  # keyed
    estimate_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    billed: Mapped[str | None] = mapped_column(Text)  # true | false | unknown
    outcome: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    tokens_in: Mapped[int | None]
    tokens_out: Mapped[int | None]
    ended_at: Mapped[datetime | None]


class AiText(TenantRecord):
    """That a text was written by AI: found by a keyed hash of its words, so that it is known wherever it is used."""

    __tablename__ = "ai_texts"
    __table_args__ = (
        tenant_key(),
        belongs_to("language_requests", "request_id"),
        UniqueConstraint("tenant_id", "text_hash"),
    )

    text_hash: Mapped[str] = mapped_column(Text)
    request_id: Mapped[UUID]
