"""Budgets on the wire."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from circletake.domain.money.budgets import MOST_USD, BudgetScope, Thresholds
from circletake.usecases.money.budgets import BudgetAnswer
from circletake.usecases.money.keep_budgets import BudgetView
from services.api.schemas.common import Body, Reply, Text

Threshold = Annotated[Decimal, Field(ge=0, le=MOST_USD, max_digits=14, decimal_places=6)]


class BudgetBody(Body):
    """What a scope may spend, in US dollars. Give one threshold or both."""

    soft_usd: Threshold | None = Field(
        default=None, description="Passing it is told by `budget.soft`; nothing stops"
    )
    hard_usd: Threshold | None = Field(
        default=None, description="What would pass it is held with the reason `budget`"
    )
    note: Annotated[Text, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="Kept encrypted"
    )

    @model_validator(mode="after")
    def _makes_a_budget(self) -> "BudgetBody":
        if self.soft_usd is None and self.hard_usd is None:
            raise ValueError("give soft_usd, hard_usd or both")
        if self.soft_usd is not None and self.hard_usd is not None and self.soft_usd > self.hard_usd:
            raise ValueError("keep soft_usd at or below hard_usd")
        return self

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.soft_usd, self.hard_usd)


class BudgetReply(Reply):
    """A budget as it stands. What counts against it is spent_usd + unknown_usd + reserved_usd."""

    id: UUID
    scope: BudgetScope
    production_id: UUID | None = Field(description="Of a production's or a shot's budget")
    shot_id: UUID | None
    soft_usd: Decimal | None
    hard_usd: Decimal | None
    spent_usd: Decimal = Field(description="Owed for certain: takes, and models that judge")
    unknown_usd: Decimal = Field(
        description="Perhaps owed: nobody knows whether a call was billed. It counts whole until it is settled"
    )
    reserved_usd: Decimal = Field(description="What takes that are queued or running may cost")
    left_usd: Decimal | None = Field(
        description="Of the hard threshold; 0 when it was set below what is used, null without one"
    )
    exhausted_at: datetime | None = Field(
        description="When a request first found no room; null while there is room"
    )
    note: str | None
    version: int = Field(description="In quotes it is the ETag, for If-Match; counts edits")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: BudgetView) -> "BudgetReply":
        own: dict[str, Any] = {
            name: getattr(view.budget, name) for name in cls.model_fields if name not in {"left_usd", "note"}
        }
        return cls(**own, left_usd=view.left, note=view.note)


class BudgetLine(Reply):
    rule: Literal["budget.tenant", "budget.production", "budget.shot"]
    says: str


class BudgetRoom(Reply):
    """What the budgets would say to the request, this moment. A quote reserves nothing."""

    room: bool = Field(description="False: the request would be held with the reason `budget`")
    lines: list[BudgetLine] = Field(description="The budgets without room, and what is left of them")

    @classmethod
    def of(cls, answer: BudgetAnswer) -> "BudgetRoom":
        return cls(
            room=answer.room,
            lines=[
                BudgetLine.model_validate({"rule": each.rule, "says": each.says}) for each in answer.lines
            ],
        )
