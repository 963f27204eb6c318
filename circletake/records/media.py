"""Media files, the grants that were given for them, and verifications of files."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class MediaFile(TenantRecord):
    """A stored file. A withdrawn or refused one keeps its row as a tombstone; its object is gone."""

    __tablename__ = "media_files"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        Index("ix_media_files_sha256", "tenant_id", "sha256"),
        Index("ix_media_files_list", "tenant_id", "created_at", "id"),
        Index("ix_media_files_production", "tenant_id", "production_id", "created_at", "id"),
        Index(
            "ix_media_files_manifest_urn",
            "tenant_id",
            "manifest_urn",
            postgresql_where=text("manifest_urn is not null"),
        ),
        CheckConstraint("state in ('uploading','inspecting','ready','refused','withdrawn')", name="state"),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    role: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    colour_space: Mapped[str | None] = mapped_column(Text)
    first_frame: Mapped[int | None]
    last_frame: Mapped[int | None]
    rights_basis: Mapped[str] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="uploading")
    object_key: Mapped[str | None] = mapped_column(Text)  # where it is now
    etag: Mapped[str | None] = mapped_column(Text)
    upload_id: Mapped[str | None] = mapped_column(Text)  # of a multipart upload under way
    part_size: Mapped[int | None] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    probe: Mapped[dict[str, Any] | None]
    mining: Mapped[dict[str, Any] | None]  # what the file itself says of training, mining and inference
    problem_code: Mapped[str | None] = mapped_column(Text)
    problem_detail: Mapped[str | None] = mapped_column(Text)
    # outputs only
    generation_id: Mapped[UUID | None]
    take_id: Mapped[UUID | None]
    digital_source_type: Mapped[str | None] = mapped_column(Text)
    manifest_urn: Mapped[str | None] = mapped_column(Text)
    manifest_sha256: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None]


class Grant(TenantRecord):
    """A presigned URL that was given out: to whom, for what, until when. The URL itself is never kept."""

    __tablename__ = "grants"
    __table_args__ = (
        tenant_key(),
        belongs_to("media_files", "media_id"),
        Index(None, "tenant_id", "media_id"),
    )

    media_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(Text)  # upload | part | download
    part_number: Mapped[int | None]
    api_key_id: Mapped[UUID | None]
    person_id: Mapped[UUID | None]
    expires_at: Mapped[datetime]


class Verification(TenantRecord):
    """One question "what is known of this file?" and its answer."""

    __tablename__ = "verifications"
    __table_args__ = (tenant_key(),)

    media_id: Mapped[UUID | None]
    take_id: Mapped[UUID | None]
    object_key: Mapped[str | None] = mapped_column(Text)  # a file that was posted for this only
    media_type: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="queued")  # queued | done | failed
    result: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None]
