"""The film context: productions, episodes, sequences, shots."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Production(TenantRecord):
    __tablename__ = "productions"
    __table_args__ = (tenant_key(), UniqueConstraint("tenant_id", "code"))

    code: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    # an IANA name: terms of consents end at midnight there
    time_zone: Mapped[str] = mapped_column(Text, default="UTC", server_default="UTC")
    frame_rate: Mapped[str] = mapped_column(Text, default="24", server_default="24")  # rational: 24000/1001
    owned_source_only: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    labour_action_since: Mapped[datetime | None]  # while it is set, nothing of the production reaches a model
    version: Mapped[int] = mapped_column(default=1)


class Episode(TenantRecord):
    __tablename__ = "episodes"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        UniqueConstraint("tenant_id", "production_id", "code"),
    )

    production_id: Mapped[UUID]
    code: Mapped[str] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class Sequence(TenantRecord):
    __tablename__ = "sequences"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("episodes", "episode_id"),
        UniqueConstraint("tenant_id", "production_id", "code"),
    )

    production_id: Mapped[UUID]
    episode_id: Mapped[UUID | None]
    code: Mapped[str] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class Shot(TenantRecord):
    """`notes` is sealed content."""

    __tablename__ = "shots"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("sequences", "sequence_id"),
        UniqueConstraint("tenant_id", "production_id", "code"),
    )

    production_id: Mapped[UUID]
    sequence_id: Mapped[UUID | None]
    code: Mapped[str] = mapped_column(Text)
    frame_in: Mapped[int | None]
    frame_out: Mapped[int | None]
    notes: Mapped[bytes | None] = mapped_column(LargeBinary)
    conventional_bid_usd: Mapped[Decimal | None] = mapped_column(
        Numeric(14, 2)
    )  # what it would cost without AI
    external_ref: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
