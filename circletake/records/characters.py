"""Characters, their looks, and the approved pictures that define a look."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Character(TenantRecord):
    """Someone in the script. `description` is sealed. A deleted one keeps its row, without content, as a tombstone."""

    __tablename__ = "characters"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        Index(
            "uq_characters_script_name",
            "tenant_id",
            "production_id",
            "script_name",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
        Index("ix_characters_list", "tenant_id", "production_id", "created_at", "id"),
        CheckConstraint("kind in ('human','creature','stylised','object')", name="kind"),
    )

    production_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    script_name: Mapped[str] = mapped_column(Text)
    description: Mapped[bytes | None] = mapped_column(LargeBinary)
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None]


class Look(TenantRecord):
    """One appearance of a character. `details` is sealed JSON: wardrobe, hair, age, wounds, notes."""

    __tablename__ = "looks"
    __table_args__ = (
        tenant_key(),
        belongs_to("characters", "character_id"),
        Index(
            "uq_looks_name",
            "tenant_id",
            "character_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
    )

    character_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    details: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None]


class LookShot(TenantRecord):
    """The character is in this shot, in this look: at most one look per character and shot."""

    __tablename__ = "look_shots"
    __table_args__ = (
        tenant_key(),
        belongs_to("looks", "look_id"),
        belongs_to("characters", "character_id"),
        belongs_to("shots", "shot_id"),
        UniqueConstraint("tenant_id", "character_id", "shot_id"),
        Index(None, "tenant_id", "shot_id"),
        Index(None, "tenant_id", "look_id"),
    )

    look_id: Mapped[UUID]
    character_id: Mapped[UUID]
    shot_id: Mapped[UUID]


class ReferenceSet(TenantRecord):
    """One version of the pictures that define a look: `draft`, then `approved`, then `superseded` by a later one."""

    __tablename__ = "reference_sets"
    __table_args__ = (
        tenant_key(),
        belongs_to("looks", "look_id"),
        UniqueConstraint("tenant_id", "look_id", "version"),
        Index(
            "uq_reference_sets_draft",
            "tenant_id",
            "look_id",
            unique=True,
            postgresql_where=text("state = 'draft'"),
        ),
        Index(
            "uq_reference_sets_approved",
            "tenant_id",
            "look_id",
            unique=True,
            postgresql_where=text("state = 'approved'"),
        ),
        CheckConstraint("state in ('draft','approved','superseded')", name="state"),
    )

    look_id: Mapped[UUID]
    version: Mapped[int]
    state: Mapped[str] = mapped_column(Text, default="draft")
    approved_by: Mapped[UUID | None]  # the API key: until people signed in, keys could
    approved_by_person: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    ledger_entry_id: Mapped[UUID | None]


class Reference(TenantRecord):
    """A picture of a reference set. `findings` says what is wrong with it; a person may keep it all the same."""

    __tablename__ = "references_of_looks"
    __table_args__ = (
        tenant_key(),
        belongs_to("reference_sets", "reference_set_id"),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "reference_set_id", "media_id"),
        Index(None, "tenant_id", "media_id"),
        CheckConstraint("state in ('inspecting','ready','unusable','waiting')", name="state"),
    )

    reference_set_id: Mapped[UUID]
    media_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(Text, default="inspecting")
    findings: Mapped[list[Any]] = mapped_column(default=list)  # [{code, detail}]
    figure: Mapped[int | None]  # which face of the picture is the character's
    box: Mapped[dict[str, Any] | None]
    face_px: Mapped[float | None]
    inspected_at: Mapped[datetime | None]
