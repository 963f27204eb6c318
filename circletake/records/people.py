"""Who a studio's people are: the sign-in that vouches for them, and each person it has named here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class IdentityProvider(TenantRecord):
    """A studio's OIDC provider, as the operator entered it. A token finds its tenant by issuer and audience alone, so
    no two providers in use have both in common. A removed one stays for the people who are named by it."""

    __tablename__ = "identity_providers"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "name"),
        Index(
            "uq_identity_providers_in_use",
            "issuer",
            "audience",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
        CheckConstraint("state in ('active','removed')", name="state"),
    )

    name: Mapped[str] = mapped_column(Text)  # the operator's, in the address of its route
    issuer: Mapped[str] = mapped_column(Text)  # never changes: subjects mean something within it only
    audience: Mapped[str] = mapped_column(Text)  # what a token's `aud` has to hold
    client_id: Mapped[str | None] = mapped_column(
        Text
    )  # a public client: the console signs people in with it
    sign_in_scope: Mapped[str] = mapped_column(Text)  # what the console asks for, e.g. `openid profile`
    jwks_uri: Mapped[str | None] = mapped_column(Text)  # None: as the discovery document says
    roles_claim: Mapped[str] = mapped_column(Text)
    role_map: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the provider's word -> our role
    name_claim: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="active")
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class PersonRecord(TenantRecord):
    """Somebody who has signed in. Subject and name are sealed: a subject may be an address. What makes a subject one
    person is its keyed hash."""

    __tablename__ = "people"
    __table_args__ = (
        tenant_key(),
        belongs_to("identity_providers", "provider_id"),
        UniqueConstraint("tenant_id", "provider_id", "subject_hash"),
        Index("ix_people_list", "tenant_id", "created_at", "id"),
        CheckConstraint("state in ('active','suspended')", name="state"),
    )

    provider_id: Mapped[UUID]
    subject_hash: Mapped[str] = mapped_column(Text)  # keyed
    subject: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[bytes] = mapped_column(LargeBinary)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))  # of the last token seen
    state: Mapped[str] = mapped_column(Text, default="active")
    last_seen_at: Mapped[datetime]  # within a minute
