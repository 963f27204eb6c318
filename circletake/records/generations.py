"""Generations, their takes, what people did with them, and every call to a model."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circletake.records.base import TenantRecord, belongs_to, tenant_key


class Generation(TenantRecord):
    """One request for takes. Prompts and client metadata are sealed content.

    `state` repeats what the takes say (it is derived under the row's lock) so that lists can filter on it.
    """

    __tablename__ = "generations"
    __table_args__ = (
        tenant_key(),
        belongs_to("productions", "production_id"),
        belongs_to("shots", "shot_id"),
        belongs_to("takes", "finish_of", use_alter=True),
        belongs_to("generation_batches", "batch_id"),
        Index(
            "ix_generations_batch",
            "tenant_id",
            "batch_id",
            "batch_line",
            postgresql_where=text("batch_id is not null"),
        ),
        Index(
            "ix_generations_finish_of",
            "tenant_id",
            "finish_of",
            postgresql_where=text("finish_of is not null"),
        ),
        CheckConstraint("quality in ('draft','full')", name="quality"),
        Index("ix_generations_list", "tenant_id", "created_at", "id"),
        Index("ix_generations_production", "tenant_id", "production_id", "created_at", "id"),
        Index("ix_generations_shot", "tenant_id", "shot_id", "created_at", "id"),
    )

    production_id: Mapped[UUID]
    shot_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(Text)
    model_id: Mapped[str] = mapped_column(Text)
    prompt: Mapped[bytes | None] = mapped_column(LargeBinary)
    negative_prompt: Mapped[bytes | None] = mapped_column(LargeBinary)
    search_prompt: Mapped[bytes | None] = mapped_column(LargeBinary)
    client_metadata: Mapped[bytes | None] = mapped_column(LargeBinary)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    controls: Mapped[dict[str, Any]] = mapped_column(default=dict)
    controls_report: Mapped[list[Any]] = mapped_column(default=list)
    strict: Mapped[bool] = mapped_column(default=False)
    deadline_at: Mapped[datetime | None]
    external_ref: Mapped[str | None] = mapped_column(Text)
    context_refs: Mapped[dict[str, Any]] = mapped_column(
        default=dict
    )  # the production's and the shot's, then
    state: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[UUID | None]  # the API key
    requested_by_person: Mapped[UUID | None]
    # the use declaration; [{character, look, how}]: ids, and how it is known that it is depicted
    use: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    depicts: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    quality: Mapped[str] = mapped_column(Text, default="full", server_default="full")
    finish_of: Mapped[UUID | None]  # the circled take that this one finishes
    batch_id: Mapped[UUID | None]
    batch_line: Mapped[int | None]  # of the batch's file, from 1
    model_lock_id: Mapped[UUID | None]  # the production's choice that its model is of
    event_seq: Mapped[int] = mapped_column(default=0)
    sheet_media_id: Mapped[UUID | None]
    ledger_entry_id: Mapped[UUID]
    finished_at: Mapped[datetime | None]


class GenerationInput(TenantRecord):
    __tablename__ = "generation_inputs"
    __table_args__ = (
        tenant_key(),
        belongs_to("generations", "generation_id"),
        belongs_to("media_files", "media_id"),
        UniqueConstraint("tenant_id", "generation_id", "slot"),
        Index(None, "tenant_id", "media_id"),
    )

    generation_id: Mapped[UUID]
    slot: Mapped[str] = mapped_column(Text)
    media_id: Mapped[UUID]


class Take(TenantRecord):
    __tablename__ = "takes"
    __table_args__ = (
        tenant_key(),
        belongs_to("generations", "generation_id"),
        belongs_to("media_files", "media_id"),
        belongs_to("takes", "retry_of"),
        UniqueConstraint("tenant_id", "generation_id", "number"),
        Index(None, "tenant_id", "created_at"),
        CheckConstraint(
            "state in ('held','queued','running','succeeded','failed','filtered','canceled','expired')",
            name="state",
        ),
        CheckConstraint("billed in ('true','false','unknown')", name="billed"),
    )

    generation_id: Mapped[UUID]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    hold_reason: Mapped[str | None] = mapped_column(Text)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    seed_used: Mapped[int | None] = mapped_column(BigInteger)  # what the model says it used
    retry_of: Mapped[UUID | None]
    # where this take differs from its generation: rung, kind, model_id, inputs, controls; null: nowhere
    changes: Mapped[dict[str, Any] | None]
    billed: Mapped[str | None] = mapped_column(Text)
    # once it ended, the sum of its calls: what is owed for certain, and what may be owed beside
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    unknown_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6), default=Decimal(0), server_default=text("0"))
    estimate_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6))  # of one call
    # what budgets keep for it now: while it is queued or running its estimate, and that of each repeated call beside;
    # nothing while it is held or when it ended
    reserved_usd: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_detail: Mapped[str | None] = mapped_column(Text)  # our own words, never the provider's
    provider_message: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed
    # a filter's refusal in one form for all providers: {stage, source, categories}
    refusal: Mapped[dict[str, Any] | None]
    media_id: Mapped[UUID | None]
    changed_fraction: Mapped[float | None]  # of the frame, 0-1, measured on decoded pixels
    # what its last call to a model relied on: consents with their documents' hashes, exemptions, cleared holds
    permission: Mapped[dict[str, Any] | None]
    circled: Mapped[bool] = mapped_column(default=False)
    circled_by: Mapped[UUID | None]  # the person, while it is circled
    rejected: Mapped[bool] = mapped_column(default=False)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    ledger_entry_id: Mapped[UUID | None]  # of the entry that records its end
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TakeAct(TenantRecord):
    """Somebody circled, uncircled or rejected a take. Append-only; `reason` is sealed."""

    __tablename__ = "take_acts"
    __table_args__ = (tenant_key(), belongs_to("takes", "take_id"), Index(None, "tenant_id", "take_id"))

    take_id: Mapped[UUID]
    act: Mapped[str] = mapped_column(Text)
    reason: Mapped[bytes | None] = mapped_column(LargeBinary)
    api_key_id: Mapped[UUID | None]  # until people signed in, keys could
    person_id: Mapped[UUID | None]


class Invocation(TenantRecord):
    """One call to a model, committed before the call. `body` is sealed; pictures stand in it as object keys.

    A paid call that began and has no answer has `call_started_at` and no `ended_at`.
    """

    __tablename__ = "invocations"
    __table_args__ = (
        tenant_key(),
        belongs_to("takes", "take_id"),
        UniqueConstraint("tenant_id", "token"),
        Index(None, "tenant_id", "take_id"),
        # all studios' calls of a month, for an invoice; rows come in this order, so it stays small
        Index("ix_invocations_call_started_at", "call_started_at", postgresql_using="brin"),
    )

    take_id: Mapped[UUID]
    step_id: Mapped[UUID]
    model_id: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)  # invoke | start_async
    token: Mapped[str] = mapped_column(Text)  # clientRequestToken of an asynchronous call, a label otherwise
    request_hash: Mapped[str] = mapped_column(Text)  # keyed
    body: Mapped[bytes] = mapped_column(LargeBinary)
    s3_uri: Mapped[str | None] = mapped_column(Text)
    invocation_arn: Mapped[str | None] = mapped_column(Text)
    call_started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(
        Text
    )  # answered | filtered | unusable | a fault's kind | unknown
    billed: Mapped[str | None] = mapped_column(Text)
    estimate_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))  # null: from before calls had prices
    cost_usd: Mapped[Decimal | None] = mapped_column(
        Numeric(14, 6)
    )  # once it ended: what is owed for certain
    request_id: Mapped[str | None] = mapped_column(Text)
    result_key: Mapped[str | None] = mapped_column(Text)  # the raw result in the bucket
    result_type: Mapped[str | None] = mapped_column(Text)
