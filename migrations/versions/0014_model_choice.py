"""models that productions chose, clearances of shots, what was told of models' ends

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ending_turns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_ending_turns_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_ending_turns")),
    )
    op.create_table(
        "model_choices",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("allowed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fallback_order", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fallback_on", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("chosen_by", sa.Uuid(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=False),
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
            name=op.f("fk_model_choices_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_model_choices_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_choices")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_model_choices_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "production_id",
            "kind",
            "version",
            name=op.f("uq_model_choices_tenant_id_production_id_kind_version"),
        ),
    )
    op.create_index(
        "ix_model_choices_now",
        "model_choices",
        ["tenant_id", "production_id", "kind"],
        unique=True,
        postgresql_where=sa.text("superseded_at is null"),
    )
    op.create_table(
        "model_endings",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("eol_on", sa.Date(), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=False),
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
            name=op.f("fk_model_endings_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_model_endings_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_endings")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_model_endings_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "production_id",
            "model_id",
            "eol_on",
            "mark",
            name=op.f("uq_model_endings_tenant_id_production_id_model_id_eol_on_mark"),
        ),
    )
    op.create_table(
        "shot_clearances",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=False),
        sa.Column("subjects", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("cleared_by", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(ended_at is null) = (ended_by is null)", name=op.f("ck_shot_clearances_end")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_shot_clearances_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_shot_clearances_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_shot_clearances_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shot_clearances")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_shot_clearances_tenant_id_id")),
    )
    op.create_index(
        "ix_shot_clearances_list",
        "shot_clearances",
        ["tenant_id", "shot_id", "created_at", "id"],
        unique=False,
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "ending_turns": "select",
    "model_choices": "select, insert, update (superseded_at, superseded_by)",
    "model_endings": "select, insert",
    "shot_clearances": "select, insert, update (ended_at, ended_by)",
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
        "create policy dispatcher on ending_turns to circletake_dispatcher using (true) with check (true)"
    )
    op.execute("grant select, insert, update on ending_turns to circletake_dispatcher")
    # whoever keeps a model's card keeps a ceiling for it too: the catalogue may have lost it before a dispatcher saw it
    op.execute(SEED_MODEL_QUOTA)
    op.execute("revoke execute on function seed_model_quota(text, integer) from public")
    op.execute("grant execute on function seed_model_quota(text, integer) to circletake_app")


SEED_MODEL_QUOTA = """
create function seed_model_quota(model text, most integer) returns void
language sql security definer set search_path = public as $$
    insert into model_quotas (model_id, max_running, cap)
    select model, most, most where most between 1 and 1000
    on conflict (model_id) do nothing
$$
"""


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
