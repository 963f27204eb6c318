"""What every table shares: the declarative base, and the columns and constraints of a tenant's table."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, ForeignKeyConstraint, MetaData, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from circletake.kit.ids import new_id


class Record(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class TenantRecord(Record):
    """A row that belongs to one tenant. `(tenant_id, id)` is unique so that foreign keys can carry the tenant:
    a plain foreign key is checked without row-level security and would reach into another tenant."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id"),
        server_default=text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
        index=False,
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def tenant_key() -> UniqueConstraint:
    return UniqueConstraint("tenant_id", "id")


def belongs_to(
    table: str, column: str, *, ondelete: str | None = None, use_alter: bool = False
) -> ForeignKeyConstraint:
    """A foreign key that carries the tenant. `use_alter`: for one that closes a circle of tables."""
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=ondelete, use_alter=use_alter
    )
