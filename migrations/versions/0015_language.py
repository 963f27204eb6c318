"""What language models wrote: breakdowns and prompts

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "language_requests",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("model_lock_id", sa.Uuid(), nullable=True),
        sa.Column("use", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("input", sa.LargeBinary(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("edited", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("edits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("applied", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("refusal", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("provider_reason", sa.LargeBinary(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_by_person", sa.Uuid(), nullable=True),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=False),
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
            "state in ('queued','running','waiting','succeeded','failed','filtered','canceled')",
            name=op.f("ck_language_requests_state"),
        ),
        sa.CheckConstraint(
            "task in ('script_breakdown','shot_prompt')", name=op.f("ck_language_requests_task")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_language_requests_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_language_requests_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_language_requests_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_language_requests")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_language_requests_tenant_id_id")),
    )
    op.create_index(
        "ix_language_requests_list",
        "language_requests",
        ["tenant_id", "task", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_language_requests_production",
        "language_requests",
        ["tenant_id", "production_id", "task", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_language_requests_shot",
        "language_requests",
        ["tenant_id", "shot_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("shot_id is not null"),
    )
    op.create_table(
        "ai_texts",
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "request_id"],
            ["language_requests.tenant_id", "language_requests.id"],
            name=op.f("fk_ai_texts_tenant_id_request_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_ai_texts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_texts")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_ai_texts_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "text_hash", name=op.f("uq_ai_texts_tenant_id_text_hash")),
    )
    op.create_table(
        "language_calls",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("billed", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=True),
        sa.Column("tokens_out", sa.Integer(), nullable=True),
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
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_language_calls_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_language_calls_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject_id"],
            ["language_requests.tenant_id", "language_requests.id"],
            name=op.f("fk_language_calls_tenant_id_subject_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_language_calls_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_language_calls")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_language_calls_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_language_calls_tenant_id_created_at"),
        "language_calls",
        ["tenant_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_language_calls_tenant_id_production_id_created_at"),
        "language_calls",
        ["tenant_id", "production_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_language_calls_tenant_id_subject_id"),
        "language_calls",
        ["tenant_id", "subject_id"],
        unique=False,
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "language_requests": "select, insert, update",
    "ai_texts": "select, insert",
    "language_calls": "select, insert, update",
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
