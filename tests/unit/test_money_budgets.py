"""Budgets and usage as arithmetic: no cent is lost, none is found."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.money.budgets import (
    Amounts,
    BudgetScope,
    Thresholds,
    crosses_soft,
    dollars,
    has_room,
    left,
    refusal_line,
)
from circletake.domain.money.usage import Usage, saving

usd = st.decimals(min_value=0, max_value=1000, places=6, allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(usd, st.sampled_from(["true", "false", "unknown", "open"])), max_size=40),
    usd,
    st.none() | usd,
)
@settings(max_examples=100)
def test_what_is_used_never_passes_the_hard_threshold(requests, hard, soft):
    """Whatever is asked for and however it ends: used is at most hard, and each upward pass of soft is told."""
    thresholds = Thresholds(soft, hard)
    now, told = Amounts(), 0
    for cost, end in requests:
        if not has_room(now, thresholds, cost):
            assert cost > (left(now, thresholds) or 0)
            continue
        before, now = now, now.plus(Amounts(reserved=cost))
        told += crosses_soft(before, now, thresholds)
        if end != "open":
            spent, unknown = (cost if end == each else Decimal(0) for each in ("true", "unknown"))
            before, now = now, now.plus(Amounts(spent, unknown, -cost))
            assert not crosses_soft(before, now, thresholds)  # an end takes no more than was reserved
        assert now.used <= hard
        assert left(now, thresholds) == hard - now.used
    assert now.used == now.spent + now.unknown + now.reserved
    if soft is not None and now.used > soft:
        assert told >= 1


def test_without_a_hard_threshold_there_is_always_room():
    """A soft one is told of and stops nothing."""
    thresholds = Thresholds(Decimal(1), None)
    assert has_room(Amounts(spent=Decimal(5)), thresholds, Decimal(5))
    assert left(Amounts(spent=Decimal(5)), thresholds) is None
    assert not crosses_soft(Amounts(spent=Decimal(5)), Amounts(spent=Decimal(6)), thresholds)


def test_a_budget_cut_below_what_is_used_lets_only_the_free_through():
    """Nothing is left of it, and the sentence says so with every part."""
    amounts = Amounts(Decimal("7.5"), Decimal("0.08"), Decimal("3.75"))
    thresholds = Thresholds(None, Decimal(10))
    assert left(amounts, thresholds) == 0
    assert has_room(amounts, thresholds, Decimal(0))
    assert not has_room(amounts, thresholds, Decimal("0.000001"))
    line = refusal_line(BudgetScope.SHOT, amounts, thresholds, Decimal("0.000060"))
    assert line.rule == "budget.shot"
    assert line.says == (
        "This may cost $0.00006, and of the shot's budget of $10.00 $0.00 is left: $7.50 spent, $0.08 with a bill"
        " that nobody knows yet, $3.75 reserved."
    )


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0", "$0.00"), ("1E+1", "$10.00"), ("0.080000", "$0.08"), ("0.000060", "$0.00006")],
)
def test_amounts_are_written_without_rounding(amount, written):
    """Two places, or as many as it needs."""
    assert dollars(Decimal(amount)) == written


sums = st.builds(
    Usage,
    takes=st.integers(0, 50),
    made=st.integers(0, 50),
    circled=st.integers(0, 5),
    cost=usd,
    unknown=usd,
    judging=usd,
)


@given(st.lists(sums, max_size=20))
@settings(max_examples=60)
def test_totals_are_exact_sums_and_a_kept_take_pays_for_the_rejected(rows):
    """A total is its rows' sum to the last place; cost per circled take covers everything that was spent."""
    total = Usage()
    for row in rows:
        total = total.plus(row)
    assert total.total == sum((row.cost + row.unknown + row.judging for row in rows), Decimal(0))
    if total.circled == 0:
        assert total.cost_per_circled is None
        assert total.generation_ratio is None
    else:
        covered = total.cost_per_circled * total.circled
        assert 0 <= covered - total.total < total.circled * Decimal("0.000001")


def test_a_film_s_ratio_and_what_a_shot_saved():
    """Twenty takes made for one kept are 20:1; there is no saving before a take replaces the conventional work."""
    usage = Usage(takes=22, made=20, succeeded=18, filtered=1, circled=1, cost=Decimal("1.60"))
    assert (usage.generation_ratio, usage.cost_per_circled) == (20, Decimal("1.60"))
    assert saving(Decimal(12500), usage) == Decimal("12498.40")
    assert saving(None, usage) is None
    assert saving(Decimal(1), Usage(cost=Decimal("1.60"))) is None
    assert saving(Decimal(1), usage) == Decimal("-0.60")
