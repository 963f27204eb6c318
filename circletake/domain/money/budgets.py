"""Budgets: what may still be spent, and which threshold a movement crosses. US dollars as Decimal, exact."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from circletake.domain.permission.holds import HoldLine

NOTHING = Decimal(0)
MOST_USD = Decimal(10000000)  # of one threshold


class BudgetScope(StrEnum):
    TENANT = "tenant"
    PRODUCTION = "production"
    SHOT = "shot"


@dataclass(frozen=True, slots=True)
class Amounts:
    """`spent` is owed for certain, `unknown` perhaps, `reserved` may become owed. Also a change of the three."""

    spent: Decimal = NOTHING
    unknown: Decimal = NOTHING
    reserved: Decimal = NOTHING

    @property
    def used(self) -> Decimal:
        """What counts against a budget: a bill that nobody knows counts whole until it is settled."""
        return self.spent + self.unknown + self.reserved

    def plus(self, change: "Amounts") -> "Amounts":
        return Amounts(
            self.spent + change.spent, self.unknown + change.unknown, self.reserved + change.reserved
        )

    def __bool__(self) -> bool:
        return any((self.spent, self.unknown, self.reserved))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Passing `soft` is told, passing `hard` is held. None: there is no such threshold."""

    soft: Decimal | None
    hard: Decimal | None


def has_room(amounts: Amounts, thresholds: Thresholds, usd: Decimal) -> bool:
    """Say whether so much more may be used. What costs nothing always may."""
    return usd <= NOTHING or thresholds.hard is None or amounts.used + usd <= thresholds.hard


def left(amounts: Amounts, thresholds: Thresholds) -> Decimal | None:
    """Return what may still be used; None where nothing bounds it, 0 where the budget was cut below what is used."""
    if thresholds.hard is None:
        return None
    return max(NOTHING, thresholds.hard - amounts.used)


def crosses_soft(before: Amounts, after: Amounts, thresholds: Thresholds) -> bool:
    """Say whether a movement passes the soft threshold upwards: from at most it to more than it."""
    return thresholds.soft is not None and before.used <= thresholds.soft < after.used


def refusal_line(scope: BudgetScope, amounts: Amounts, thresholds: Thresholds, usd: Decimal) -> HoldLine:
    """Return the sentence for a request that finds no room. `thresholds.hard` is set, or there would be room."""
    if thresholds.hard is None:
        raise ValueError("a budget without a hard threshold refuses nothing")
    found = left(amounts, thresholds) or NOTHING
    return HoldLine(
        f"budget.{scope}",
        f"This may cost {dollars(usd)}, and of the {scope}'s budget of {dollars(thresholds.hard)}"
        f" {dollars(found)} is left: {dollars(amounts.spent)} spent, {dollars(amounts.unknown)} with a bill that"
        f" nobody knows yet, {dollars(amounts.reserved)} reserved.",
    )


def dollars(usd: Decimal) -> str:
    """Write an amount as people read it: two places or as many as it needs, never rounded."""
    places = -int(usd.normalize().as_tuple().exponent)
    return f"${usd:.{max(2, places)}f}"
