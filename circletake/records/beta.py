"""The beta programme: invitations, their acceptance, features by studio, feedback by take."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Invitation(TenantRecord):
    """The operator invited a studio under a version of the NDA. The newest one counts."""

    __tablename__ = "invitations"
    __table_args__ = (
        tenant_key(),
        Index("ix_invitations_list", "created_at", "id"),
        Index(
            "uq_invitations_standing", "tenant_id", unique=True, postgresql_where=text("revoked_at is null")
        ),
    )

    nda_version: Mapped[str] = mapped_column(Text)
    nda_url: Mapped[str | None] = mapped_column(Text)
    nda_sha256: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class NdaAcceptance(TenantRecord):
    """A person accepted an invitation's NDA for their studio. Append-only."""

    __tablename__ = "nda_acceptances"
    __table_args__ = (
        tenant_key(),
        belongs_to("invitations", "invitation_id"),
        UniqueConstraint("tenant_id", "invitation_id"),
    )

    invitation_id: Mapped[UUID]
    nda_version: Mapped[str] = mapped_column(Text)
    person_id: Mapped[UUID]


class TenantFeature(TenantRecord):
    """A feature that the operator opened or closed for a studio; without a row it is open."""

    __tablename__ = "tenant_features"
    __table_args__ = (tenant_key(), UniqueConstraint("tenant_id", "feature"))

    feature: Mapped[str] = mapped_column(Text)
    open: Mapped[bool]
    changed_at: Mapped[datetime]


class TakeFeedback(TenantRecord):
    """What a person thinks of a take; one for each, the newest. `comment` is sealed."""

    __tablename__ = "take_feedback"
    __table_args__ = (
        tenant_key(),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "take_id", "person_id"),
        Index("ix_take_feedback_said_at", "said_at"),
        CheckConstraint("rating between 1 and 5", name="rating"),
        CheckConstraint("minutes_saved between -100000 and 100000", name="minutes"),
    )

    take_id: Mapped[UUID]
    person_id: Mapped[UUID]
    rating: Mapped[int]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    would_use_in_cut: Mapped[bool]
    minutes_saved: Mapped[int | None]  # against doing it without; negative where it cost time
    comment: Mapped[bytes | None] = mapped_column(LargeBinary)
    said_at: Mapped[datetime]
