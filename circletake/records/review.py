"""Review: versions, what was said of them, who was consulted, who made which creative choice; previews."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import Record, TenantRecord, belongs_to, tenant_key


class Version(TenantRecord):
    """A circled take that was submitted to review: `v001` of its shot, or of its production for concept work.

    `requested_by` and `requested_by_person` are the generation's, repeated: nobody approves what they asked for.
    `approved_by` and `approved_at` are of the approval that stands, and null while none does.
    """

    __tablename__ = "versions"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("generations", "generation_id"),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "take_id"),
        Index(
            "ix_versions_shot_number",
            "tenant_id",
            "shot_id",
            "number",
            unique=True,
            postgresql_where=text("shot_id is not null"),
        ),
        Index(
            "ix_versions_concept_number",
            "tenant_id",
            "production_id",
            "number",
            unique=True,
            postgresql_where=text("shot_id is null"),
        ),
        Index("ix_versions_list", "tenant_id", "created_at", "id"),
        Index("ix_versions_waiting", "tenant_id", "changed_at", "id", postgresql_where=text("state = 'wfa'")),
        CheckConstraint("state in ('wip','wfa','retake','approved','on_hold','omitted')", name="state"),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    generation_id: Mapped[UUID]
    take_id: Mapped[UUID]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    submitted_by: Mapped[UUID]  # the person
    requested_by: Mapped[UUID | None]
    requested_by_person: Mapped[UUID | None]
    changed_by: Mapped[UUID]
    changed_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]


class VersionNote(TenantRecord):
    """Something a person said of a version, or a change of its state, or both. Append-only; `note` is sealed.

    `frame` counts as the shot does; `region` is {left, top, width, height}, in fractions of the frame.
    """

    __tablename__ = "version_notes"
    __table_args__ = (
        tenant_key(),
        belongs_to("versions", "version_id"),
        Index("ix_version_notes_list", "tenant_id", "version_id", "created_at", "id"),
    )

    version_id: Mapped[UUID]
    person_id: Mapped[UUID]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    frame: Mapped[int | None]
    region: Mapped[dict[str, Any] | None]
    from_state: Mapped[str | None] = mapped_column(Text)
    to_state: Mapped[str | None] = mapped_column(Text)


class Consultation(TenantRecord):
    """Somebody of the production was consulted about creative elements. Append-only.

    About a version, about a shot, or with neither about the whole production. Who: one of the studio's people, or
    `name`, which is sealed, as `note` is.
    """

    __tablename__ = "consultations"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("versions", "version_id"),
        Index("ix_consultations_list", "tenant_id", "production_id", "created_at", "id"),
        CheckConstraint("(person_id is null) <> (name is null)", name="who"),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    version_id: Mapped[UUID | None]
    role: Mapped[str] = mapped_column(Text)
    person_id: Mapped[UUID | None]
    name: Mapped[bytes | None] = mapped_column(LargeBinary)
    held_on: Mapped[date]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    recorded_by: Mapped[UUID]  # the person who entered it


class AuthorshipEntry(TenantRecord):
    """What a person did to a take: the log that a registration of copyright rests on. Append-only.

    Who: one of the studio's people, or `name`, which is sealed, as `note` is. An entry that an act wrote by itself
    names the act.
    """

    __tablename__ = "authorship_entries"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("takes", "take_id"),
        belongs_to("versions", "version_id"),
        belongs_to("take_acts", "act_id"),
        Index("ix_authorship_entries_list", "tenant_id", "production_id", "created_at", "id"),
        Index("ix_authorship_entries_take", "tenant_id", "take_id", "created_at", "id"),
        CheckConstraint("(person_id is null) <> (name is null)", name="who"),
        CheckConstraint(
            "what in ('selected','arranged','masked','painted','edited','prompted')", name="what"
        ),
    )

    production_id: Mapped[UUID]
    take_id: Mapped[UUID]
    version_id: Mapped[UUID | None]
    what: Mapped[str] = mapped_column(Text)
    person_id: Mapped[UUID | None]
    name: Mapped[bytes | None] = mapped_column(LargeBinary)
    done_on: Mapped[date]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    recorded_by: Mapped[UUID]
    act_id: Mapped[UUID | None]


class ReviewRules(TenantRecord):
    """What a studio demands of its own review; a studio without a row demands nothing. One row a studio."""

    __tablename__ = "review_rules"
    __table_args__ = (tenant_key(), UniqueConstraint("tenant_id"))

    approved_before_download: Mapped[bool]
    changed_by: Mapped[UUID]  # the person
    changed_at: Mapped[datetime]
    version: Mapped[int]


class Preview(TenantRecord):
    """A smaller picture of a take with a visible mark that names who asked for it. One for each take and viewer."""

    __tablename__ = "previews"
    __table_args__ = (
        tenant_key(),
        belongs_to("takes", "take_id"),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "take_id", "viewer"),
        CheckConstraint("state in ('queued','ready','failed')", name="state"),
    )

    take_id: Mapped[UUID]
    viewer: Mapped[UUID]  # the person's id, or the API key's
    viewer_is: Mapped[str] = mapped_column(Text)  # person | api_key
    state: Mapped[str] = mapped_column(Text, default="queued")
    asked_at: Mapped[datetime]
    media_id: Mapped[UUID | None]
    failure_code: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None]


class DigestTurn(Record):
    """When a studio's daily digest is due. Kept by the dispatcher."""

    __tablename__ = "digest_turns"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    due_at: Mapped[datetime]
