"""exposure and cuts

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cuts",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("frame_rate", sa.Text(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=True),
        sa.Column("names", sa.LargeBinary(), nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_detail", sa.Text(), nullable=True),
        sa.Column("posted_by", sa.Uuid(), nullable=True),
        sa.Column("posted_by_person", sa.Uuid(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("format in ('otio','edl')", name=op.f("ck_cuts_format")),
        sa.CheckConstraint("state in ('queued','ready','refused')", name=op.f("ck_cuts_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_cuts_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_cuts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cuts")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_cuts_tenant_id_id")),
    )
    op.create_index("ix_cuts_list", "cuts", ["tenant_id", "production_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_cuts_active",
        "cuts",
        ["tenant_id", "production_id"],
        unique=True,
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "exposure_limits",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("sequence_id", sa.Uuid(), nullable=True),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("action in ('warn','hold','block')", name=op.f("ck_exposure_limits_action")),
        sa.CheckConstraint(
            "metric in ('share_of_shots','screen_time','frame_fraction')",
            name=op.f("ck_exposure_limits_metric"),
        ),
        sa.CheckConstraint("value >= 0 and value <= 1", name=op.f("ck_exposure_limits_value")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_exposure_limits_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sequence_id"],
            ["sequences.tenant_id", "sequences.id"],
            name=op.f("fk_exposure_limits_tenant_id_sequence_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_exposure_limits_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_exposure_limits_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposure_limits")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_exposure_limits_tenant_id_id")),
    )
    op.create_index(
        "ix_exposure_limits_production",
        "exposure_limits",
        ["tenant_id", "production_id"],
        unique=False,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "cut_clips",
        sa.Column("cut_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("record_in", sa.Integer(), nullable=False),
        sa.Column("record_out", sa.Integer(), nullable=False),
        sa.Column("spans", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source_in", sa.Text(), nullable=False),
        sa.Column("source_rate", sa.Text(), nullable=False),
        sa.Column("media_in", sa.Text(), nullable=True),
        sa.Column("speed", sa.Text(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("matched_by", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "cut_id"], ["cuts.tenant_id", "cuts.id"], name=op.f("fk_cut_clips_tenant_id_cut_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_cut_clips_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_cut_clips_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_cut_clips_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cut_clips")),
        sa.UniqueConstraint(
            "tenant_id", "cut_id", "number", name=op.f("uq_cut_clips_tenant_id_cut_id_number")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_cut_clips_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_cut_clips_tenant_id_take_id"), "cut_clips", ["tenant_id", "take_id"], unique=False
    )
    op.create_table(
        "exposures",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("generated_fraction", sa.Double(), nullable=False),
        sa.Column("enhanced_fraction", sa.Double(), nullable=False),
        sa.Column("frames", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("frames_per_second", sa.Double(), nullable=True),
        sa.Column("measured", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_exposures_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_exposures_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_exposures_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposures")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_exposures_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "take_id", name=op.f("uq_exposures_tenant_id_take_id")),
    )
    op.add_column("productions", sa.Column("frame_rate", sa.Text(), server_default="24", nullable=False))
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "cuts": "select, insert, update",
    "exposure_limits": "select, insert, update",
    "cut_clips": "select, insert",
    "exposures": "select, insert",
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
