"""policy packs, signatures, choices, evaluations, disclosures

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_packs",
        sa.Column("pack_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_person", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("origin in ('own','shipped')", name=op.f("ck_policy_packs_origin")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_policy_packs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_packs")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_policy_packs_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "pack_id", "version", name=op.f("uq_policy_packs_tenant_id_pack_id_version")
        ),
    )
    op.create_table(
        "pack_signatures",
        sa.Column("policy_pack_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=True),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "policy_pack_id"],
            ["policy_packs.tenant_id", "policy_packs.id"],
            name=op.f("fk_pack_signatures_tenant_id_policy_pack_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_pack_signatures_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_signatures")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_pack_signatures_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_pack_signatures_tenant_id_policy_pack_id"),
        "pack_signatures",
        ["tenant_id", "policy_pack_id"],
        unique=False,
    )
    op.create_index(
        "uq_pack_signatures_standing",
        "pack_signatures",
        ["tenant_id", "policy_pack_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at is null"),
    )
    op.create_table(
        "production_packs",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("policy_pack_id", sa.Uuid(), nullable=False),
        sa.Column("chosen_by", sa.Uuid(), nullable=False),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "policy_pack_id"],
            ["policy_packs.tenant_id", "policy_packs.id"],
            name=op.f("fk_production_packs_tenant_id_policy_pack_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_production_packs_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_production_packs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_production_packs")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_production_packs_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_production_packs_tenant_id_policy_pack_id"),
        "production_packs",
        ["tenant_id", "policy_pack_id"],
        unique=False,
    )
    op.create_index(
        "uq_production_packs_chosen",
        "production_packs",
        ["tenant_id", "production_id", "policy_pack_id"],
        unique=True,
        postgresql_where=sa.text("dropped_at is null"),
    )
    op.create_table(
        "policy_evaluations",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("hits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("packs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("not_active", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome in ('no_rule_hit','notify','needs_approval','prohibited')",
            name=op.f("ck_policy_evaluations_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_policy_evaluations_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_policy_evaluations_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_policy_evaluations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_evaluations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_policy_evaluations_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_policy_evaluations_tenant_id_generation_id"),
        "policy_evaluations",
        ["tenant_id", "generation_id"],
        unique=False,
    )
    op.create_table(
        "disclosures",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("text_ref", sa.Text(), nullable=True),
        sa.Column("extent", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("disclosed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_by_person", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("extent in ('generated','incorporates')", name=op.f("ck_disclosures_extent")),
        sa.CheckConstraint("num_nonnulls(take_id, media_id, text_ref) = 1", name=op.f("ck_disclosures_what")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_disclosures_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_disclosures_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_disclosures_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_disclosures_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_disclosures_tenant_id_id")),
    )
    op.create_index("ix_disclosures_list", "disclosures", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_disclosures_production", "disclosures", ["tenant_id", "production_id", "role"], unique=False
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "policy_packs": "select, insert",
    "pack_signatures": "select, insert, update",
    "production_packs": "select, insert, update",
    "policy_evaluations": "select, insert",
    "disclosures": "select, insert",
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
