"""What was made, what it cost, and what a kept take came to. US dollars as Decimal; totals are exact sums."""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from enum import StrEnum

from circletake.domain.costs import MICRO_DOLLAR

NOTHING = Decimal(0)
_HUNDREDTH = Decimal("0.01")


class UsageBy(StrEnum):
    """What usage can be grouped by."""

    SHOT = "shot"
    KIND = "kind"
    MODEL = "model"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts and sums of one group. `made`: takes that a model was asked for, whatever came of them."""

    takes: int = 0  # asked for
    made: int = 0
    succeeded: int = 0
    filtered: int = 0
    circled: int = 0
    cost: Decimal = NOTHING  # of takes, owed for certain
    unknown: Decimal = NOTHING  # of all three, perhaps owed
    judging: Decimal = NOTHING  # of models that judge, owed for certain
    language: Decimal = NOTHING  # of models that write, owed for certain

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )

    @property
    def total(self) -> Decimal:
        """All that it may come to: an unknown bill counts whole until it is settled, as it does for budgets."""
        return self.cost + self.unknown + self.judging + self.language

    @property
    def cost_per_circled(self) -> Decimal | None:
        """What each kept take came to, rejected ones and judging included, rounded up to a millionth of a dollar."""
        if not self.circled:
            return None
        return (self.total / self.circled).quantize(MICRO_DOLLAR, rounding=ROUND_UP)

    @property
    def generation_ratio(self) -> Decimal | None:
        """Takes made per take circled, to two places: a film's shooting ratio."""
        if not self.circled:
            return None
        return (Decimal(self.made) / self.circled).quantize(_HUNDREDTH, rounding=ROUND_HALF_UP)


def saving(conventional_bid: Decimal | None, usage: Usage) -> Decimal | None:
    """Return what a shot saved against its conventional bid; below zero it cost more.

    None without a bid, and before a take of it is circled: until then nothing replaces the conventional work.
    """
    if conventional_bid is None or not usage.circled:
        return None
    return conventional_bid - usage.total
