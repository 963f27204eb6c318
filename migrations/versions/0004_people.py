"""people who sign in

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("sign_in_scope", sa.Text(), nullable=False),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("roles_claim", sa.Text(), nullable=False),
        sa.Column("role_map", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("name_claim", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('active','removed')", name=op.f("ck_identity_providers_state")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_identity_providers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_providers")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_identity_providers_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_identity_providers_tenant_id_name")),
    )
    op.create_index(
        "uq_identity_providers_in_use",
        "identity_providers",
        ["issuer", "audience"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "people",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("subject_hash", sa.Text(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('active','suspended')", name=op.f("ck_people_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            name=op.f("fk_people_tenant_id_provider_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_people_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_people_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "provider_id",
            "subject_hash",
            name=op.f("uq_people_tenant_id_provider_id_subject_hash"),
        ),
    )
    op.create_index("ix_people_list", "people", ["tenant_id", "created_at", "id"], unique=False)
    op.add_column("consistency_checks", sa.Column("requested_by_person", sa.Uuid(), nullable=True))
    op.add_column("consistency_profiles", sa.Column("created_by_person", sa.Uuid(), nullable=True))
    op.add_column("enforcements", sa.Column("requested_by_person", sa.Uuid(), nullable=True))
    op.add_column("grants", sa.Column("person_id", sa.Uuid(), nullable=True))
    op.add_column("reference_sets", sa.Column("approved_by_person", sa.Uuid(), nullable=True))
    op.add_column("takes", sa.Column("circled_by", sa.Uuid(), nullable=True))
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "identity_providers": "select",
    "people": "select, insert, update",
}


# the only way to an identity provider before the tenant is known: by what a token claims of itself
LOOKUP = """
create function provider_lookup(wanted_issuer text, wanted_audiences text[]) returns table (
    provider_id uuid, issuer text, audience text, jwks_uri text, roles_claim text, role_map jsonb, name_claim text,
    tenant_id uuid, slug text, tenant_state text, region text, bucket text, kms_key_arn text, work_role_arn text,
    grant_role_arn text, wrapped_data_key bytea)
language sql stable security definer set search_path = public as $$
    select p.id, p.issuer, p.audience, p.jwks_uri, p.roles_claim, p.role_map, p.name_claim,
           t.id, t.slug, t.state, t.region, t.bucket, t.kms_key_arn, t.work_role_arn, t.grant_role_arn,
           t.wrapped_data_key
    from identity_providers p join tenants t on t.id = p.tenant_id
    where p.issuer = wanted_issuer and p.audience = any(wanted_audiences) and p.state = 'active'
$$;
"""

# what the console needs to begin a sign-in: of providers that the operator gave a client for it, and nothing of the
# tenant but its slug, which was asked with
SIGN_IN = """
create function sign_in_lookup(wanted_slug text) returns table (
    issuer text, audience text, jwks_uri text, client_id text, sign_in_scope text)
language sql stable security definer set search_path = public as $$
    select p.issuer, p.audience, p.jwks_uri, p.client_id, p.sign_in_scope
    from identity_providers p join tenants t on t.id = p.tenant_id
    where t.slug = wanted_slug and t.state = 'active' and p.state = 'active' and p.client_id is not null
    order by p.created_at limit 1
$$;
"""


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
    for function, text in (("provider_lookup(text, text[])", LOOKUP), ("sign_in_lookup(text)", SIGN_IN)):
        op.execute(text)
        op.execute(f"revoke execute on function {function} from public")
        op.execute(f"grant execute on function {function} to circletake_app")
    # the operator enters providers; people are their studio's own
    op.execute(
        "create policy operator on identity_providers to circletake_operator using (true) with check (true)"
    )
    op.execute("grant select, insert, update on identity_providers to circletake_operator")


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
