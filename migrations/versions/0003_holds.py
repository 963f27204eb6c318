"""holds, people's acts, a production's rules

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("released_by", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_by_person", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('open','released','declined','lifted')", name=op.f("ck_holds_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_holds_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_holds_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"], ["takes.tenant_id", "takes.id"], name=op.f("fk_holds_tenant_id_take_id")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_holds_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_holds_tenant_id_id")),
    )
    op.create_index("ix_holds_list", "holds", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_holds_open",
        "holds",
        ["tenant_id", "generation_id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.add_column("generations", sa.Column("requested_by_person", sa.Uuid(), nullable=True))
    op.add_column(
        "generations",
        sa.Column(
            "use", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.add_column(
        "generations",
        sa.Column(
            "depicts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
    )
    op.add_column("productions", sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False))
    op.add_column(
        "productions",
        sa.Column("owned_source_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("productions", sa.Column("labour_action_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "shots", sa.Column("conventional_bid_usd", sa.Numeric(precision=14, scale=2), nullable=True)
    )
    op.add_column("take_acts", sa.Column("person_id", sa.Uuid(), nullable=True))
    op.add_column("takes", sa.Column("permission", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "holds": "select, insert, update",
}


def isolate() -> None:
    for table, rights in TENANT_TABLES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to circletake_owner using (true) with check (true)")
        op.execute(
            f"create policy tenant on {table} to circletake_app"
            f" using (tenant_id = {CURRENT_TENANT}) with check (tenant_id = {CURRENT_TENANT})"
        )
        op.execute(f"grant {rights} on {table} to circletake_app")


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
