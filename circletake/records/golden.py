"""Golden shots: approved takes that are made again now and then, and the runs that do it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class GoldenShot(TenantRecord):
    """An approved take. Its request stays with its generation; here is what made it and how it is judged.

    `name` is sealed. `fingerprint`: of the card that the model had when the take became golden. `aspects` empty: all.
    """

    __tablename__ = "golden_shots"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("generations", "generation_id"),
        belongs_to("takes", "take_id"),
        belongs_to("media_files", "media_id"),
        Index("ix_golden_shots_list", "tenant_id", "production_id", "created_at", "id"),
        Index(
            "ix_golden_shots_take",
            "tenant_id",
            "take_id",
            unique=True,
            postgresql_where=text("retired_at is null"),
        ),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    generation_id: Mapped[UUID]
    take_id: Mapped[UUID]
    media_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    model_id: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    seed: Mapped[int | None] = mapped_column(BigInteger)  # null: the model takes none
    name: Mapped[bytes] = mapped_column(LargeBinary)
    aspects: Mapped[list[Any]]
    thresholds: Mapped[dict[str, Any]]
    created_by: Mapped[UUID]  # the person
    retired_at: Mapped[datetime | None]
    retired_by: Mapped[UUID | None]


class GoldenRules(TenantRecord):
    """When a production's golden shots are made again by themselves; without a row, never."""

    __tablename__ = "golden_rules"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        UniqueConstraint("tenant_id", "production_id"),
        CheckConstraint("every_days is null or every_days between 1 and 366", name="every_days"),
    )

    production_id: Mapped[UUID]
    on_change: Mapped[bool]
    every_days: Mapped[int | None]
    max_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # of one run
    next_at: Mapped[datetime | None]  # of the schedule
    seen_catalogue: Mapped[str | None] = mapped_column(Text)  # a digest of the models, kept by the dispatcher
    changed_by: Mapped[UUID]  # the person
    changed_at: Mapped[datetime]
    version: Mapped[int]


class GoldenRun(TenantRecord):
    """Golden shots made again, once. `change_key` names what it was for: a change is answered by one run only."""

    __tablename__ = "golden_runs"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("media_files", "sheet_media_id"),
        UniqueConstraint("tenant_id", "production_id", "change_key"),
        Index("ix_golden_runs_list", "tenant_id", "production_id", "created_at", "id"),
        CheckConstraint("state in ('queued','making','judging','succeeded','failed')", name="state"),
        CheckConstraint(
            "reason in ('requested','choice_changed','catalogue_changed','scheduled')", name="reason"
        ),
        CheckConstraint("verdict in ('unchanged','drifted','changed','failed')", name="verdict"),
    )

    production_id: Mapped[UUID]
    reason: Mapped[str] = mapped_column(Text)
    change_key: Mapped[str | None] = mapped_column(Text)
    model_id: Mapped[str | None] = mapped_column(Text)  # instead of each shot's own
    kinds: Mapped[list[Any]]  # empty: all
    only_models: Mapped[list[Any]]  # shots of these models alone; empty: all
    state: Mapped[str] = mapped_column(Text, default="queued")
    verdict: Mapped[str | None] = mapped_column(Text)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    max_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    estimate_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    requested_by: Mapped[UUID | None]  # the API key; neither: by itself
    requested_by_person: Mapped[UUID | None]
    sheet_media_id: Mapped[UUID | None]
    failure_code: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None]


class GoldenResult(TenantRecord):
    """One golden shot in one run. `scores` and `reasons` are numbers and codes; `failure_code` says why there is no
    picture to judge. `fingerprint`: of the card that the model had now."""

    __tablename__ = "golden_results"
    __table_args__ = (
        tenant_key(),
        belongs_to("golden_runs", "run_id"),
        belongs_to("golden_shots", "golden_id"),
        belongs_to("generations", "generation_id"),
        belongs_to("takes", "take_id"),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "run_id", "golden_id"),
        Index("ix_golden_results_generation", "tenant_id", "generation_id"),
        CheckConstraint("verdict in ('unchanged','drifted','changed','failed')", name="verdict"),
    )

    run_id: Mapped[UUID]
    golden_id: Mapped[UUID]
    position: Mapped[int]
    model_id: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(Text)
    seeded: Mapped[bool]
    estimate_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    generation_id: Mapped[UUID | None]
    take_id: Mapped[UUID | None]
    media_id: Mapped[UUID | None]
    verdict: Mapped[str | None] = mapped_column(Text)
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_detail: Mapped[str | None] = mapped_column(Text)  # our own words
    judged_at: Mapped[datetime | None]
