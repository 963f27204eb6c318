"""How much of the picture AI made: per take, per cut, and how much of it may be."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Exposure(TenantRecord):
    """What of a take's frames a model drew (`generated`) and where it changed grain or noise only (`enhanced`)."""

    __tablename__ = "exposures"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "take_id"),
    )

    production_id: Mapped[UUID]
    take_id: Mapped[UUID]
    generated_fraction: Mapped[float]  # mean over the frames, 0-1
    enhanced_fraction: Mapped[float]
    frames: Mapped[list[Any]] = mapped_column(default=list)  # [[frames, generated, enhanced]], runs in 1/1000
    frame_count: Mapped[int]
    frames_per_second: Mapped[float | None]  # null: a still
    measured: Mapped[str] = mapped_column(Text)  # pixels | no_plate


class Cut(TenantRecord):
    """An editor's timeline. At most one of a production counts. `names` is sealed: the clips' names, by number."""

    __tablename__ = "cuts"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        Index("ix_cuts_list", "tenant_id", "production_id", "created_at", "id"),
        Index("uq_cuts_active", "tenant_id", "production_id", unique=True, postgresql_where=text("active")),
        CheckConstraint("state in ('queued','ready','refused')", name="state"),
        CheckConstraint("format in ('otio','edl')", name="format"),
    )

    production_id: Mapped[UUID]
    format: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    object_key: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="queued")
    active: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    frame_rate: Mapped[str] = mapped_column(Text)  # rational; until it is read, the one that was asked for
    frame_count: Mapped[int | None]
    names: Mapped[bytes | None] = mapped_column(LargeBinary)
    problem_code: Mapped[str | None] = mapped_column(Text)
    problem_detail: Mapped[str | None] = mapped_column(Text)  # our own words
    posted_by: Mapped[UUID | None]  # the API key
    posted_by_person: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]


class CutClip(TenantRecord):
    """A clip of a cut, in frames of the cut's rate. `spans` are what is seen of it: [[first, first after it]]."""

    __tablename__ = "cut_clips"
    __table_args__ = (
        tenant_key(),
        belongs_to("cuts", "cut_id"),
        belongs_to("takes", "take_id"),
        belongs_to("shots", "shot_id"),
        UniqueConstraint("tenant_id", "cut_id", "number"),
        Index(None, "tenant_id", "take_id"),
    )

    cut_id: Mapped[UUID]
    number: Mapped[int]  # in the order of the file, from 0
    record_in: Mapped[int]
    record_out: Mapped[int]  # the first frame after it
    spans: Mapped[list[Any]] = mapped_column(default=list)
    source_in: Mapped[str] = mapped_column(Text)  # rational, frames at `source_rate`
    source_rate: Mapped[str] = mapped_column(Text)
    media_in: Mapped[str | None] = mapped_column(Text)  # the media's first frame, where the file says it
    speed: Mapped[str] = mapped_column(Text)  # rational: source frames per frame shown
    take_id: Mapped[UUID | None]
    shot_id: Mapped[UUID | None]
    # take_id media_id sha256 file_name shot_code, or null
    matched_by: Mapped[str | None] = mapped_column(Text)


class ExposureLimit(TenantRecord):
    """How much AI there may be in a production, a sequence or a shot. `value` is a fraction, 0-1."""

    __tablename__ = "exposure_limits"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("sequences", "sequence_id"),
        belongs_to("shots", "shot_id"),
        Index(
            "ix_exposure_limits_production",
            "tenant_id",
            "production_id",
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("metric in ('share_of_shots','screen_time','frame_fraction')", name="metric"),
        CheckConstraint("action in ('warn','hold','block')", name="action"),
        CheckConstraint("value >= 0 and value <= 1", name="value"),
    )

    production_id: Mapped[UUID]
    sequence_id: Mapped[UUID | None]
    shot_id: Mapped[UUID | None]
    metric: Mapped[str] = mapped_column(Text)
    value: Mapped[Decimal] = mapped_column(Numeric(7, 6))
    action: Mapped[str] = mapped_column(Text)
    set_by: Mapped[UUID | None]  # the person
    ended_at: Mapped[datetime | None]
