"""Settlements of unknown bills on the operator's wire."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from circletake.domain.kinds import Billed
from circletake.domain.money.budgets import MOST_USD
from circletake.usecases.money.settle_billing import CallKind, Settled, Verdict
from services.api.schemas.common import Body, Reply, Text


class SettlementBody(Body):
    """What the provider's bill says of a call."""

    billed: bool = Field(description="Whether it was charged")
    amount_usd: Annotated[Decimal, Field(ge=0, le=MOST_USD, max_digits=14, decimal_places=6)] | None = Field(
        default=None, description="What was charged, where it isn't what the call was estimated to cost"
    )
    evidence: Annotated[Text, Field(min_length=1, max_length=2000)] = Field(
        description="Where that can be read: an invoice and its line, a request id. Kept encrypted"
    )

    @model_validator(mode="after")
    def _charged_something(self) -> "SettlementBody":
        if not self.billed and self.amount_usd:
            raise ValueError("what was not billed has no amount_usd")
        return self

    @property
    def verdict(self) -> Verdict:
        return Verdict(Billed.TRUE if self.billed else Billed.FALSE, self.amount_usd, self.evidence)


class SettlementReply(Reply):
    id: UUID
    take_id: UUID | None = Field(description="Of a call that was to make a take")
    state: str | None = Field(description="Of that take")
    call_id: UUID | None = Field(description="null for a take that was settled whole, before calls were")
    call_kind: CallKind
    billed: Literal["true", "false"]
    amount_usd: Decimal
    settled_by: str
    ledger_entry_id: UUID
    created_at: datetime

    @classmethod
    def of(cls, settled: Settled) -> "SettlementReply":
        row = settled.settlement
        named = {name: getattr(row, name) for name in cls.model_fields if name != "state"}
        return cls(**named, state=settled.take_state)
