"""Settlements of unknown bills on the operator's wire."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.usecases.money.settle_billing import Settled
from services.api.schemas.common import Body, Reply, Text


class SettlementBody(Body):
    """What the provider's bill says of a take."""

    billed: bool = Field(description="Whether it was charged, as quoted")
    evidence: Annotated[Text, Field(min_length=1, max_length=2000)] = Field(
        description="Where that can be read: an invoice and its line, a request id. Kept encrypted"
    )


class SettlementReply(Reply):
    id: UUID
    take_id: UUID
    state: str = Field(description="Of the take")
    billed: Literal["true", "false"]
    amount_usd: Decimal
    settled_by: str
    ledger_entry_id: UUID
    created_at: datetime

    @classmethod
    def of(cls, settled: Settled) -> "SettlementReply":
        row = settled.settlement
        named = {name: getattr(row, name) for name in cls.model_fields if name != "state"}
        return cls(**named, state=settled.take.state)
