"""the main job

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


class Xid8(sa.types.UserDefinedType[int]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_quotas",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=False),
        sa.Column("cap", sa.Numeric(precision=10, scale=3, asdecimal=False), nullable=False),
        sa.Column("throttled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_model_quotas")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("kms_key_arn", sa.Text(), nullable=True),
        sa.Column("bucket", sa.Text(), nullable=True),
        sa.Column("work_role_arn", sa.Text(), nullable=True),
        sa.Column("grant_role_arn", sa.Text(), nullable=True),
        sa.Column("wrapped_data_key", sa.LargeBinary(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('provisioning', 'active', 'suspended')", name=op.f("ck_tenants_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "worker_beats",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("worker", "lane", name=op.f("pk_worker_beats")),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_id", name=op.f("uq_api_keys_key_id")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_api_keys_tenant_id_id")),
    )
    op.create_table(
        "events",
        sa.Column("generation_id", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("txid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_events_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "tenant_id", "generation_id", "seq", name=op.f("uq_events_tenant_id_generation_id_seq")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_events_tenant_id_id")),
    )
    op.create_index("ix_events_order", "events", ["tenant_id", "txid", "id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_idempotency_keys_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_idempotency_keys_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "route", "key", name=op.f("uq_idempotency_keys_tenant_id_route_key")
        ),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_ledger_entries_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_ledger_entries_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_ledger_entries_tenant_id_subject_id"),
        "ledger_entries",
        ["tenant_id", "subject_id"],
        unique=False,
    )
    op.create_table(
        "productions",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_productions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_productions")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_productions_tenant_id_code")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_productions_tenant_id_id")),
    )
    op.create_table(
        "steps",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("capped_by", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("crashes_alone", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("ring_no", sa.Integer(), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
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
            "state in ('ready','rung','running','external','done','dead')", name=op.f("ck_steps_state")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_steps_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_steps_tenant_id_id")),
    )
    op.create_index(
        "ix_steps_dead",
        "steps",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_steps_in_flight",
        "steps",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state in ('rung','running','external')"),
    )
    op.create_index(
        "ix_steps_overdue",
        "steps",
        ["deadline_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_steps_ready",
        "steps",
        ["lane", "capped_by", "tenant_id", sa.literal_column("priority desc"), "id", "run_at"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index("ix_steps_take", "steps", ["tenant_id", "take_id"], unique=False)
    op.create_index(
        "ix_steps_waiting", "steps", ["run_at"], unique=False, postgresql_where=sa.text("state = 'external'")
    )
    op.create_table(
        "verifications",
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_verifications_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_verifications_tenant_id_id")),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("challenged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
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
            "state in ('unverified','active','disabled')", name=op.f("ck_webhook_endpoints_state")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_endpoints_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_webhook_endpoints_tenant_id_id")),
    )
    op.create_table(
        "episodes",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
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
            name=op.f("fk_episodes_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_episodes_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_episodes_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "production_id", "code", name=op.f("uq_episodes_tenant_id_production_id_code")
        ),
    )
    op.create_table(
        "step_leases",
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "step_id"],
            ["steps.tenant_id", "steps.id"],
            name=op.f("fk_step_leases_tenant_id_step_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("step_id", name=op.f("pk_step_leases")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_step_leases_until", "step_leases", ["lease_until"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
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
            "state in ('pending','delivered','failed','abandoned')", name=op.f("ck_webhook_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"],
            ["webhook_endpoints.tenant_id", "webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_tenant_id_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"],
            ["events.tenant_id", "events.id"],
            name=op.f("fk_webhook_deliveries_tenant_id_event_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_deliveries_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_webhook_deliveries_tenant_id_id")),
    )
    op.create_index(
        "ix_webhook_deliveries_pending",
        "webhook_deliveries",
        ["tenant_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint",
        "webhook_deliveries",
        ["tenant_id", "endpoint_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_webhook_deliveries_tenant_id_event_id"),
        "webhook_deliveries",
        ["tenant_id", "event_id"],
        unique=False,
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"],
            ["webhook_endpoints.tenant_id", "webhook_endpoints.id"],
            name=op.f("fk_webhook_secrets_tenant_id_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_secrets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_webhook_secrets_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_webhook_secrets_tenant_id_endpoint_id"),
        "webhook_secrets",
        ["tenant_id", "endpoint_id"],
        unique=False,
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["webhook_deliveries.tenant_id", "webhook_deliveries.id"],
            name=op.f("fk_delivery_attempts_tenant_id_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_delivery_attempts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
        sa.UniqueConstraint(
            "tenant_id",
            "delivery_id",
            "number",
            name=op.f("uq_delivery_attempts_tenant_id_delivery_id_number"),
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_delivery_attempts_tenant_id_id")),
    )
    op.create_table(
        "sequences",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "episode_id"],
            ["episodes.tenant_id", "episodes.id"],
            name=op.f("fk_sequences_tenant_id_episode_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_sequences_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_sequences_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sequences")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_sequences_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "production_id", "code", name=op.f("uq_sequences_tenant_id_production_id_code")
        ),
    )
    op.create_table(
        "shots",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("sequence_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("frame_in", sa.Integer(), nullable=True),
        sa.Column("frame_out", sa.Integer(), nullable=True),
        sa.Column("notes", sa.LargeBinary(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
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
            name=op.f("fk_shots_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sequence_id"],
            ["sequences.tenant_id", "sequences.id"],
            name=op.f("fk_shots_tenant_id_sequence_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_shots_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shots")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_shots_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "production_id", "code", name=op.f("uq_shots_tenant_id_production_id_code")
        ),
    )
    op.create_table(
        "generations",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("prompt", sa.LargeBinary(), nullable=True),
        sa.Column("negative_prompt", sa.LargeBinary(), nullable=True),
        sa.Column("client_metadata", sa.LargeBinary(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("controls", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("controls_report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("context_refs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("sheet_media_id", sa.Uuid(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_generations_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_generations_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_generations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_generations_tenant_id_id")),
    )
    op.create_index("ix_generations_list", "generations", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_generations_production",
        "generations",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_generations_shot", "generations", ["tenant_id", "shot_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "media_files",
        sa.Column("production_id", sa.Uuid(), nullable=False),
        sa.Column("shot_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("colour_space", sa.Text(), nullable=True),
        sa.Column("first_frame", sa.Integer(), nullable=True),
        sa.Column("last_frame", sa.Integer(), nullable=True),
        sa.Column("rights_basis", sa.Text(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("upload_id", sa.Text(), nullable=True),
        sa.Column("part_size", sa.BigInteger(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("probe", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_detail", sa.Text(), nullable=True),
        sa.Column("generation_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.Uuid(), nullable=True),
        sa.Column("digital_source_type", sa.Text(), nullable=True),
        sa.Column("manifest_urn", sa.Text(), nullable=True),
        sa.Column("manifest_sha256", sa.Text(), nullable=True),
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
            "state in ('uploading','inspecting','ready','refused','withdrawn')",
            name=op.f("ck_media_files_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "production_id"],
            ["productions.tenant_id", "productions.id"],
            name=op.f("fk_media_files_tenant_id_production_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shot_id"],
            ["shots.tenant_id", "shots.id"],
            name=op.f("fk_media_files_tenant_id_shot_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_media_files_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_files")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_media_files_tenant_id_id")),
    )
    op.create_index(
        "ix_media_files_production",
        "media_files",
        ["tenant_id", "production_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_media_files_sha256", "media_files", ["tenant_id", "sha256"], unique=False)
    op.create_index("ix_media_files_list", "media_files", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_media_files_manifest_urn",
        "media_files",
        ["tenant_id", "manifest_urn"],
        unique=False,
        postgresql_where=sa.text("manifest_urn is not null"),
    )
    op.create_table(
        "generation_inputs",
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=False),
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
            name=op.f("fk_generation_inputs_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_generation_inputs_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_generation_inputs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_inputs")),
        sa.UniqueConstraint(
            "tenant_id",
            "generation_id",
            "slot",
            name=op.f("uq_generation_inputs_tenant_id_generation_id_slot"),
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_generation_inputs_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_generation_inputs_tenant_id_media_id"),
        "generation_inputs",
        ["tenant_id", "media_id"],
        unique=False,
    )
    op.create_table(
        "grants",
        sa.Column("media_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("part_number", sa.Integer(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_grants_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_grants_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_grants_tenant_id_id")),
    )
    op.create_index(op.f("ix_grants_tenant_id_media_id"), "grants", ["tenant_id", "media_id"], unique=False)
    op.create_table(
        "takes",
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("seed_used", sa.BigInteger(), nullable=True),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("billed", sa.Text(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("provider_message", sa.LargeBinary(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("changed_fraction", sa.Double(), nullable=True),
        sa.Column("circled", sa.Boolean(), nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("ledger_entry_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("billed in ('true','false','unknown')", name=op.f("ck_takes_billed")),
        sa.CheckConstraint(
            "state in ('held','queued','running','succeeded','failed','filtered','canceled','expired')",
            name=op.f("ck_takes_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "generation_id"],
            ["generations.tenant_id", "generations.id"],
            name=op.f("fk_takes_tenant_id_generation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "media_id"],
            ["media_files.tenant_id", "media_files.id"],
            name=op.f("fk_takes_tenant_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "retry_of"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_takes_tenant_id_retry_of"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_takes_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_takes")),
        sa.UniqueConstraint(
            "tenant_id", "generation_id", "number", name=op.f("uq_takes_tenant_id_generation_id_number")
        ),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_takes_tenant_id_id")),
    )
    op.create_table(
        "invocations",
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("s3_uri", sa.Text(), nullable=True),
        sa.Column("invocation_arn", sa.Text(), nullable=True),
        sa.Column("call_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("billed", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("result_key", sa.Text(), nullable=True),
        sa.Column("result_type", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_invocations_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_invocations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invocations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_invocations_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "token", name=op.f("uq_invocations_tenant_id_token")),
    )
    op.create_index(
        op.f("ix_invocations_tenant_id_take_id"), "invocations", ["tenant_id", "take_id"], unique=False
    )
    op.create_table(
        "take_acts",
        sa.Column("take_id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "tenant_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('app.tenant_id', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "take_id"],
            ["takes.tenant_id", "takes.id"],
            name=op.f("fk_take_acts_tenant_id_take_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_take_acts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_take_acts")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_take_acts_tenant_id_id")),
    )
    op.create_index(
        op.f("ix_take_acts_tenant_id_take_id"), "take_acts", ["tenant_id", "take_id"], unique=False
    )
    isolate()


TENANT_TABLES = {
    # table: what the app role may do
    "api_keys": "select, insert, update (last_used_at)",
    "productions": "select, insert, update",
    "episodes": "select, insert, update",
    "sequences": "select, insert, update",
    "shots": "select, insert, update",
    "media_files": "select, insert, update",
    "grants": "select, insert",
    "verifications": "select, insert, update",
    "generations": "select, insert, update",
    "generation_inputs": "select, insert",
    "takes": "select, insert, update",
    "take_acts": "select, insert",
    "invocations": "select, insert, update",
    "steps": "select, insert, update",
    "step_leases": "select, insert, update, delete",
    "events": "select, insert",
    "webhook_endpoints": "select, insert, update, delete",
    "webhook_secrets": "select, insert, update, delete",
    "webhook_deliveries": "select, insert, update",
    "delivery_attempts": "select, insert",
    "ledger_entries": "select, insert",
    "idempotency_keys": "select, insert",
}

# the GUC is '' and not NULL once it was set in a session
CURRENT_TENANT = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)"

FUNCTIONS = """
create function auth_lookup(wanted text) returns table (
    api_key_id uuid, secret_hash bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz,
    last_used_at timestamptz, tenant_id uuid, slug text, tenant_state text, region text, bucket text,
    kms_key_arn text, work_role_arn text, grant_role_arn text, wrapped_data_key bytea)
