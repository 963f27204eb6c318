"""Consistency: what evaluators saw, what was judged, checks, profiles and enforcements."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Observation(TenantRecord):
    """What one version of an evaluator saw in one frame of one file. `body` is sealed: it holds biometric data."""

    __tablename__ = "observations"
    __table_args__ = (
        tenant_key(),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "media_id", "evaluator", "part", "frame"),
        CheckConstraint("part in ('people','scene')", name="part"),
    )

    media_id: Mapped[UUID]
    evaluator: Mapped[str] = mapped_column(Text)  # name@version
    part: Mapped[str] = mapped_column(Text)  # people | scene
    frame: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class ConsistencyProfile(TenantRecord):
    """Thresholds and calibrations of a production, or of one character in it, for all shot sizes or one.

    A change makes the next version; `retired_at` ends one. `fitted` says what a refit learned from.
    """

    __tablename__ = "consistency_profiles"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("characters", "character_id"),
        Index("ix_consistency_profiles_production", "tenant_id", "production_id", "created_at", "id"),
        Index(
            "uq_consistency_profiles_active",
            "tenant_id",
            "production_id",
            "character_id",
            "shot_size",
            unique=True,
            postgresql_where=text("retired_at is null"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    production_id: Mapped[UUID]
    character_id: Mapped[UUID | None]
    shot_size: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fitted: Mapped[dict[str, Any] | None]
    provisional: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[UUID | None]  # the API key
    created_by_person: Mapped[UUID | None]
    retired_at: Mapped[datetime | None]


class ConsistencyCheck(TenantRecord):
    """One question: are these characters, in these looks, the same in this material?

    `profile` and `evaluators` are frozen as they were at acceptance. `judged_at`: every verdict is there;
    `finished_at`: the continuity sheet is too. A check of an enforcement grows with its attempts.
    """

    __tablename__ = "consistency_checks"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("generations", "generation_id"),
        Index("ix_consistency_checks_list", "tenant_id", "production_id", "created_at", "id"),
        CheckConstraint(
            "state in ('queued','running','waiting','succeeded','failed','canceled')", name="state"
        ),
    )

    production_id: Mapped[UUID]
    generation_id: Mapped[UUID | None]  # of the enforcement it serves
    state: Mapped[str] = mapped_column(Text, default="queued")
    waiting_for: Mapped[str | None] = mapped_column(Text)  # why it waits: an evaluator that is down
    sampling: Mapped[dict[str, Any]] = mapped_column(default=dict)
    evaluators: Mapped[list[Any]] = mapped_column(default=list)
    profile: Mapped[dict[str, Any]] = mapped_column(default=dict)
    second_opinion: Mapped[str | None] = mapped_column(Text)  # a model's id
    external_ref: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[UUID | None]
    requested_by_person: Mapped[UUID | None]
    verdict: Mapped[str | None] = mapped_column(Text)  # the worst of its results
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)  # per subject, across the shots
    sheet_media_id: Mapped[UUID | None]
    sheet_pdf_media_id: Mapped[UUID | None]
    failure_code: Mapped[str | None] = mapped_column(Text)
    ledger_entry_id: Mapped[UUID | None]
    judged_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class CheckSubject(TenantRecord):
    """A character that a check asks about. Without a look, each shot's own look of it holds."""

    __tablename__ = "check_subjects"
    __table_args__ = (
        tenant_key(),
        belongs_to("consistency_checks", "check_id"),
        belongs_to("characters", "character_id"),
        belongs_to("looks", "look_id"),
        UniqueConstraint("tenant_id", "check_id", "character_id", "look_id"),
        Index(None, "tenant_id", "character_id"),
    )

    check_id: Mapped[UUID]
    position: Mapped[int]
    character_id: Mapped[UUID]
    look_id: Mapped[UUID | None]


class CheckMaterial(TenantRecord):
    """One file of a check, in story order. `expected`: the characters that must be in it; null, nobody said."""

    __tablename__ = "check_materials"
    __table_args__ = (
        tenant_key(),
        belongs_to("consistency_checks", "check_id"),
        belongs_to("media_files", "media_id"),
        belongs_to("takes", "take_id"),
        belongs_to("shots", "shot_id"),
        UniqueConstraint("tenant_id", "check_id", "position"),
        Index(None, "tenant_id", "media_id"),
        CheckConstraint("state in ('queued','judged','unreadable')", name="state"),
    )

    check_id: Mapped[UUID]
    position: Mapped[int]
    media_id: Mapped[UUID]
    take_id: Mapped[UUID | None]
    shot_id: Mapped[UUID | None]
    expected: Mapped[list[Any] | None]
    state: Mapped[str] = mapped_column(Text, default="queued")
    problem_code: Mapped[str | None] = mapped_column(Text)
    problem_detail: Mapped[str | None] = mapped_column(Text)
    judged_at: Mapped[datetime | None]


