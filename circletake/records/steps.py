"""The queue: steps, their leases, the models' caps and the workers that are alive."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Numeric, Text, func, text
from sqlalchemy import Sequence as DbSequence
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import Record, TenantRecord, belongs_to, tenant_key

# every claim takes the next number: a later write that carries an older one finds no row
FENCES = DbSequence("step_fences", metadata=Record.metadata)


class Step(TenantRecord):
    """One unit of queued work. Carries ids only."""

    __tablename__ = "steps"
    __table_args__ = (
        tenant_key(),
        # the dispatcher walks (lane, capped_by, tenant) group by group and takes the first few of each
        Index(
            "ix_steps_ready",
            "lane",
            "capped_by",
            "tenant_id",
            text("priority desc"),
            "id",
            "run_at",  # last, so that what isn't due yet is passed over inside the index
            postgresql_where=text("state = 'ready'"),
        ),
        Index("ix_steps_in_flight", "state", postgresql_where=text("state in ('rung','running','external')")),
        Index("ix_steps_waiting", "run_at", postgresql_where=text("state = 'external'")),
        Index("ix_steps_overdue", "deadline_at", postgresql_where=text("state = 'ready'")),
        Index("ix_steps_take", "tenant_id", "take_id"),
        Index("ix_steps_dead", "tenant_id", "id", postgresql_where=text("state = 'dead'")),
        CheckConstraint("state in ('ready','rung','running','external','done','dead')", name="state"),
    )

    kind: Mapped[str] = mapped_column(Text)
    lane: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="ready")
    capped_by: Mapped[str] = mapped_column(
        Text, default=""
    )  # a model's id, or `endpoint:<id>`: whose cap counts it
    priority: Mapped[int] = mapped_column(default=0)  # inside the tenant only
    run_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deadline_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column(default=0)
    crashes_alone: Mapped[int] = mapped_column(default=0)  # in the isolation lane
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    ring_no: Mapped[int] = mapped_column(default=0)
    rung_at: Mapped[datetime | None]
    generation_id: Mapped[UUID | None]
    take_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]  # what it is about when that is neither: a media file, a delivery
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    trouble: Mapped[str | None] = mapped_column(Text)  # the last failure's code
    finished_at: Mapped[datetime | None]


class StepLease(Record):
    """Who runs a step, and until when that is believed. Apart from `steps`, because it changes all the time."""

    __tablename__ = "step_leases"
    __table_args__ = (
        belongs_to("steps", "step_id", ondelete="CASCADE"),
        Index("ix_step_leases_until", "lease_until"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    step_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    fence: Mapped[int] = mapped_column(BigInteger)
    worker: Mapped[str] = mapped_column(Text)
    lease_until: Mapped[datetime]


class ModelQuota(Record):
    """How many steps may be in flight at a model. `cap` moves between 1 and `max_running` with throttling."""

    __tablename__ = "model_quotas"

    model_id: Mapped[str] = mapped_column(Text, primary_key=True)
    max_running: Mapped[int]
    cap: Mapped[float] = mapped_column(Numeric(10, 3, asdecimal=False))
    throttled_at: Mapped[datetime | None]
    raised_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WorkerBeat(Record):
    """A worker process that is alive, with the slots it has in one lane."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(Text, primary_key=True)
    lane: Mapped[str] = mapped_column(Text, primary_key=True)
    slots: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
