"""On what ground inputs may be used, which faces were found in them, and which of these a person cleared."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class RightsRecord(TenantRecord):
    """What was said of a file's rights, and by whom. Append-only: the newest `number` holds, the others say what was
    said before. `licensor`, `evidence_note` and `override_reason` are sealed content."""

    __tablename__ = "rights_records"
    __table_args__ = (
        tenant_key(),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "media_id", "number"),
        CheckConstraint("basis in ('owned','licensed','work_for_hire','public_domain')", name="basis"),
        CheckConstraint(
            "not ai_inference_override or (by_person is not null and override_reason is not null)",
            name="override",
        ),
    )

    media_id: Mapped[UUID]
    number: Mapped[int]
    basis: Mapped[str] = mapped_column(Text)
    licence_id: Mapped[str | None] = mapped_column(Text)
    licensor: Mapped[bytes | None] = mapped_column(LargeBinary)
    term_from: Mapped[date | None]
    term_until: Mapped[date | None]  # its last day
    evidence_sha256: Mapped[str | None] = mapped_column(Text)
    evidence_note: Mapped[bytes | None] = mapped_column(LargeBinary)
    ai_inference_override: Mapped[bool] = mapped_column(default=False)
    override_reason: Mapped[bytes | None] = mapped_column(LargeBinary)
    by_key: Mapped[UUID | None]
    by_person: Mapped[UUID | None]


class Screening(TenantRecord):
    """The faces that one version of the screener found in the region of one picture: the white area of a matte, or the
    whole. Kept so that the next request over the same pictures is decided without looking again.

    `faces`: [{box, face_px, confidence, share, doubts, likeness, crop}]; `share` is how much of the face lies in the
    region, `likeness` the probability per reference set in `compared`, `crop` a key in the bucket. `body` is sealed:
    the faces' features are biometric data.
    """

    __tablename__ = "screenings"
    __table_args__ = (
        tenant_key(),
        belongs_to("media_files", "media_id"),
        belongs_to("media_files", "matte_id"),
        Index(
            "uq_screenings_subject",
            "tenant_id",
            "media_id",
            "matte_id",
            "evaluator",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("state in ('seen','unreadable')", name="state"),
    )

    media_id: Mapped[UUID]
    matte_id: Mapped[UUID | None]
    evaluator: Mapped[str] = mapped_column(Text)  # name@version
    state: Mapped[str] = mapped_column(Text)
    problem_code: Mapped[str | None] = mapped_column(Text)
    width: Mapped[int | None]
    height: Mapped[int | None]
    faces: Mapped[list[Any]] = mapped_column(default=list)
    compared: Mapped[list[Any]] = mapped_column(default=list)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class ClearedFace(TenantRecord):
    """A person looked at a face (or, without a box, at a picture that couldn't be screened) and cleared it, for this
    picture, matte and production. `note` is sealed content."""

    __tablename__ = "cleared_faces"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("media_files", "media_id"),
        belongs_to("media_files", "matte_id"),
        belongs_to("characters", "character_id"),
        belongs_to("holds", "hold_id"),
        Index("ix_cleared_faces_media", "tenant_id", "media_id"),
        CheckConstraint("decision in ('depicted_character','no_likeness','not_a_person')", name="decision"),
        CheckConstraint("(decision = 'depicted_character') = (character_id is not null)", name="character"),
    )

    production_id: Mapped[UUID]
    media_id: Mapped[UUID]
    matte_id: Mapped[UUID | None]
    box: Mapped[list[Any] | None]  # left, top, width, height
    decision: Mapped[str] = mapped_column(Text)
    character_id: Mapped[UUID | None]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    hold_id: Mapped[UUID | None]
    cleared_by: Mapped[UUID]  # the person
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
