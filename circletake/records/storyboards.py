"""Storyboards, their panels, and what was drawn from them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Storyboard(TenantRecord):
    """`number` counts in the production. `title`, `script_ref` and `scene` are sealed. `version` counts every change,
    of the panels too. A deleted one keeps its row and number; its panels and words are gone."""

    __tablename__ = "storyboards"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("sequences", "sequence_id"),
        UniqueConstraint("tenant_id", "production_id", "number"),
        Index("ix_storyboards_list", "tenant_id", "created_at", "id"),
        Index("ix_storyboards_production", "tenant_id", "production_id", "created_at", "id"),
    )

    production_id: Mapped[UUID]
    sequence_id: Mapped[UUID | None]
    number: Mapped[int]
    title: Mapped[bytes | None] = mapped_column(LargeBinary)
    script_ref: Mapped[bytes | None] = mapped_column(LargeBinary)
    scene: Mapped[bytes | None] = mapped_column(LargeBinary)
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None]


class StoryboardPanel(TenantRecord):
    """`number` is its place, from 1, without gaps. `media_id` is the picture, the take's file where it shows a take.
    The words are sealed; `duration_frames` is at the production's frame rate."""

    __tablename__ = "storyboard_panels"
    __table_args__ = (
        tenant_key(),
        belongs_to("storyboards", "storyboard_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("takes", "take_id"),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "storyboard_id", "number"),
        CheckConstraint("duration_frames > 0", name="duration"),
    )

    storyboard_id: Mapped[UUID]
    number: Mapped[int]
    shot_id: Mapped[UUID | None]
    take_id: Mapped[UUID | None]
    media_id: Mapped[UUID | None]
    caption: Mapped[bytes | None] = mapped_column(LargeBinary)
    dialogue: Mapped[bytes | None] = mapped_column(LargeBinary)
    action: Mapped[bytes | None] = mapped_column(LargeBinary)
    camera: Mapped[bytes | None] = mapped_column(LargeBinary)
    ai_generated_text: Mapped[bool] = mapped_column(default=False)  # a language model proposed the words
    duration_frames: Mapped[int]


class StoryboardOutput(TenantRecord):
    """A drawing (PDF and stills) or an animatic (MP4 and OTIO) of one version of a storyboard.

    `plan` is sealed: what is drawn, as it stood when it was asked for. `fingerprint` is a keyed hash of it: the same
    thing is never drawn twice. `stills_key` is one of the pictures alone: two outputs with the same share their
    stills.
    """

    __tablename__ = "storyboard_outputs"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("storyboards", "storyboard_id"),
        UniqueConstraint("tenant_id", "fingerprint"),
        Index("ix_storyboard_outputs_list", "tenant_id", "storyboard_id", "created_at", "id"),
        CheckConstraint("kind in ('drawing','animatic')", name="kind"),
        CheckConstraint("state in ('queued','ready','failed')", name="state"),
    )

    production_id: Mapped[UUID]
    storyboard_id: Mapped[UUID]
    storyboard_version: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    plan: Mapped[bytes] = mapped_column(LargeBinary)
    fingerprint: Mapped[str] = mapped_column(Text)
    stills_key: Mapped[str] = mapped_column(Text)
    panels: Mapped[int]
    frame_count: Mapped[int]
    frame_rate: Mapped[str] = mapped_column(Text)  # rational
    state: Mapped[str] = mapped_column(Text, default="queued")
    pages: Mapped[int | None]
    failure_code: Mapped[str | None] = mapped_column(Text)  # of a ready one: what is missing
    remarks: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))  # {panel, code}
    ledger_entry_id: Mapped[UUID]
    asked_by: Mapped[UUID | None]  # the API key
    asked_by_person: Mapped[UUID | None]
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class StoryboardFile(TenantRecord):
    """A file of an output. `number` is the panel's of a still, else 0; `source_media_id` the picture it shows."""

    __tablename__ = "storyboard_files"
    __table_args__ = (
        tenant_key(),
        belongs_to("storyboard_outputs", "output_id"),
        belongs_to("media_files", "media_id"),
        belongs_to("media_files", "source_media_id"),
        UniqueConstraint("tenant_id", "output_id", "part", "number"),
        Index(None, "tenant_id", "source_media_id"),
        CheckConstraint("part in ('still','document','video','timeline','manifest')", name="part"),
    )

    output_id: Mapped[UUID]
    part: Mapped[str] = mapped_column(Text)
    number: Mapped[int]
    media_id: Mapped[UUID]
    source_media_id: Mapped[UUID | None]
