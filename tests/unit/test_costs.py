"""What takes cost: no surprise bill, no float, no lost cent."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.costs import MICRO_DOLLAR, cost_of_images, cost_of_take, cost_of_tokens, quote
from circletake.domain.kinds import Billed, Kind
from tests.unit.model_requests import ERASE, RAY2, SD35, card_of, native, request

prices = st.decimals(min_value=0, max_value=1000, places=9, allow_nan=False, allow_infinity=False)


def test_pictures_cost_their_price_each():
    """Four takes at 8 cents, with where the price comes from."""
    found = quote(card_of(SD35), Kind.CONCEPT_ART, 4, {})
    assert (found.per_take, found.total, found.currency) == (Decimal("0.08"), Decimal("0.32"), "USD")
    (line,) = found.lines
    assert (line.units, line.unit, line.usd_per_unit) == (1, "image", Decimal("0.08"))
    assert line.source
    assert line.as_of == card_of(SD35).price.as_of
    assert not found.unconfirmed


def test_a_quote_on_an_unconfirmed_price_says_so():
    """A third party's price list is no promise."""
    assert quote(card_of(ERASE), Kind.CLEANUP, 1, {}).unconfirmed


@pytest.mark.parametrize(
    ("controls", "per_take"),
    [
        ({}, "3.75"),
        ({"duration_seconds": 9}, "6.75"),
        ({"resolution": "720p"}, "7.50"),
        ({"duration_seconds": 9, "resolution": "720p"}, "13.50"),
    ],
)
def test_a_clip_costs_its_seconds_at_its_resolution(controls, per_take):
    """What is quoted is what the dialect sends, defaults included."""
    found = quote(card_of(RAY2), Kind.PREVIS_SHOT, 2, controls)
    assert found.per_take == Decimal(per_take)
    assert found.total == 2 * Decimal(per_take)
    sent = native(RAY2, request(Kind.PREVIS_SHOT, controls=controls))
    assert f"{found.lines[0].units}s" == sent["duration"]
    assert found.lines[0].usd_per_unit == card_of(RAY2).price.by_resolution[sent["resolution"]]


@pytest.mark.parametrize(
    "controls", [{"duration_seconds": 6}, {"resolution": "1080p"}, {"duration_seconds": True}]
)
def test_what_is_not_sold_has_no_quote(controls):
    """Never a price for the nearest thing."""
    with pytest.raises(ValueError, match="does not offer"):
        quote(card_of(RAY2), Kind.PREVIS_SHOT, 1, controls)


@pytest.mark.parametrize("takes", [0, -1])
def test_a_quote_is_for_one_take_or_more(takes):
    """No negative bills."""
    with pytest.raises(ValueError, match="one take"):
        quote(card_of(SD35), Kind.CONCEPT_ART, takes, {})


def test_a_kind_the_model_does_not_serve_has_no_quote():
    """A price for work that can't be done would be a promise."""
    with pytest.raises(ValueError, match="serve"):
        quote(card_of(SD35), Kind.CLEANUP, 1, {})


@settings(deadline=None)
@given(prices, st.integers(1, 500), st.sampled_from(list(Billed)))
def test_the_total_is_the_sum_of_its_takes_and_nothing_is_negative(usd, takes, billed):
    """For any price of any precision: rounding never loses nor adds money between takes and total."""
    card = card_of(SD35)
    found = quote(replace(card, price=replace(card.price, usd=usd)), Kind.CONCEPT_ART, takes, {})
    assert found.total == sum([found.per_take] * takes)
    assert usd <= found.per_take < usd + MICRO_DOLLAR
    assert found.per_take == found.per_take.quantize(MICRO_DOLLAR)
    cost = cost_of_take(found.per_take, billed)
    assert 0 <= cost.charged <= cost.at_most <= found.per_take
    for amount in (
        found.total,
        found.per_take,
        cost.charged,
        cost.at_most,
        *[each.usd for each in found.lines],
    ):
        assert isinstance(amount, Decimal)


@settings(deadline=None)
@given(prices, prices, st.sampled_from([5, 9]), st.integers(1, 50))
def test_clips_of_any_price_add_up(low, high, seconds, takes):
    """Seconds times price, rounded once for a take."""
    card = card_of(RAY2)
    priced = replace(card, price=replace(card.price, by_resolution={"540p": low, "720p": high}))
    found = quote(priced, Kind.PREVIS_SHOT, takes, {"duration_seconds": seconds, "resolution": "720p"})
    assert high * seconds <= found.per_take < high * seconds + MICRO_DOLLAR
    assert found.total == found.per_take * takes


@pytest.mark.parametrize(
    ("billed", "charged", "at_most"),
    [(Billed.TRUE, "0.08", "0.08"), (Billed.FALSE, "0", "0"), (Billed.UNKNOWN, "0", "0.08")],
)
def test_an_unknown_bill_keeps_its_amount_reserved(billed, charged, at_most):
    """Nobody is charged on a guess, and no budget is freed on one."""
    cost = cost_of_take(Decimal("0.08"), billed)
    assert (cost.charged, cost.at_most) == (Decimal(charged), Decimal(at_most))


def test_tokens_are_charged_at_both_prices_rounded_up():
    """What goes in and what comes out have prices of their own."""
    card = card_of("us.anthropic.claude-haiku-4-5-20251001-v1:0")
    assert cost_of_tokens(card, 1000, 1000) == Decimal("0.006")
    assert cost_of_tokens(card, 1, 0) == Decimal("0.000001")
    assert cost_of_tokens(card_of("us.amazon.nova-2-lite-v1:0"), 1, 0) == Decimal("0.000001")
    assert cost_of_tokens(card, 0, 0) == 0


def test_an_embedding_is_charged_by_the_picture():
    """Six hundredths of a thousandth each, as the catalogue has it."""
    assert cost_of_images(card_of("amazon.titan-embed-image-v1"), 1000) == Decimal("0.06")


def test_a_price_of_another_unit_is_not_mistaken():
    """A judge isn't charged by the picture, a generator not by the token."""
    with pytest.raises(ValueError, match="per token"):
        cost_of_tokens(card_of(SD35), 1, 1)
    with pytest.raises(ValueError, match="per image"):
        cost_of_images(card_of("us.amazon.nova-pro-v1:0"), 1)
    with pytest.raises(ValueError, match="does not serve"):
        quote(card_of("us.amazon.nova-pro-v1:0"), Kind.CONCEPT_ART, 1, {})
