"""storyboards, their panels, what was drawn from them

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storyboards",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("sequence_id", sa.Uuid(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=True),
        sa.Column("script_ref", sa.LargeBinary(), nullable=True),
        sa.Column("scene", sa.LargeBinary(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
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
            name=op.f("fk_storyboards_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sequence_id"],
            ["sequences.tenant_id", "sequences.id"],
            name=op.f("fk_storyboards_tenant_id_sequence_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_storyboards_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storyboards")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_storyboards_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "production_id", "number", name=op.f("uq_storyboards_tenant_id_production_id_number")
        ),
    )
    op.create_index("ix_storyboards_list", "storyboards", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_storyboards_production",
        "storyboards",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "storyboard_outputs",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("storyboard_id", sa.Uuid(), nullable=False),
        sa.Column("storyboard_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("stills_key", sa.Text(), nullable=False),
        sa.Column("panels", sa.Integer(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("frame_rate", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column(
            "remarks", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_by_person", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('drawing','animatic')", name=op.f("ck_storyboard_outputs_kind")),
        sa.CheckConstraint("state in ('queued','ready','failed')", name=op.f("ck_storyboard_outputs_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_storyboard_outputs_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "storyboard_id"],
            ["storyboards.tenant_id", "storyboards.id"],
            name=op.f("fk_storyboard_outputs_tenant_id_storyboard_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_storyboard_outputs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storyboard_outputs")),
        sa.UniqueConstraint(
            "tenant_id", "fingerprint", name=op.f("uq_storyboard_outputs_tenant_id_fingerprint")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_storyboard_outputs_tenant_id_id")),
    )
    op.create_index(
        "ix_storyboard_outputs_list",
        "storyboard_outputs",
        ["tenant_id", "storyboard_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "storyboard_files",
        sa.Column("output_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("source_media_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "part in ('still','document','video','timeline','manifest')",
            name=op.f("ck_storyboard_files_part"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_storyboard_files_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "output_id"],
            ["storyboard_outputs.tenant_id", "storyboard_outputs.id"],
            name=op.f("fk_storyboard_files_tenant_id_output_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "source_media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_storyboard_files_tenant_id_source_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_storyboard_files_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storyboard_files")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_storyboard_files_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "output_id",
            "part",
            "number",
            name=op.f("uq_storyboard_files_tenant_id_output_id_part_number"),
        ),
    )
    op.create_index(
        op.f("ix_storyboard_files_tenant_id_source_media_id"),
        "storyboard_files",
        ["tenant_id", "source_media_id"],
        unique=False,
    )
    op.create_table(
        "storyboard_panels",
        sa.Column("storyboard_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("caption", sa.LargeBinary(), nullable=True),
        sa.Column("dialogue", sa.LargeBinary(), nullable=True),
        sa.Column("action", sa.LargeBinary(), nullable=True),
        sa.Column("camera", sa.LargeBinary(), nullable=True),
        sa.Column("ai_generated_text", sa.Boolean(), nullable=False),
        sa.Column("duration_frames", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("duration_frames > 0", name=op.f("ck_storyboard_panels_duration")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_storyboard_panels_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_storyboard_panels_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "storyboard_id"],
            ["storyboards.tenant_id", "storyboards.id"],
            name=op.f("fk_storyboard_panels_tenant_id_storyboard_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_storyboard_panels_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_storyboard_panels_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storyboard_panels")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_storyboard_panels_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "storyboard_id",
            "number",
            name=op.f("uq_storyboard_panels_tenant_id_storyboard_id_number"),
        ),
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "storyboards": "select, insert, update",
    "storyboard_outputs": "select, insert, update",
    "storyboard_files": "select, insert, delete",
    "storyboard_panels": "select, insert, update, delete",
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
