"""What calls to models come to, and what a take owes for all of its own. US dollars as Decimal, exact.

A call is paid by itself: one that was made, lost and made again is paid twice, whatever its take came to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from circletake.domain.kinds import Billed

NOTHING = Decimal(0)
_CERTAINTY = (Billed.FALSE, Billed.UNKNOWN, Billed.TRUE)


@dataclass(frozen=True, slots=True)
class CallBill:
    """One call: what it was estimated to cost, and what is known of its bill. `cost` is None until it is known."""

    billed: Billed
    estimate: Decimal
    cost: Decimal | None = None

    @property
    def charged(self) -> Decimal:
        if self.billed is not Billed.TRUE:
            return NOTHING
        return self.estimate if self.cost is None else self.cost

    @property
    def perhaps(self) -> Decimal:
        """Return what may be owed beside: a bill that nobody knows counts whole."""
        return self.estimate if self.billed is Billed.UNKNOWN else NOTHING


@dataclass(frozen=True, slots=True)
class TakeBill:
    """What a take's calls come to: `cost` is owed for certain, `unknown` perhaps. A repeat counts beside its first."""

    billed: Billed = Billed.FALSE
    cost: Decimal = NOTHING
    unknown: Decimal = NOTHING

    @property
    def at_most(self) -> Decimal:
        return self.cost + self.unknown


def bill_of_calls(calls: Iterable[CallBill]) -> TakeBill:
    """Add up a take's calls. It is billed when one of them is, perhaps when nobody knows of one, else not."""
    bill = TakeBill()
    for call in calls:
        bill = TakeBill(
            max(bill.billed, call.billed, key=_CERTAINTY.index),
            bill.cost + call.charged,
            bill.unknown + call.perhaps,
        )
    return bill
