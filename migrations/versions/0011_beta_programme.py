"""invitations, features by studio, feedback by take, the cohort report

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("nda_version", sa.Text(), nullable=False),
        sa.Column("nda_url", sa.Text(), nullable=True),
        sa.Column("nda_sha256", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_invitations_tenant_id_id")),
    )
    op.create_index("ix_invitations_list", "invitations", ["created_at", "id"], unique=False)
    op.create_index(
        "uq_invitations_standing",
        "invitations",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    op.create_table(
        "tenant_features",
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_features_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_features")),
        sa.UniqueConstraint("tenant_id", "feature", name=op.f("uq_tenant_features_tenant_id_feature")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_tenant_features_tenant_id_id")),
    )
    op.create_table(
        "nda_acceptances",
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.Column("nda_version", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invitation_id"],
            ["invitations.tenant_id", "invitations.id"],
            name=op.f("fk_nda_acceptances_tenant_id_invitation_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_nda_acceptances_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nda_acceptances")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_nda_acceptances_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "invitation_id", name=op.f("uq_nda_acceptances_tenant_id_invitation_id")
        ),
    )
    op.create_table(
        "take_feedback",
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("would_use_in_cut", sa.Boolean(), nullable=False),
        sa.Column("minutes_saved", sa.Integer(), nullable=True),
        sa.Column("comment", sa.LargeBinary(), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("minutes_saved between -100000 and 100000", name=op.f("ck_take_feedback_minutes")),
        sa.CheckConstraint("rating between 1 and 5", name=op.f("ck_take_feedback_rating")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_take_feedback_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_take_feedback_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_take_feedback")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_take_feedback_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "take_id", "person_id", name=op.f("uq_take_feedback_tenant_id_take_id_person_id")
        ),
    )
    op.create_index("ix_take_feedback_said_at", "take_feedback", ["said_at"], unique=False)
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "invitations": "select",
    "tenant_features": "select",
    "nda_acceptances": "select, insert",
    "take_feedback": "select, insert, update",
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
    # the operator: whom they invited and what they closed, never what was said of a take
    for table, rights in OPERATOR_TABLES.items():
        op.execute(f"create policy operator on {table} to circletake_operator using (true) with check (true)")
        op.execute(f"grant {rights} on {table} to circletake_operator")
    op.execute(COHORT_REPORT)
    op.execute("revoke execute on function cohort_report(timestamptz, timestamptz) from public")
    op.execute("grant execute on function cohort_report(timestamptz, timestamptz) to circletake_operator")


OPERATOR_TABLES = {
    "invitations": "select, insert, update",
    "nda_acceptances": "select",
    "tenant_features": "select, insert, update",
}

# Sums only, and of a model and kind with fewer than five feedbacks not even those: whoever asks can't lower the five.
# Whole days, so that nobody asks for the moment in which one person spoke.
COHORT_REPORT = """
create function cohort_report(since timestamptz, until timestamptz)
returns table (model text, kind text, suppressed boolean, studios bigint, feedbacks bigint, takes bigint,
               rating numeric, would_use_in_cut numeric, minutes_saved numeric, cost_usd numeric, reasons jsonb)
language sql stable security definer set search_path = public as $$
    with said as (
        select coalesce(t.changes->>'model_id', g.model_id) as model, coalesce(t.changes->>'kind', g.kind) as kind,
               f.tenant_id, f.take_id, f.rating, f.would_use_in_cut, f.minutes_saved, f.reasons, t.cost_usd
        from take_feedback f
        join takes t on t.tenant_id = f.tenant_id and t.id = f.take_id
        join generations g on g.tenant_id = t.tenant_id and g.id = t.generation_id
        where f.said_at >= date_trunc('day', since, 'UTC') and f.said_at < date_trunc('day', until, 'UTC')),
    sums as (
        select s.model, s.kind, count(distinct s.tenant_id) as studios, count(*) as feedbacks,
               count(distinct s.take_id) as takes, round(avg(s.rating), 2) as rating,
               round(avg(s.would_use_in_cut::int), 3) as would_use_in_cut,
               round(percentile_cont(0.5) within group (order by s.minutes_saved)::numeric, 1) as minutes_saved,
               count(s.minutes_saved) as timed
        from said s group by s.model, s.kind),
    costs as (
        select c.model, c.kind, round(avg(c.cost_usd), 6) as cost_usd
        from (select distinct s.model, s.kind, s.take_id, s.cost_usd from said s) c group by c.model, c.kind),
    named as (
        select r.model, r.kind, jsonb_object_agg(r.reason, r.often) as reasons
        from (select s.model, s.kind, reason, count(*) as often
              from said s cross join lateral unnest(s.reasons) as reason
              group by s.model, s.kind, reason having count(*) >= 5) r
        group by r.model, r.kind)
    select m.model, m.kind, m.feedbacks < 5,
           case when m.feedbacks >= 5 then m.studios end, case when m.feedbacks >= 5 then m.feedbacks end,
           case when m.feedbacks >= 5 then m.takes end, case when m.feedbacks >= 5 then m.rating end,
           case when m.feedbacks >= 5 then m.would_use_in_cut end,
           case when m.timed >= 5 then m.minutes_saved end, case when m.feedbacks >= 5 then c.cost_usd end,
           case when m.feedbacks >= 5 then coalesce(n.reasons, '{}'::jsonb) end
    from sums m join costs c using (model, kind) left join named n using (model, kind)
    order by m.model, m.kind
$$
"""


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
