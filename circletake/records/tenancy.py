"""Tenants and their API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.records.base import Record, TenantRecord, tenant_key


class Tenant(Record):
    """A partner studio. The columns that provisioning fills are NULL until that step has succeeded."""

    __tablename__ = "tenants"
    __table_args__ = (CheckConstraint("state in ('provisioning', 'active', 'suspended')", name="state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="provisioning")
    region: Mapped[str] = mapped_column(Text)
    kms_key_arn: Mapped[str | None] = mapped_column(Text)
    bucket: Mapped[str | None] = mapped_column(Text)
    work_role_arn: Mapped[str | None] = mapped_column(Text)
    grant_role_arn: Mapped[str | None] = mapped_column(Text)
    wrapped_data_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    weight: Mapped[int] = mapped_column(default=1)  # share of the fleet against other tenants
    max_running: Mapped[int] = mapped_column(default=40)  # steps in flight at once
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    @property
    def storage(self) -> TenantStorage:
        """What adapters need to act for this tenant; only for a provisioned one."""
        return TenantStorage(
            tenant_id=self.id,
            slug=self.slug,
            region=self.region,
            bucket=self.bucket or "",
            kms_key_arn=self.kms_key_arn or "",
            work_role_arn=self.work_role_arn or "",
            grant_role_arn=self.grant_role_arn or "",
        )


class ApiKey(TenantRecord):
    """`key_id` is public and names the key; the secret is kept as a SHA-256 only (it is 256 random bits)."""

    __tablename__ = "api_keys"
    __table_args__ = (tenant_key(),)

    key_id: Mapped[str] = mapped_column(Text, unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
