"""Golden shots and their runs

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "golden_rules",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("on_change", sa.Boolean(), nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=True),
        sa.Column("max_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_catalogue", sa.Text(), nullable=True),
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
        sa.CheckConstraint(
            "every_days is null or every_days between 1 and 366", name=op.f("ck_golden_rules_every_days")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_golden_rules_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_golden_rules_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_rules")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_golden_rules_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "production_id", name=op.f("uq_golden_rules_tenant_id_production_id")
        ),
    )
    op.create_table(
        "golden_runs",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("change_key", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("kinds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("only_models", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_by_person", sa.Uuid(), nullable=True),
        sa.Column("sheet_media_id", sa.Uuid(), nullable=True),
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
        sa.CheckConstraint(
            "reason in ('requested','choice_changed','catalogue_changed','scheduled')",
            name=op.f("ck_golden_runs_reason"),
        ),
        sa.CheckConstraint(
            "state in ('queued','making','judging','succeeded','failed')", name=op.f("ck_golden_runs_state")
        ),
        sa.CheckConstraint(
            "verdict in ('unchanged','drifted','changed','failed')", name=op.f("ck_golden_runs_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_golden_runs_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sheet_media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_golden_runs_tenant_id_sheet_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_golden_runs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_runs")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_golden_runs_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "production_id",
            "change_key",
            name=op.f("uq_golden_runs_tenant_id_production_id_change_key"),
        ),
    )
    op.create_index(
        "ix_golden_runs_list", "golden_runs", ["tenant_id", "production_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "golden_shots",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("aspects", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_golden_shots_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_golden_shots_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_golden_shots_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_golden_shots_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_golden_shots_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_golden_shots_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_shots")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_golden_shots_tenant_id_id")),
    )
    op.create_index(
        "ix_golden_shots_list",
        "golden_shots",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_golden_shots_take",
        "golden_shots",
        ["tenant_id", "take_id"],
        unique=True,
        postgresql_where=sa.text("retired_at is null"),
    )
    op.create_table(
        "golden_results",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("golden_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("seeded", sa.Boolean(), nullable=False),
        sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
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
            "verdict in ('unchanged','drifted','changed','failed')", name=op.f("ck_golden_results_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_golden_results_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "golden_id"],
            ["golden_shots.tenant_id", "golden_shots.id"],
            name=op.f("fk_golden_results_tenant_id_golden_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_golden_results_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["golden_runs.tenant_id", "golden_runs.id"],
            name=op.f("fk_golden_results_tenant_id_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_golden_results_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_golden_results_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_results")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_golden_results_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "run_id", "golden_id", name=op.f("uq_golden_results_tenant_id_run_id_golden_id")
        ),
    )
    op.create_index(
        "ix_golden_results_generation", "golden_results", ["tenant_id", "generation_id"], unique=False
    )
    isolate()
    watch()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "golden_rules": "select, insert, update",
    "golden_runs": "select, insert, update",
    "golden_shots": "select, insert, update",
    "golden_results": "select, insert, update",
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


def watch() -> None:
    """The dispatcher sees every studio's schedule, and nothing of what it is for."""
    op.execute(
        "create policy dispatcher on golden_rules to circletake_dispatcher using (true) with check (true)"
    )
    op.execute(
        "grant select (tenant_id, production_id, on_change, every_days, next_at, seen_catalogue),"
        " update (next_at, seen_catalogue) on golden_rules to circletake_dispatcher"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
