"""What a take's calls come to: each is paid by itself."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.kinds import Billed
from circletake.domain.money.calls import CallBill, TakeBill, bill_of_calls

PRICE = Decimal("0.08")
usd = st.decimals(min_value=0, max_value=10, places=6)


def test_a_take_that_was_never_called_for_costs_nothing() -> None:
    """No call, no bill."""
    assert bill_of_calls([]) == TakeBill(Billed.FALSE, Decimal(0), Decimal(0))


def test_a_throttled_call_is_free_and_the_one_that_answered_is_paid() -> None:
    """Only what the model took counts."""
    calls = [CallBill(Billed.FALSE, PRICE), CallBill(Billed.TRUE, PRICE, PRICE)]
    assert bill_of_calls(calls) == TakeBill(Billed.TRUE, PRICE, Decimal(0))


def test_a_lost_call_and_its_repeat_may_be_paid_twice() -> None:
    """The repeat is owed for certain, the lost one perhaps; the take is billed."""
    calls = [CallBill(Billed.UNKNOWN, PRICE, Decimal(0)), CallBill(Billed.TRUE, PRICE, PRICE)]
    bill = bill_of_calls(calls)
    assert (bill, bill.at_most) == (TakeBill(Billed.TRUE, PRICE, PRICE), 2 * PRICE)


def test_what_an_invoice_said_replaces_the_estimate() -> None:
    """A call settled with another amount costs that amount."""
    assert bill_of_calls([CallBill(Billed.TRUE, PRICE, Decimal("0.079"))]).cost == Decimal("0.079")


@given(st.lists(st.tuples(st.sampled_from(Billed), usd), max_size=12))
@settings(max_examples=100)
def test_a_bill_is_the_exact_sum_of_its_calls(calls: list[tuple[Billed, Decimal]]) -> None:
    """Whatever became of them, in whatever order: nothing is counted twice and nothing is lost."""
    bill = bill_of_calls(CallBill(billed, price) for billed, price in calls)
    assert bill.cost == sum(price for billed, price in calls if billed is Billed.TRUE)
    assert bill.unknown == sum(price for billed, price in calls if billed is Billed.UNKNOWN)
    assert bill.billed == (
        Billed.TRUE
        if any(billed is Billed.TRUE for billed, _ in calls)
        else Billed.UNKNOWN
        if any(billed is Billed.UNKNOWN for billed, _ in calls)
        else Billed.FALSE
    )
