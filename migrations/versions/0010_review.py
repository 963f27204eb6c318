"""versions, review states, notes, consultations, authorship entries, previews, the daily digest's turns

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "digest_turns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_digest_turns_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_digest_turns")),
    )
    op.create_table(
        "review_rules",
        sa.Column("approved_before_download", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_review_rules_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_rules")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_review_rules_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_review_rules_tenant_id")),
    )
    op.create_table(
        "previews",
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("viewer", sa.Uuid(), nullable=False),
        sa.Column("viewer_is", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('queued','ready','failed')", name=op.f("ck_previews_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_previews_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_previews_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_previews_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_previews")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_previews_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "take_id", "viewer", name=op.f("uq_previews_tenant_id_take_id_viewer")
        ),
    )
    op.create_table(
        "versions",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_by_person", sa.Uuid(), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('wip','wfa','retake','approved','on_hold','omitted')", name=op.f("ck_versions_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_versions_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_versions_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_versions_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_versions_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_versions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_versions_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "take_id", name=op.f("uq_versions_tenant_id_take_id")),
    )
    op.create_index(
        "ix_versions_concept_number",
        "versions",
        ["tenant_id", "production_id", "number"],
        unique=True,
        postgresql_where=sa.text("shot_id is null"),
    )
    op.create_index("ix_versions_list", "versions", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_versions_shot_number",
        "versions",
        ["tenant_id", "shot_id", "number"],
        unique=True,
        postgresql_where=sa.text("shot_id is not null"),
    )
    op.create_index(
        "ix_versions_waiting",
        "versions",
        ["tenant_id", "changed_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'wfa'"),
    )
    op.create_table(
        "authorship_entries",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("act_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "what in ('selected','arranged','masked','painted','edited','prompted')",
            name=op.f("ck_authorship_entries_what"),
        ),
        sa.CheckConstraint("(person_id is null) <> (name is null)", name=op.f("ck_authorship_entries_who")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "act_id"],
            ["take_acts.tenant_id", "take_acts.id"],
            name=op.f("fk_authorship_entries_tenant_id_act_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_authorship_entries_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_authorship_entries_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["versions.tenant_id", "versions.id"],
            name=op.f("fk_authorship_entries_tenant_id_version_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_authorship_entries_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorship_entries")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_authorship_entries_tenant_id_id")),
    )
    op.create_index(
        "ix_authorship_entries_list",
        "authorship_entries",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_authorship_entries_take",
        "authorship_entries",
        ["tenant_id", "take_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "consultations",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(person_id is null) <> (name is null)", name=op.f("ck_consultations_who")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_consultations_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_consultations_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["versions.tenant_id", "versions.id"],
            name=op.f("fk_consultations_tenant_id_version_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_consultations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consultations_tenant_id_id")),
    )
    op.create_index(
        "ix_consultations_list",
        "consultations",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "version_notes",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("region", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["versions.tenant_id", "versions.id"],
            name=op.f("fk_version_notes_tenant_id_version_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_version_notes_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_notes")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_version_notes_tenant_id_id")),
    )
    op.create_index(
        "ix_version_notes_list",
        "version_notes",
        ["tenant_id", "version_id", "created_at", "id"],
        unique=False,
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "digest_turns": "select",
    "review_rules": "select, insert, update",
    "previews": "select, insert, update",
    "versions": "select, insert, update",
    "authorship_entries": "select, insert",
    "consultations": "select, insert",
    "version_notes": "select, insert",
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
    op.execute(
        "create policy dispatcher on digest_turns to circletake_dispatcher using (true) with check (true)"
    )
    op.execute("grant select, insert, update on digest_turns to circletake_dispatcher")


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
