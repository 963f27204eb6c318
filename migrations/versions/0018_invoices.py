"""what invoices say, what takes may owe, and bills settled call by call

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("total_usd", sa.Numeric(), nullable=False),
        sa.Column("accounts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("period_from <= period_to", name=op.f("ck_invoices_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("sha256", name=op.f("uq_invoices_sha256")),
    )
    op.create_index("ix_invoices_list", "invoices", ["created_at", "id"], unique=False)
    op.create_table(
        "invoice_sums",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("usage_type", sa.Text(), nullable=False),
        sa.Column("line_type", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("units", sa.Numeric(), nullable=False),
        sa.Column("usd", sa.Numeric(), nullable=False),
        sa.CheckConstraint(
            "reason is not null or (tenant_id is not null and model_id is not null and day is not null)",
            name=op.f("ck_invoice_sums_compared"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_sums_invoice_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_invoice_sums_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_sums")),
    )
    op.create_index(op.f("ix_invoice_sums_invoice_id"), "invoice_sums", ["invoice_id"], unique=False)
    op.create_index(
        "ix_invocations_call_started_at",
        "invocations",
        ["call_started_at"],
        unique=False,
        postgresql_using="brin",
    )
    op.add_column("settlements", sa.Column("call_id", sa.Uuid(), nullable=True))
    op.add_column("settlements", sa.Column("call_kind", sa.Text(), server_default="take", nullable=False))
    op.alter_column("settlements", "take_id", existing_type=sa.UUID(), nullable=True)
    op.drop_constraint(op.f("uq_settlements_tenant_id_take_id"), "settlements", type_="unique")
    op.create_index(
        op.f("ix_settlements_tenant_id_take_id"), "settlements", ["tenant_id", "take_id"], unique=False
    )
    op.create_unique_constraint(
        op.f("uq_settlements_tenant_id_call_id"), "settlements", ["tenant_id", "call_id"]
    )
    op.add_column(
        "takes",
        sa.Column(
            "unknown_usd", sa.Numeric(precision=14, scale=6), server_default=sa.text("0"), nullable=False
        ),
    )
    op.create_check_constraint(
        op.f("ck_settlements_call_kind"), "settlements", "call_kind in ('take','judging','language')"
    )
    op.create_check_constraint(
        op.f("ck_settlements_whose"), "settlements", "take_id is not null or call_id is not null"
    )
    for statement in BACKFILL:
        op.execute(statement)
    isolate()
    op.execute(MODEL_CALLS)
    op.execute(UNKNOWN_MODEL_CALLS)
    for name in ("model_calls", "unknown_model_calls"):
        op.execute(f"revoke execute on function {name}(date, date) from public")
        op.execute(f"grant execute on function {name}(date, date) to circletake_operator")


# Until now a take was charged once, whatever the number of its calls. What was charged stays as it is on the ledger:
# of a take that has ended, the call that it was charged for, or may be, has its amount, and its other calls have none.
# A take under way is added up when it ends, so each of its calls has its price.
BACKFILL = (
    "update takes set unknown_usd = estimate_usd where billed = 'unknown'",
    """
    with ranked as (
        select i.id, t.billed as billed, t.estimate_usd, t.cost_usd, t.finished_at,
               row_number() over (
                   partition by i.tenant_id, i.take_id
                   order by coalesce(i.billed, 'unknown') = t.billed desc, i.billed is distinct from 'false' desc,
                            i.id desc) as place
        from invocations i join takes t on t.tenant_id = i.tenant_id and t.id = i.take_id
        where t.finished_at is not null and t.billed is not null and i.call_started_at is not null)
    update invocations i
    set estimate_usd = r.estimate_usd, billed = r.billed, ended_at = coalesce(i.ended_at, r.finished_at),
        outcome = coalesce(i.outcome, 'left'), cost_usd = case r.billed when 'true' then r.cost_usd else 0 end
    from ranked r where r.id = i.id and r.place = 1
    """,
    """
    update invocations i
    set estimate_usd = t.estimate_usd,
        cost_usd = case when i.ended_at is null then null when i.billed = 'true' then t.estimate_usd else 0 end
    from takes t where t.tenant_id = i.tenant_id and t.id = i.take_id and t.finished_at is null
    """,
)

CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"


def isolate() -> None:
    """An invoice is the platform's. Of its sums those of a studio carry that studio, so they stand behind the wall as
    well; no studio has a right to read them."""
    op.execute("alter table invoice_sums enable row level security")
    op.execute("alter table invoice_sums force row level security")
    op.execute("create policy owner on invoice_sums to circletake_owner using (true) with check (true)")
    op.execute("create policy operator on invoice_sums to circletake_operator using (true) with check (true)")
    op.execute(
        "create policy tenant on invoice_sums to circletake_app"
        f" using (tenant_id = {CURRENT_TENANT}) with check (tenant_id = {CURRENT_TENANT})"
    )
    op.execute("grant select, insert on invoices to circletake_operator")
    op.execute("grant select, insert on invoice_sums to circletake_operator")


# All studios' calls of some whole days, UTC, by when they were made. The operator's role reads no call: these two
# functions give out sums, and of calls whose bill nobody knows their ids.
_CALLS = """
    select i.tenant_id, i.model_id, i.id as call_id, 'take' as kind, i.take_id, i.call_started_at as at,
           coalesce(i.billed, 'unknown') as billed, i.estimate_usd, i.cost_usd, i.ended_at is not null as ended
    from invocations i
    where i.call_started_at >= since::timestamp at time zone 'UTC'
      and i.call_started_at < (until + 1)::timestamp at time zone 'UTC'
    union all
    select e.tenant_id, e.model_id, e.id, 'judging', null, e.created_at, coalesce(e.billed, 'unknown'),
           e.estimate_usd, e.cost_usd, e.ended_at is not null
    from evaluator_calls e
    where e.created_at >= since::timestamp at time zone 'UTC'
      and e.created_at < (until + 1)::timestamp at time zone 'UTC'
    union all
    select l.tenant_id, l.model_id, l.id, 'language', null, l.created_at, coalesce(l.billed, 'unknown'),
           l.estimate_usd, l.cost_usd, l.ended_at is not null
    from language_calls l
    where l.created_at >= since::timestamp at time zone 'UTC'
      and l.created_at < (until + 1)::timestamp at time zone 'UTC'
"""

MODEL_CALLS = f"""
create function model_calls(since date, until date)
returns table (tenant_id uuid, model_id text, day date, charged_calls bigint, charged_usd numeric)
language sql stable security definer set search_path = public as $$
    with calls as ({_CALLS})
    select c.tenant_id, c.model_id, (c.at at time zone 'UTC')::date, count(*), sum(coalesce(c.cost_usd, 0))
    from calls c where c.billed = 'true' and coalesce(c.cost_usd, 0) > 0 group by 1, 2, 3
$$
"""

UNKNOWN_MODEL_CALLS = f"""
create function unknown_model_calls(since date, until date)
returns table (tenant_id uuid, model_id text, call_id uuid, kind text, take_id uuid, at timestamptz,
               estimate_usd numeric)
language sql stable security definer set search_path = public as $$
    with calls as ({_CALLS})
    select c.tenant_id, c.model_id, c.call_id, c.kind, c.take_id, c.at, c.estimate_usd
    from calls c where c.billed = 'unknown' and c.estimate_usd > 0
$$
"""


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