class Judgement(TenantRecord):
    """One subject judged in one file. Found again by `key`, which is made of everything it depends on, so that a
    later check of the same file costs nothing. `crop` is sealed: a likeness."""

    __tablename__ = "judgements"
    __table_args__ = (
        tenant_key(),
        belongs_to("media_files", "media_id"),
        belongs_to("characters", "character_id"),
        belongs_to("looks", "look_id"),
        UniqueConstraint("tenant_id", "key"),
        Index(None, "tenant_id", "character_id"),
        Index(None, "tenant_id", "media_id"),
        CheckConstraint("verdict in ('pass','fail','needs_human','not_assessable')", name="verdict"),
    )

    key: Mapped[str] = mapped_column(Text)
    media_id: Mapped[UUID]
    character_id: Mapped[UUID]
    look_id: Mapped[UUID]
    reference_set_id: Mapped[UUID]
    verdict: Mapped[str] = mapped_column(Text)
    score: Mapped[float | None]  # probability of the statistic that the profile asks for
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)  # per aspect
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    worst_frame: Mapped[int | None]
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the judgement whole
    frames: Mapped[list[Any]] = mapped_column(default=list)
    beside: Mapped[dict[str, Any]] = mapped_column(default=dict)  # likeness to neighbours, by their judgement
    evaluators: Mapped[list[Any]] = mapped_column(default=list)
    opinion: Mapped[dict[str, Any] | None]  # what a second opinion changed, without its words
    opinion_text: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed
    figure: Mapped[int | None]  # of the worst frame
    crop: Mapped[bytes | None] = mapped_column(LargeBinary)


class CheckResult(TenantRecord):
    """One judgement as part of a check."""

    __tablename__ = "check_results"
    __table_args__ = (
        tenant_key(),
        belongs_to("consistency_checks", "check_id"),
        belongs_to("check_materials", "material_id"),
        belongs_to("check_subjects", "subject_id"),
        belongs_to("judgements", "judgement_id"),
        UniqueConstraint("tenant_id", "material_id", "subject_id"),
        Index(None, "tenant_id", "check_id"),
        Index(None, "tenant_id", "judgement_id"),
    )

    check_id: Mapped[UUID]
    material_id: Mapped[UUID]
    subject_id: Mapped[UUID]
    judgement_id: Mapped[UUID]


class Enforcement(TenantRecord):
    """Make takes of a generation until one passes, inside its caps. Its check judges every attempt."""

    __tablename__ = "enforcements"
    __table_args__ = (
        tenant_key(),
        belongs_to("generations", "generation_id"),
        belongs_to("consistency_checks", "check_id"),
        belongs_to("takes", "best_take_id"),
        UniqueConstraint("tenant_id", "generation_id"),
        UniqueConstraint("tenant_id", "check_id"),
        CheckConstraint("state in ('running','passed','needs_review','failed','canceled')", name="state"),
        CheckConstraint("on_exhausted in ('keep_best_for_review','fail')", name="on_exhausted"),
    )

    generation_id: Mapped[UUID]
    check_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(Text, default="running")
    stop_reason: Mapped[str | None] = mapped_column(Text)
    max_attempts: Mapped[int]
    max_cost_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    deadline_at: Mapped[datetime | None]
    on_exhausted: Mapped[str] = mapped_column(Text)
    on_needs_human: Mapped[str] = mapped_column(Text, default="review")
    ladder: Mapped[list[Any]] = mapped_column(default=list)  # served rungs, in order
    unsupported: Mapped[list[Any]] = mapped_column(default=list)  # rungs nobody serves, with the reason
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)  # other models, approved frames
    best_take_id: Mapped[UUID | None]
    requested_by: Mapped[UUID | None]
    requested_by_person: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]


class EnforcementAttempt(TenantRecord):
    """One take of an enforcement: what was changed, why, and what came of it."""

    __tablename__ = "enforcement_attempts"
    __table_args__ = (
        tenant_key(),
        belongs_to("enforcements", "enforcement_id"),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "take_id"),
        UniqueConstraint("tenant_id", "enforcement_id", "number"),
    )

    enforcement_id: Mapped[UUID]
    take_id: Mapped[UUID]
    number: Mapped[int]
    rung: Mapped[str] = mapped_column(Text)  # `first`, or a rung of the ladder
    changed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    why: Mapped[dict[str, Any]] = mapped_column(default=dict)
    verdict: Mapped[str | None] = mapped_column(Text)
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    judged_at: Mapped[datetime | None]


class EvaluatorCall(TenantRecord):
    """One paid call to a model that judges: an embedding or a second opinion. Committed before the call."""

    __tablename__ = "evaluator_calls"
    __table_args__ = (
        tenant_key(),
        belongs_to("consistency_checks", "check_id"),
        belongs_to("media_files", "media_id"),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        Index(None, "tenant_id", "check_id"),
        Index(None, "tenant_id", "created_at"),
    )

    check_id: Mapped[UUID | None]
    media_id: Mapped[UUID]
    production_id: Mapped[UUID | None]  # whose budgets it counts in
    shot_id: Mapped[UUID | None]
    model_id: Mapped[str] = mapped_column(Text)
    evaluator: Mapped[str] = mapped_column(Text)
    request_hash: Mapped[str] = mapped_column(Text)  # keyed
    estimate_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    billed: Mapped[str | None] = mapped_column(Text)  # true | false | unknown
    outcome: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]
