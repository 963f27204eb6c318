"""Models that productions chose, what was told of their ends, and what a production cleared for its shots."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import Record, TenantRecord, belongs_to, tenant_key


class ModelChoice(TenantRecord):
    """What a production chose for one kind, from `created_at` until `superseded_at`. A change is a new row, so that
    what was made under an older one still finds it. `cards`: of every model it names, as they were; `reason` is sealed.
    """

    __tablename__ = "model_choices"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        UniqueConstraint("tenant_id", "production_id", "kind", "version"),
        Index(
            "ix_model_choices_now",
            "tenant_id",
            "production_id",
            "kind",
            unique=True,
            postgresql_where=text("superseded_at is null"),
        ),
    )

    production_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)  # a generation's kind, or a language task
    version: Mapped[int]
    model_id: Mapped[str] = mapped_column(Text)
    locked: Mapped[bool]
    allowed: Mapped[list[Any]]
    fallback_order: Mapped[list[Any]]
    fallback_on: Mapped[list[Any]]
    cards: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(Text)  # of the model's kept card
    reason: Mapped[bytes | None] = mapped_column(LargeBinary)
    chosen_by: Mapped[UUID]  # the person
    superseded_at: Mapped[datetime | None]
    superseded_by: Mapped[UUID | None]
    ledger_entry_id: Mapped[UUID]


class ShotClearance(TenantRecord):
    """The production says that a shot may show what a filter may refuse. Append-only but for its end; `statement` is
    sealed. It is shown to people and never sent to a model."""

    __tablename__ = "shot_clearances"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        Index("ix_shot_clearances_list", "tenant_id", "shot_id", "created_at", "id"),
        CheckConstraint("(ended_at is null) = (ended_by is null)", name="end"),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID]
    subjects: Mapped[list[Any]]
    statement: Mapped[bytes] = mapped_column(LargeBinary)
    cleared_by: Mapped[UUID]  # the person
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]


class ModelEnding(TenantRecord):
    """A production was told that a model it uses ends so many days from then. Once for each mark."""

    __tablename__ = "model_endings"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        UniqueConstraint("tenant_id", "production_id", "model_id", "eol_on", "mark"),
    )

    production_id: Mapped[UUID]
    model_id: Mapped[str] = mapped_column(Text)
    eol_on: Mapped[date]
    mark: Mapped[int]  # days before the end


class EndingTurn(Record):
    """When a studio's models are looked at for their ends. Kept by the dispatcher."""

    __tablename__ = "ending_turns"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    due_at: Mapped[datetime]
