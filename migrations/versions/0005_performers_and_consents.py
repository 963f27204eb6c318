"""performers, portrayals and consents

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "performers",
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("contact", sa.LargeBinary(), nullable=True),
        sa.Column("guardian", sa.LargeBinary(), nullable=True),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("deceased", sa.Boolean(), nullable=False),
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
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_performers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performers")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_performers_tenant_id_id")),
    )
    op.create_index("ix_performers_list", "performers", ["tenant_id", "created_at", "id"], unique=False)
    op.create_table(
        "consents",
        sa.Column("performer_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replica_type", sa.Text(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=True),
        sa.Column("production_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("shot_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("sequence_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("media", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("territories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("no_end", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signer_role", sa.Text(), nullable=True),
        sa.Column("signer_name", sa.LargeBinary(), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_person", sa.Uuid(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("declined_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("expiring_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
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
            "replica_type in ('employment_based','independently_created','background','digital_alteration')",
            name=op.f("ck_consents_replica_type"),
        ),
        sa.CheckConstraint(
            "signer_role in ('performer','representative','estate','union','guardian')",
            name=op.f("ck_consents_signer_role"),
        ),
        sa.CheckConstraint(
            "state in ('draft','requested','granted','declined','expired','revoked')",
            name=op.f("ck_consents_state"),
        ),
        sa.CheckConstraint(
            "state not in ('granted','expired','revoked') or (signed_on is not null and granted_at is not null and document_sha256 is not null)",
            name=op.f("ck_consents_signed"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "performer_id"],
            ["performers.tenant_id", "performers.id"],
            name=op.f("fk_consents_tenant_id_performer_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_consents_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consents_tenant_id_id")),
    )
    op.create_index("ix_consents_list", "consents", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_consents_performer", "consents", ["tenant_id", "performer_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "consent_documents",
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "consent_id"],
            ["consents.tenant_id", "consents.id"],
            name=op.f("fk_consent_documents_tenant_id_consent_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_consent_documents_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_documents")),
        sa.UniqueConstraint(
            "tenant_id", "consent_id", name=op.f("uq_consent_documents_tenant_id_consent_id")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consent_documents_tenant_id_id")),
    )
    op.create_table(
        "consent_exemptions",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("performer_id", sa.Uuid(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("shot_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("explanation", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_consent_exemptions_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "performer_id"],
            ["performers.tenant_id", "performers.id"],
            name=op.f("fk_consent_exemptions_tenant_id_performer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_consent_exemptions_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_consent_exemptions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_exemptions")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_consent_exemptions_tenant_id_id")),
    )
    op.create_index(
        "ix_consent_exemptions_list",
        "consent_exemptions",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "synthetic_performer_notices",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("value_statement", sa.LargeBinary(), nullable=False),
        sa.Column("notice_on", sa.Date(), nullable=False),
        sa.Column("bargaining_status", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
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
            "bargaining_status in ('notified','bargaining','agreed','in_arbitration','no_agreement')",
            name=op.f("ck_synthetic_performer_notices_bargaining_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_synthetic_performer_notices_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_synthetic_performer_notices_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_synthetic_performer_notices_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_synthetic_performer_notices")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_synthetic_performer_notices_tenant_id_id")),
    )
    op.create_index(
        "ix_synthetic_performer_notices_list",
        "synthetic_performer_notices",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_synthetic_performer_notices_tenant_id_character_id"),
        "synthetic_performer_notices",
        ["tenant_id", "character_id"],
        unique=False,
    )
    op.create_table(
        "compensation_events",
        sa.Column("performer_id", sa.Uuid(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=True),
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("units", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_by_person", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("basis in ('day','fee')", name=op.f("ck_compensation_events_basis")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "consent_id"],
            ["consents.tenant_id", "consents.id"],
            name=op.f("fk_compensation_events_tenant_id_consent_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "performer_id"],
            ["performers.tenant_id", "performers.id"],
            name=op.f("fk_compensation_events_tenant_id_performer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_compensation_events_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_compensation_events_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_compensation_events_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compensation_events")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_compensation_events_tenant_id_id")),
    )
    op.create_index(
        "ix_compensation_events_list",
        "compensation_events",
        ["tenant_id", "performer_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "portrayals",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=False),
        sa.Column("performer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("reference_set_id", sa.Uuid(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_person", sa.Uuid(), nullable=True),
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
        sa.CheckConstraint(
            "kind in ('performs','doubles','voice','likeness')", name=op.f("ck_portrayals_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "character_id"],
            ["characters.tenant_id", "characters.id"],
            name=op.f("fk_portrayals_tenant_id_character_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_portrayals_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "performer_id"],
            ["performers.tenant_id", "performers.id"],
            name=op.f("fk_portrayals_tenant_id_performer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_portrayals_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "reference_set_id"],
            ["reference_sets.tenant_id", "reference_sets.id"],
            name=op.f("fk_portrayals_tenant_id_reference_set_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_portrayals_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portrayals")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_portrayals_tenant_id_id")),
    )
    op.create_index(
        "ix_portrayals_character",
        "portrayals",
        ["tenant_id", "character_id"],
        unique=False,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("ix_portrayals_performer", "portrayals", ["tenant_id", "performer_id"], unique=False)
    op.create_index(
        "ix_portrayals_production",
        "portrayals",
        ["tenant_id", "production_id"],
        unique=False,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(
        "uq_portrayals_current",
        "portrayals",
        ["tenant_id", "character_id", "performer_id", "kind", "reference_set_id", "media_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    isolate()


CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"

TENANT_TABLES = {
    "performers": "select, insert, update",
    "consents": "select, insert, update",
    "consent_documents": "select, insert, update, delete",
    "consent_exemptions": "select, insert, update",
    "synthetic_performer_notices": "select, insert, update",
    "compensation_events": "select, insert",
    "portrayals": "select, insert, update",
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
