"""Policy packs of a studio, the signatures on them, which productions go by them, and what came of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class PolicyPack(TenantRecord):
    """One version of a pack: a studio's own, or a shipped one as it was when the studio's counsel signed it, so that
    what was signed stays what applies. Never changed; `title` and `text` are sealed."""

    __tablename__ = "policy_packs"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "pack_id", "version"),
        CheckConstraint("origin in ('own','shipped')", name="origin"),
    )

    pack_id: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    dated: Mapped[date]
    rules: Mapped[int]  # how many
    title: Mapped[bytes] = mapped_column(LargeBinary)
    text: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[UUID | None]  # the key
    created_by_person: Mapped[UUID | None]


class PackSignature(TenantRecord):
    """A person signed one version of a pack as the studio's counsel, by the hash of its text. While it isn't
    withdrawn, the version is active. `reference` and `reason` are sealed."""

    __tablename__ = "pack_signatures"
    __table_args__ = (
        tenant_key(),
        belongs_to("policy_packs", "policy_pack_id"),
        Index(
            "uq_pack_signatures_standing",
            "tenant_id",
            "policy_pack_id",
            unique=True,
            postgresql_where=text("withdrawn_at is null"),
        ),
        Index(None, "tenant_id", "policy_pack_id"),
    )

    policy_pack_id: Mapped[UUID]
    sha256: Mapped[str] = mapped_column(Text)
    signed_by: Mapped[UUID]  # the person
    reference: Mapped[bytes | None] = mapped_column(LargeBinary)
    ledger_entry_id: Mapped[UUID]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[UUID | None]
    reason: Mapped[bytes | None] = mapped_column(LargeBinary)


class ProductionPack(TenantRecord):
    """A production goes by a version of a pack until somebody drops it."""

    __tablename__ = "production_packs"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("policy_packs", "policy_pack_id"),
        Index(
            "uq_production_packs_chosen",
            "tenant_id",
            "production_id",
            "policy_pack_id",
            unique=True,
            postgresql_where=text("dropped_at is null"),
        ),
        Index(None, "tenant_id", "policy_pack_id"),
    )

    production_id: Mapped[UUID]
    policy_pack_id: Mapped[UUID]
    chosen_by: Mapped[UUID]  # the person
    dropped_at: Mapped[datetime | None]
    dropped_by: Mapped[UUID | None]


class PolicyEvaluation(TenantRecord):
    """What the packs said of a generation when it was accepted: frozen, with the facts that they looked at."""

    __tablename__ = "policy_evaluations"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("generations", "generation_id"),
        Index(None, "tenant_id", "generation_id"),
        CheckConstraint(
            "outcome in ('no_rule_hit','notify','needs_approval','prohibited')",
            name="outcome",
        ),
    )

    production_id: Mapped[UUID]
    generation_id: Mapped[UUID]
    outcome: Mapped[str] = mapped_column(Text)
    hits: Mapped[list[Any]]  # [{rule, pack_id, version, outcome, released_by, requires}]
    packs: Mapped[list[Any]]  # [{pack_id, version, sha256}]: those that were looked at
    not_active: Mapped[list[Any]]  # chosen, and without a signature
    facts: Mapped[dict[str, Any]]  # words, numbers and answers


class Disclosure(TenantRecord):
    """Somebody was told that material they were given was made by AI, or has such material in it. Append-only.

    What: a take, a media file, or a text of the studio's own by `text_ref`. `name` and `note` are sealed.
    """

    __tablename__ = "disclosures"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("takes", "take_id"),
        belongs_to("media_files", "media_id"),
        Index("ix_disclosures_list", "tenant_id", "created_at", "id"),
        Index("ix_disclosures_production", "tenant_id", "production_id", "role"),
        CheckConstraint("num_nonnulls(take_id, media_id, text_ref) = 1", name="what"),
        CheckConstraint("extent in ('generated','incorporates')", name="extent"),
    )

    production_id: Mapped[UUID]
    take_id: Mapped[UUID | None]
    media_id: Mapped[UUID | None]
    text_ref: Mapped[str | None] = mapped_column(Text)
    extent: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    name: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    disclosed_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None]  # the key
    recorded_by_person: Mapped[UUID | None]
