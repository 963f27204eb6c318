"""Performers, whom they portray, what they consented to, and the records that stand beside a consent."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Performer(TenantRecord):
    """A human with rights in a likeness. `name`, `contact` and `guardian` are sealed; a deleted one has none of them
    and keeps its row as a tombstone."""

    __tablename__ = "performers"
    __table_args__ = (tenant_key(), Index("ix_performers_list", "tenant_id", "created_at", "id"))

    name: Mapped[bytes | None] = mapped_column(LargeBinary)
    contact: Mapped[bytes | None] = mapped_column(LargeBinary)
    guardian: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_minor: Mapped[bool] = mapped_column(default=False)
    deceased: Mapped[bool] = mapped_column(default=False)
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    deleted_at: Mapped[datetime | None]


class Portrayal(TenantRecord):
    """A performer stands for a character. While it hasn't ended, the character can't be made without permission.

    A `likeness` names what was made from the performer's photographs: a reference set, or one picture.
    """

    __tablename__ = "portrayals"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("characters", "character_id"),
        belongs_to("performers", "performer_id"),
        belongs_to("reference_sets", "reference_set_id"),
        belongs_to("media_files", "media_id"),
        # what the gate asks
        Index(
            "ix_portrayals_character", "tenant_id", "character_id", postgresql_where=text("ended_at is null")
        ),
        Index(
            "ix_portrayals_production",
            "tenant_id",
            "production_id",
            postgresql_where=text("ended_at is null"),
        ),
        Index("ix_portrayals_performer", "tenant_id", "performer_id"),
        Index(
            "uq_portrayals_current",
            "tenant_id",
            "character_id",
            "performer_id",
            "kind",
            "reference_set_id",
            "media_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("ended_at is null"),
        ),
        CheckConstraint("kind in ('performs','doubles','voice','likeness')", name="kind"),
    )

    production_id: Mapped[UUID]  # the character's, repeated
    character_id: Mapped[UUID]
    performer_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    since: Mapped[date | None]
    reference_set_id: Mapped[UUID | None]
    media_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]  # the key
    created_by_person: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]  # the person


class Consent(TenantRecord):
    """A performer's permission, from draft to end. `description`, `signer_name` and `note` are sealed.

    `state` says what people decided; a granted one whose term is over counts as expired from that midnight on,
    whether or not anybody has written it down yet. What is granted is never edited.
    """

    __tablename__ = "consents"
    __table_args__ = (
        tenant_key(),
        belongs_to("performers", "performer_id"),
        Index("ix_consents_performer", "tenant_id", "performer_id", "created_at", "id"),
        Index("ix_consents_list", "tenant_id", "created_at", "id"),
        CheckConstraint(
            "state in ('draft','requested','granted','declined','expired','revoked')", name="state"
        ),
        CheckConstraint(
            "replica_type in ('employment_based','independently_created','background','digital_alteration')",
            name="replica_type",
        ),
        CheckConstraint(
            "signer_role in ('performer','representative','estate','union','guardian')", name="signer_role"
        ),
        CheckConstraint(
            "state not in ('granted','expired','revoked')"
            " or (signed_on is not null and granted_at is not null and document_sha256 is not null)",
            name="signed",
        ),
    )

    performer_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(Text, default="draft")
    replica_type: Mapped[str] = mapped_column(Text)
    description: Mapped[bytes | None] = mapped_column(LargeBinary)
    production_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    shot_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    sequence_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    media: Mapped[list[str]] = mapped_column(ARRAY(Text))
    territories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]  # the term's last day
    no_end: Mapped[bool] = mapped_column(default=False)
    # of a granted one: the midnight when its term is over in every production it names; the gate asks the use's own
    ends_at: Mapped[datetime | None]
    signer_role: Mapped[str | None] = mapped_column(Text)
    signer_name: Mapped[bytes | None] = mapped_column(LargeBinary)
    signed_on: Mapped[date | None]
    document_sha256: Mapped[str | None] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID | None]  # the key
    created_by_person: Mapped[UUID | None]
    requested_at: Mapped[datetime | None]
    granted_at: Mapped[datetime | None]
    granted_by: Mapped[UUID | None]  # the person, as below
    declined_at: Mapped[datetime | None]
    declined_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
    expiring_told_at: Mapped[datetime | None]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)  # of the one who decided last
    version: Mapped[int] = mapped_column(default=1)


class ConsentDocument(TenantRecord):
    """The signed paper, sealed under the tenant's data key: here, so that it and its hash are one transaction."""

    __tablename__ = "consent_documents"
    __table_args__ = (
        tenant_key(),
        belongs_to("consents", "consent_id", ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "consent_id"),
    )

    consent_id: Mapped[UUID]
    media_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ConsentExemption(TenantRecord):
    """A person's statement that an alteration of a recording needs no consent. `explanation` is sealed."""

    __tablename__ = "consent_exemptions"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("characters", "character_id"),
        belongs_to("performers", "performer_id"),
        Index("ix_consent_exemptions_list", "tenant_id", "production_id", "created_at", "id"),
    )

    production_id: Mapped[UUID]
    character_id: Mapped[UUID]
    performer_id: Mapped[UUID]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    shot_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    reason: Mapped[str] = mapped_column(Text)
    explanation: Mapped[bytes] = mapped_column(LargeBinary)
    until: Mapped[date]  # its last day
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None]  # the person
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]


class CompensationEvent(TenantRecord):
    """A performer was paid for the use of their likeness. Append-only: a mistake is corrected by a negative amount.
    `note` is sealed."""

    __tablename__ = "compensation_events"
    __table_args__ = (
        tenant_key(),
        belongs_to("performers", "performer_id"),
        belongs_to("consents", "consent_id"),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        Index("ix_compensation_events_list", "tenant_id", "performer_id", "created_at", "id"),
        CheckConstraint("basis in ('day','fee')", name="basis"),
    )

    performer_id: Mapped[UUID]
    consent_id: Mapped[UUID | None]
    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    basis: Mapped[str] = mapped_column(Text)
    units: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    currency: Mapped[str] = mapped_column(Text)
    paid_at: Mapped[datetime]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    external_ref: Mapped[str | None] = mapped_column(Text)
    recorded_by: Mapped[UUID | None]  # the key
    recorded_by_person: Mapped[UUID | None]


class SyntheticPerformerNotice(TenantRecord):
    """The union was told of a synthetic performer: a human character whom no performer portrays.
    `value_statement` is sealed."""

    __tablename__ = "synthetic_performer_notices"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("characters", "character_id"),
        Index("ix_synthetic_performer_notices_list", "tenant_id", "production_id", "created_at", "id"),
        Index(None, "tenant_id", "character_id"),
        CheckConstraint(
            "bargaining_status in ('notified','bargaining','agreed','in_arbitration','no_agreement')",
            name="bargaining_status",
        ),
    )

    production_id: Mapped[UUID]
    character_id: Mapped[UUID]
    value_statement: Mapped[bytes] = mapped_column(LargeBinary)
    notice_on: Mapped[date]
    bargaining_status: Mapped[str] = mapped_column(Text, default="notified")
    recorded_by: Mapped[UUID | None]  # the person
    version: Mapped[int] = mapped_column(default=1)
