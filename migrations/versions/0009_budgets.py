"""budgets, and what became of unknown bills

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=False),
        sa.Column("production_id", sa.Uuid(), nullable=True),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("soft_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("hard_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("spent_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("unknown_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "case scope when 'tenant' then production_id is null and shot_id is null when 'production' then production_id is not null and shot_id is null when 'shot' then production_id is not null and shot_id is not null else false end",
            name=op.f("ck_budgets_scope"),
        ),
        sa.CheckConstraint(
            "scope_id = coalesce(shot_id, production_id, tenant_id)", name=op.f("ck_budgets_scope_id")
        ),
        sa.CheckConstraint("soft_usd is not null or hard_usd is not null", name=op.f("ck_budgets_limits")),
        sa.CheckConstraint(
            "spent_usd >= 0 and unknown_usd >= 0 and reserved_usd >= 0", name=op.f("ck_budgets_counters")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_budgets_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_budgets_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_budgets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_budgets_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "scope_id", name=op.f("uq_budgets_tenant_id_scope_id")),
    )
    op.create_table(
        "settlements",
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("billed", sa.Text(), nullable=False),
        sa.Column("amount_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("settled_by", sa.Text(), nullable=False),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("billed in ('true','false')", name=op.f("ck_settlements_billed")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_settlements_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_settlements_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlements")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_settlements_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "take_id", name=op.f("uq_settlements_tenant_id_take_id")),
    )
    op.create_index("ix_settlements_list", "settlements", ["tenant_id", "created_at", "id"], unique=False)
    op.add_column("evaluator_calls", sa.Column("production_id", sa.Uuid(), nullable=True))
    op.add_column("evaluator_calls", sa.Column("shot_id", sa.Uuid(), nullable=True))
    op.create_index(
        op.f("ix_evaluator_calls_tenant_id_created_at"),
        "evaluator_calls",
        ["tenant_id", "created_at"],
        unique=False,
    )
    op.create_foreign_key(
        op.f("fk_evaluator_calls_tenant_id_production_id"),
        "evaluator_calls",
        "productions",
        ["tenant_id", "production_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_evaluator_calls_tenant_id_shot_id"),
        "evaluator_calls",
        "shots",
        ["tenant_id", "shot_id"],
        ["tenant_id", "id"],
    )
    op.add_column(
        "takes",
        sa.Column(
            "reserved_usd", sa.Numeric(precision=14, scale=6), server_default=sa.text("0"), nullable=False
        ),
    )
    op.create_index(op.f("ix_takes_tenant_id_created_at"), "takes", ["tenant_id", "created_at"], unique=False)
    isolate()
    for statement in (_RESERVED, _PLACES, _LOCK_BUDGETS, *_RIGHTS):
        op.execute(statement)


# what is under way when budgets come
_RESERVED = "update takes set reserved_usd = estimate_usd where state in ('queued', 'running')"
_PLACES = """
    update evaluator_calls c set production_id = k.production_id, shot_id = coalesce(g.shot_id, m.shot_id)
    from consistency_checks k
    left join generations g on g.tenant_id = k.tenant_id and g.id = k.generation_id
    left join lateral (
        select max(shot_id::text)::uuid as shot_id from check_materials
        where tenant_id = k.tenant_id and check_id = k.id having count(distinct shot_id) = 1) m on true
    where k.tenant_id = c.tenant_id and k.id = c.check_id
"""
# Two statements, each seeing what was committed before it began: a budget that was made while the first one waited is
# there for the second. In one statement it would be missed.
_LOCK_BUDGETS = """
    create function lock_budgets(of_tenant uuid, scopes uuid[]) returns setof budgets
    language plpgsql volatile set search_path = public as $$
    begin
        perform pg_advisory_xact_lock_shared(hashtextextended('budgets ' || of_tenant, 0));
        return query
            select * from budgets where tenant_id = of_tenant and scope_id = any(scopes)
            order by array_position(scopes, scope_id) for update;
    end $$
"""
_RIGHTS = (
    "revoke execute on function lock_budgets(uuid, uuid[]) from public",
    "grant execute on function lock_budgets(uuid, uuid[]) to circletake_app",
)

CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "budgets": "select, insert, update, delete",
    "settlements": "select, insert",
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
