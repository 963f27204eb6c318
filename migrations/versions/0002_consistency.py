"""characters, looks and consistency

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("takes", sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_table(
        "characters",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("script_name", sa.Text(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=True),
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
        sa.CheckConstraint(
            "kind in ('human','creature','stylised','object')", name=op.f("ck_characters_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_characters_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_characters_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_characters")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_characters_tenant_id_id")),
    )
    op.create_index(
        "ix_characters_list", "characters", ["tenant_id", "production_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "uq_characters_script_name",
        "characters",
        ["tenant_id", "production_id", "script_name"],
        unique=True,
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_table(
        "looks",
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
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
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_looks_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_looks_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_looks")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_looks_tenant_id_id")),
    )
    op.create_index(
        "uq_looks_name",
        "looks",
        ["tenant_id", "character_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_table(
        "look_shots",
        sa.Column("look_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_look_shots_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "look_id"],
            ["looks.tenant_id", "looks.id"],
            name=op.f("fk_look_shots_tenant_id_look_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_look_shots_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_look_shots_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_shots")),
        sa.UniqueConstraint(
            "tenant_id", "character_id", "shot_id", name=op.f("uq_look_shots_tenant_id_character_id_shot_id")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_look_shots_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_look_shots_tenant_id_look_id"), "look_shots", ["tenant_id", "look_id"], unique=False
    )
    op.create_index(
        op.f("ix_look_shots_tenant_id_shot_id"), "look_shots", ["tenant_id", "shot_id"], unique=False
    )
    op.create_table(
        "reference_sets",
        sa.Column("look_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('draft','approved','superseded')", name=op.f("ck_reference_sets_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "look_id"],
            ["looks.tenant_id", "looks.id"],
            name=op.f("fk_reference_sets_tenant_id_look_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_reference_sets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_sets")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_reference_sets_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "look_id", "version", name=op.f("uq_reference_sets_tenant_id_look_id_version")
        ),
    )
    op.create_index(
        "uq_reference_sets_approved",
        "reference_sets",
        ["tenant_id", "look_id"],
        unique=True,
        postgresql_where=sa.text("state = 'approved'"),
    )
    op.create_index(
        "uq_reference_sets_draft",
        "reference_sets",
        ["tenant_id", "look_id"],
        unique=True,
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.create_table(
        "references_of_looks",
        sa.Column("reference_set_id", sa.Uuid(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("figure", sa.Integer(), nullable=True),
        sa.Column("box", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("face_px", sa.Double(), nullable=True),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('inspecting','ready','unusable','waiting')", name=op.f("ck_references_of_looks_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_references_of_looks_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "reference_set_id"],
            ["reference_sets.tenant_id", "reference_sets.id"],
            name=op.f("fk_references_of_looks_tenant_id_reference_set_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_references_of_looks_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_references_of_looks")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_references_of_looks_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "reference_set_id",
            "media_id",
            name=op.f("uq_references_of_looks_tenant_id_reference_set_id_media_id"),
        ),
    )
    op.create_index(
        op.f("ix_references_of_looks_tenant_id_media_id"),
        "references_of_looks",
        ["tenant_id", "media_id"],
        unique=False,
    )
    op.create_table(
        "observations",
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("part in ('people','scene')", name=op.f("ck_observations_part")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_observations_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_observations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_observations_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "media_id",
            "evaluator",
            "part",
            "frame",
            name=op.f("uq_observations_tenant_id_media_id_evaluator_part_frame"),
        ),
    )
    op.create_table(
        "consistency_profiles",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=True),
        sa.Column("shot_size", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fitted", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_consistency_profiles_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_consistency_profiles_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_consistency_profiles_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consistency_profiles")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consistency_profiles_tenant_id_id")),
    )
    op.create_index(
        "ix_consistency_profiles_production",
        "consistency_profiles",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_consistency_profiles_active",
        "consistency_profiles",
        ["tenant_id", "production_id", "character_id", "shot_size"],
        unique=True,
        postgresql_where=sa.text("retired_at is null"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "consistency_checks",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("sampling", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evaluators", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("profile", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("second_opinion", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sheet_media_id", sa.Uuid(), nullable=True),
        sa.Column("sheet_pdf_media_id", sa.Uuid(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('queued','running','waiting','succeeded','failed','canceled')",
            name=op.f("ck_consistency_checks_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_consistency_checks_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_consistency_checks_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_consistency_checks_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consistency_checks")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consistency_checks_tenant_id_id")),
    )
    op.create_index(
        "ix_consistency_checks_list",
        "consistency_checks",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "check_subjects",
        sa.Column("check_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("look_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_check_subjects_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["consistency_checks.tenant_id", "consistency_checks.id"],
            name=op.f("fk_check_subjects_tenant_id_check_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "look_id"],
            ["looks.tenant_id", "looks.id"],
            name=op.f("fk_check_subjects_tenant_id_look_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_check_subjects_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_subjects")),
        sa.UniqueConstraint(
            "tenant_id",
            "check_id",
            "character_id",
            "look_id",
            name=op.f("uq_check_subjects_tenant_id_check_id_character_id_look_id"),
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_check_subjects_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_check_subjects_tenant_id_character_id"),
        "check_subjects",
        ["tenant_id", "character_id"],
        unique=False,
    )
    op.create_table(
        "check_materials",
        sa.Column("check_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("expected", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_detail", sa.Text(), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('queued','judged','unreadable')", name=op.f("ck_check_materials_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["consistency_checks.tenant_id", "consistency_checks.id"],
            name=op.f("fk_check_materials_tenant_id_check_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_check_materials_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_check_materials_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_check_materials_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_check_materials_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_materials")),
        sa.UniqueConstraint(
            "tenant_id", "check_id", "position", name=op.f("uq_check_materials_tenant_id_check_id_position")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_check_materials_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_check_materials_tenant_id_media_id"),
        "check_materials",
        ["tenant_id", "media_id"],
        unique=False,
    )
    op.create_table(
        "judgements",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("look_id", sa.Uuid(), nullable=False),
        sa.Column("reference_set_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("worst_frame", sa.Integer(), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("beside", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("frames", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evaluators", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("opinion", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("opinion_text", sa.LargeBinary(), nullable=True),
        sa.Column("figure", sa.Integer(), nullable=True),
        sa.Column("crop", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "verdict in ('pass','fail','needs_human','not_assessable')", name=op.f("ck_judgements_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_judgements_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "look_id"],
            ["looks.tenant_id", "looks.id"],
            name=op.f("fk_judgements_tenant_id_look_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_judgements_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_judgements_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgements")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_judgements_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_judgements_tenant_id_key")),
    )
    op.create_index(
        op.f("ix_judgements_tenant_id_character_id"),
        "judgements",
        ["tenant_id", "character_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_judgements_tenant_id_media_id"), "judgements", ["tenant_id", "media_id"], unique=False
    )
    op.create_table(
        "check_results",
        sa.Column("check_id", sa.Uuid(), nullable=False),
        sa.Column("material_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("judgement_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["consistency_checks.tenant_id", "consistency_checks.id"],
            name=op.f("fk_check_results_tenant_id_check_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "judgement_id"],
            ["judgements.tenant_id", "judgements.id"],
            name=op.f("fk_check_results_tenant_id_judgement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "material_id"],
            ["check_materials.tenant_id", "check_materials.id"],
            name=op.f("fk_check_results_tenant_id_material_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject_id"],
            ["check_subjects.tenant_id", "check_subjects.id"],
            name=op.f("fk_check_results_tenant_id_subject_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_check_results_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_results")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_check_results_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "material_id",
            "subject_id",
            name=op.f("uq_check_results_tenant_id_material_id_subject_id"),
        ),
    )
    op.create_index(
        op.f("ix_check_results_tenant_id_check_id"), "check_results", ["tenant_id", "check_id"], unique=False
    )
    op.create_index(
        op.f("ix_check_results_tenant_id_judgement_id"),
        "check_results",
        ["tenant_id", "judgement_id"],
        unique=False,
    )
    op.create_table(
        "enforcements",
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("check_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("max_cost_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("on_exhausted", sa.Text(), nullable=False),
        sa.Column("on_needs_human", sa.Text(), nullable=False),
        sa.Column("ladder", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unsupported", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("best_take_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "on_exhausted in ('keep_best_for_review','fail')", name=op.f("ck_enforcements_on_exhausted")
        ),
        sa.CheckConstraint(
            "state in ('running','passed','needs_review','failed','canceled')",
            name=op.f("ck_enforcements_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "best_take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_enforcements_tenant_id_best_take_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["consistency_checks.tenant_id", "consistency_checks.id"],
            name=op.f("fk_enforcements_tenant_id_check_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_enforcements_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_enforcements_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enforcements")),
        sa.UniqueConstraint("tenant_id", "check_id", name=op.f("uq_enforcements_tenant_id_check_id")),
        sa.UniqueConstraint(
            "tenant_id", "generation_id", name=op.f("uq_enforcements_tenant_id_generation_id")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_enforcements_tenant_id_id")),
    )
    op.create_table(
        "enforcement_attempts",
        sa.Column("enforcement_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("changed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("why", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "enforcement_id"],
            ["enforcements.tenant_id", "enforcements.id"],
            name=op.f("fk_enforcement_attempts_tenant_id_enforcement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_enforcement_attempts_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_enforcement_attempts_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enforcement_attempts")),
        sa.UniqueConstraint(
            "tenant_id",
            "enforcement_id",
            "number",
            name=op.f("uq_enforcement_attempts_tenant_id_enforcement_id_number"),
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_enforcement_attempts_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "take_id", name=op.f("uq_enforcement_attempts_tenant_id_take_id")),
    )
    op.create_table(
        "evaluator_calls",
        sa.Column("check_id", sa.Uuid(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("billed", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["consistency_checks.tenant_id", "consistency_checks.id"],
            name=op.f("fk_evaluator_calls_tenant_id_check_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_evaluator_calls_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_evaluator_calls_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluator_calls")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_evaluator_calls_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_evaluator_calls_tenant_id_check_id"),
        "evaluator_calls",
        ["tenant_id", "check_id"],
        unique=False,
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

# biometric data is deleted with its character; the rest of what was judged stays as it was
TENANT_TABLES = {
    "characters": "select, insert, update",
    "looks": "select, insert, update",
    "look_shots": "select, insert, delete",
    "reference_sets": "select, insert, update",
    "references_of_looks": "select, insert, update, delete",
    "observations": "select, insert, update, delete",
    "consistency_profiles": "select, insert, update",
    "consistency_checks": "select, insert, update",
    "check_subjects": "select, insert",
    "check_materials": "select, insert, update",
    "judgements": "select, insert, update",
    "check_results": "select, insert",
    "enforcements": "select, insert, update",
    "enforcement_attempts": "select, insert, update",
    "evaluator_calls": "select, insert, update",
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
