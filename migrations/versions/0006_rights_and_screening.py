"""rights records of inputs, what screening found, what people cleared

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rights_records",
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("licence_id", sa.Text(), nullable=True),
        sa.Column("licensor", sa.LargeBinary(), nullable=True),
        sa.Column("term_from", sa.Date(), nullable=True),
        sa.Column("term_until", sa.Date(), nullable=True),
        sa.Column("evidence_sha256", sa.Text(), nullable=True),
        sa.Column("evidence_note", sa.LargeBinary(), nullable=True),
        sa.Column("ai_inference_override", sa.Boolean(), nullable=False),
        sa.Column("override_reason", sa.LargeBinary(), nullable=True),
        sa.Column("by_key", sa.Uuid(), nullable=True),
        sa.Column("by_person", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "basis in ('owned','licensed','work_for_hire','public_domain')",
            name=op.f("ck_rights_records_basis"),
        ),
        sa.CheckConstraint(
            "not ai_inference_override or (by_person is not null and override_reason is not null)",
            name=op.f("ck_rights_records_override"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_rights_records_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_rights_records_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_records")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_rights_records_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "media_id", "number", name=op.f("uq_rights_records_tenant_id_media_id_number")
        ),
    )
    op.create_table(
        "screenings",
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("matte_id", sa.Uuid(), nullable=True),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("faces", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("compared", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('seen','unreadable')", name=op.f("ck_screenings_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "matte_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_screenings_tenant_id_matte_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_screenings_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_screenings_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screenings")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_screenings_tenant_id_id")),
    )
    op.create_index(
        "uq_screenings_subject",
        "screenings",
        ["tenant_id", "media_id", "matte_id", "evaluator"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "cleared_faces",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("matte_id", sa.Uuid(), nullable=True),
        sa.Column("box", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("cleared_by", sa.Uuid(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(decision = 'depicted_character') = (character_id is not null)",
            name=op.f("ck_cleared_faces_character"),
        ),
        sa.CheckConstraint(
            "decision in ('depicted_character','no_likeness','not_a_person')",
            name=op.f("ck_cleared_faces_decision"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_cleared_faces_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "hold_id"],
            ["holds.tenant_id", "holds.id"],
            name=op.f("fk_cleared_faces_tenant_id_hold_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "matte_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_cleared_faces_tenant_id_matte_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_cleared_faces_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_cleared_faces_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_cleared_faces_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cleared_faces")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_cleared_faces_tenant_id_id")),
    )
    op.create_index("ix_cleared_faces_media", "cleared_faces", ["tenant_id", "media_id"], unique=False)
    op.add_column("media_files", sa.Column("mining", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "rights_records": "select, insert",
    "screenings": "select, insert, update, delete",
    "cleared_faces": "select, insert, update",
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