language sql stable security definer set search_path = public as $$
    select k.id, k.secret_hash, k.scopes, k.expires_at, k.revoked_at, k.last_used_at,
           t.id, t.slug, t.state, t.region, t.bucket, t.kms_key_arn, t.work_role_arn, t.grant_role_arn,
           t.wrapped_data_key
    from api_keys k join tenants t on t.id = k.tenant_id
    where k.key_id = wanted
$$;

-- AIMD, the decrease: halve once a second at most, however many calls were throttled in it
create function model_throttled(model text) returns void
language sql security definer set search_path = public as $$
    update model_quotas set cap = greatest(1, cap / 2), throttled_at = now(), raised_at = now()
    where model_id = model and (throttled_at is null or throttled_at < now() - interval '1 second')
$$;

create function forget_old_answers() returns void
language sql security definer set search_path = public as $$
    delete from idempotency_keys where created_at < now() - interval '7 days'
$$;
"""


def isolate() -> None:
    """Row-level security on every tenant table, for the owner too, and the least each role needs."""
    for table, rights in TENANT_TABLES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner on {table} to circletake_owner using (true) with check (true)")
        op.execute(
            f"create policy tenant on {table} to circletake_app"
            f" using (tenant_id = {CURRENT_TENANT}) with check (tenant_id = {CURRENT_TENANT})"
        )
        op.execute(f"grant {rights} on {table} to circletake_app")
    op.execute("alter table tenants enable row level security")
    op.execute("alter table tenants force row level security")
    op.execute("create policy owner on tenants to circletake_owner using (true) with check (true)")
    op.execute(f"create policy tenant on tenants to circletake_app using (id = {CURRENT_TENANT})")
    op.execute("grant select on tenants to circletake_app")

    op.execute("create sequence step_fences")
    op.execute("grant usage on sequence step_fences to circletake_app")
    op.execute("grant select, insert, update on worker_beats to circletake_app")
    for function in FUNCTIONS.split("\n\n"):
        op.execute(function)
    for function, role in (
        ("auth_lookup(text)", "circletake_app"),
        ("model_throttled(text)", "circletake_app"),
        ("forget_old_answers()", "circletake_dispatcher"),
    ):
        op.execute(f"revoke execute on function {function} from public")
        op.execute(f"grant execute on function {function} to {role}")

    # the dispatcher: steps, leases, quotas; of a tenant only what fairness needs
    op.execute("create policy dispatcher on tenants for select to circletake_dispatcher using (true)")
    op.execute("grant select (id, state, weight, max_running) on tenants to circletake_dispatcher")
    for table, rights in (("steps", "select, insert, update"), ("step_leases", "select, update, delete")):
        op.execute(
            f"create policy dispatcher on {table} to circletake_dispatcher using (true) with check (true)"
        )
        op.execute(f"grant {rights} on {table} to circletake_dispatcher")
    op.execute("grant select, insert, update on model_quotas to circletake_dispatcher")
    op.execute("grant select, insert, update, delete on worker_beats to circletake_dispatcher")

    # the operator: tenants and keys, and to look at the queue; no content table
    for table, rights in (
        ("tenants", "select, insert, update"),
        ("api_keys", "select, insert, update"),
        ("steps", "select"),
        ("webhook_endpoints", "select (id, tenant_id, state, failing_since, created_at)"),
        ("webhook_deliveries", "select"),
    ):
        op.execute(f"create policy operator on {table} to circletake_operator using (true) with check (true)")
        op.execute(f"grant {rights} on {table} to circletake_operator")
    op.execute("grant select, update on model_quotas to circletake_operator")
    op.execute("grant select on worker_beats to circletake_operator")


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
