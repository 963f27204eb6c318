"""Holds: what is accepted and not run, and the person who decided."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Hold(TenantRecord):
    """Of one take, or of all takes of a generation when `take_id` is null. `note` is sealed content.

    `requested_by` and `requested_by_person` are the generation's, repeated: nobody releases their own request.
    """

    __tablename__ = "holds"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("generations", "generation_id"),
        belongs_to("takes", "take_id"),
        Index("ix_holds_open", "tenant_id", "generation_id", postgresql_where=text("state = 'open'")),
        Index("ix_holds_list", "tenant_id", "created_at", "id"),
        CheckConstraint("state in ('open','released','declined','lifted')", name="state"),
    )

    production_id: Mapped[UUID]
    generation_id: Mapped[UUID]
    take_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(Text)
    lines: Mapped[list[Any]] = mapped_column(default=list)  # [{rule, says}]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)  # ids and numbers
    released_by: Mapped[list[str]] = mapped_column(ARRAY(Text))  # roles, of which one is enough
    state: Mapped[str] = mapped_column(Text, default="open")
    requested_by: Mapped[UUID | None]
    requested_by_person: Mapped[UUID | None]
    decided_by: Mapped[UUID | None]  # the person
    decided_at: Mapped[datetime | None]
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
