"""What a generation is asked for besides: what to find, its quality, its batch; what each call cost

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("generations", sa.Column("search_prompt", sa.LargeBinary(), nullable=True))
    op.add_column("generations", sa.Column("quality", sa.Text(), server_default="full", nullable=False))
    op.add_column("generations", sa.Column("finish_of", sa.Uuid(), nullable=True))
    op.add_column("generations", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("generations", sa.Column("batch_line", sa.Integer(), nullable=True))
    op.add_column("generations", sa.Column("model_lock_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_generations_batch",
        "generations",
        ["tenant_id", "batch_id", "batch_line"],
        unique=False,
        postgresql_where=sa.text("batch_id is not null"),
    )
    op.create_index(
        "ix_generations_finish_of",
        "generations",
        ["tenant_id", "finish_of"],
        unique=False,
        postgresql_where=sa.text("finish_of is not null"),
    )
    op.create_foreign_key(
        op.f("fk_generations_tenant_id_finish_of"),
        "generations",
        "takes",
        ["tenant_id", "finish_of"],
        ["tenant_id", "id"],
        postgresql_not_valid=True,  # the column is new: there is nothing to look through
    )
    op.create_check_constraint(
        op.f("ck_generations_quality"),
        "generations",
        "quality in ('draft','full')",
    )
    op.add_column("invocations", sa.Column("estimate_usd", sa.Numeric(precision=14, scale=6), nullable=True))
    op.add_column("invocations", sa.Column("cost_usd", sa.Numeric(precision=14, scale=6), nullable=True))
    op.add_column("takes", sa.Column("refusal", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations run forward only")
