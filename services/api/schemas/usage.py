"""Usage on the wire, as JSON and as CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.money.usage import Usage, UsageBy, saving
from circletake.usecases.money.usage import UsageAsked, UsageRow
from services.api.schemas.common import Reply


class UsageSums(Reply):
    """Counts, and sums in US dollars."""

    takes: int = Field(description="Asked for, whatever their state")
    made: int = Field(description="Of these, the ones that a model was asked for and that have ended")
    succeeded: int
    filtered: int = Field(description="Refused by a model's or guardrail's safety filter")
    circled: int
    cost_usd: Decimal = Field(description="Of takes, owed for certain")
    unknown_usd: Decimal = Field(
        description="Of takes, judging and writing, perhaps owed: nobody knows the bill yet"
    )
    judging_usd: Decimal = Field(description="Of models that judge, owed for certain")
    language_usd: Decimal = Field(description="Of models that write, owed for certain")
    total_usd: Decimal = Field(description="The four together")
    cost_per_circled_take_usd: Decimal | None = Field(
        description="total_usd for each circled take, what was rejected included; null while none is circled"
    )
    generation_ratio: Decimal | None = Field(
        description="Takes made for each circled one; null while none is circled"
    )
    conventional_bid_usd: Decimal | None = Field(
        description="Grouped by shot alone: what the shot would cost without AI"
    )
    saving_usd: Decimal | None = Field(
        description="The bid less total_usd, once a take of the shot is circled; below zero it cost more"
    )


class UsageGroup(UsageSums):
    """One group. A field it isn't grouped by is null, and so is one that its takes don't have."""

    shot_id: UUID | None
    shot_code: str | None
    kind: str | None = Field(
        description="consistency_check for judging that serves no generation; script_breakdown and shot_prompt for what"
        " models wrote"
    )
    model: str | None = Field(description="Judging stands with the model that judged")
    person_id: UUID | None = Field(description="Who asked")
    api_key_id: UUID | None = Field(description="The key that asked, where no person did")


class UsageReply(Reply):
    """The dearest group first; each column of `total` is the exact sum of its column."""

    group_by: list[UsageBy]
    production_id: UUID | None
    since: datetime | None = Field(serialization_alias="from")
    until: datetime | None = Field(serialization_alias="to")
    currency: Literal["USD"] = "USD"
    data: list[UsageGroup]
    total: UsageSums

    @classmethod
    def of(cls, asked: UsageAsked, rows: Sequence[UsageRow]) -> "UsageReply":
        groups = [_group(row, priced=list(asked.by) == [UsageBy.SHOT]) for row in rows]
        total = Usage()
        for row in rows:
            total = total.plus(row.usage)
        bid = _sum([each.conventional_bid_usd for each in groups])
        saved = _sum([each.saving_usd for each in groups])
        return cls(
            group_by=list(asked.by),
            production_id=asked.production_id,
            since=asked.since,
            until=asked.until,
            data=groups,
            total=UsageSums(**_sums(total), conventional_bid_usd=bid, saving_usd=saved),
        )

    def csv(self) -> str:
        """The groups and a last line with the total, whose group columns say so."""
        columns = [name for by in self.group_by for name in _OF[by]]
        sums = list(UsageSums.model_fields)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*columns, *sums])
        for group in self.data:
            writer.writerow([_cell(getattr(group, name)) for name in (*columns, *sums)])
        if columns:
            labels = ["total", *[""] * (len(columns) - 1)]
            writer.writerow([*labels, *[_cell(getattr(self.total, name)) for name in sums]])
        return text.getvalue()


_OF = {
    UsageBy.SHOT: ("shot_code", "shot_id"),
    UsageBy.KIND: ("kind",),
    UsageBy.MODEL: ("model",),
    UsageBy.PERSON: ("person_id", "api_key_id"),
}


def _group(row: UsageRow, *, priced: bool) -> UsageGroup:
    bid = row.conventional_bid if priced else None
    return UsageGroup(
        shot_id=row.shot_id,
        shot_code=row.shot_code,
        kind=row.kind,
        model=row.model,
        person_id=row.person_id,
        api_key_id=row.api_key_id,
        **_sums(row.usage),
        conventional_bid_usd=bid,
        saving_usd=saving(bid, row.usage),
    )


def _sums(usage: Usage) -> dict[str, int | Decimal | None]:
    return {
        "takes": usage.takes,
        "made": usage.made,
        "succeeded": usage.succeeded,
        "filtered": usage.filtered,
        "circled": usage.circled,
        "cost_usd": usage.cost,
        "unknown_usd": usage.unknown,
        "judging_usd": usage.judging,
        "language_usd": usage.language,
        "total_usd": usage.total,
        "cost_per_circled_take_usd": usage.cost_per_circled,
        "generation_ratio": usage.generation_ratio,
    }


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [each for each in amounts if each is not None]
    return sum(known, Decimal(0)) if known else None


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
