"""What takes cost, in US dollars as Decimal.

The rule of rounding: the amount of one take is rounded up to a millionth of a dollar, so a quote is never below
what is charged; a total is the sum of its takes and is not rounded again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal
from typing import Any

from circletake.domain.kinds import Billed, Kind
from circletake.domain.pictures import ModelCard

MICRO_DOLLAR = Decimal("0.000001")
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One term of the sum: `units` of `unit` at `usd_per_unit` each, for every take."""

    what: str
    units: Decimal
    unit: str  # image | second (takes are never sold by the token)
    usd_per_unit: Decimal
    usd: Decimal
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Quote:
    model: str
    takes: int
    per_take: Decimal
    total: Decimal
    lines: tuple[QuoteLine, ...]
    unconfirmed: bool  # the price has no confirmation by the provider
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class TakeCost:
    """`charged` is owed for certain; `at_most` is what the bill may show. They differ while nobody knows."""

    charged: Decimal
    at_most: Decimal


def quote(card: ModelCard, kind: Kind, takes: int, controls: Mapping[str, Any]) -> Quote:
    """Return what `takes` takes cost. Raises ValueError when the model doesn't serve the kind or sell the length.

    Controls that aren't given stand at the card's defaults, exactly as the dialect sends them.
    """
    if takes < 1:
        raise ValueError("a quote is for one take or more")
    if kind not in card.kinds:
        raise ValueError("this model does not serve this kind")
    line = _line(card, controls)
    per_take = line.usd
    return Quote(card.id, takes, per_take, per_take * takes, (line,), unconfirmed=not card.price.confirmed)


def cost_of_take(per_take: Decimal, billed: Billed) -> TakeCost:
    """Return what a terminal take costs. An unknown bill keeps its whole amount reserved until somebody knows."""
    if billed is Billed.TRUE:
        return TakeCost(per_take, per_take)
    if billed is Billed.FALSE:
        return TakeCost(NOTHING, NOTHING)
    return TakeCost(NOTHING, per_take)


def cost_of_images(card: ModelCard, images: int) -> Decimal:
    """Return what an embedding model asks for so many pictures. Raises ValueError for another unit of price."""
    if card.price.unit != "image":
        raise ValueError("this model is not priced per image")
    return (images * card.price.usd).quantize(MICRO_DOLLAR, rounding=ROUND_UP)


def cost_of_tokens(card: ModelCard, tokens_in: int, tokens_out: int) -> Decimal:
    """Return what so many tokens cost, rounded up to a millionth of a dollar. Raises ValueError for another unit.

    With the counts that an answer states it is the charge; with the most that a request can use, the reservation.
    """
    price = card.price
    if price.unit != "1000_tokens" or price.usd_output is None:
        raise ValueError("this model is not priced per token")
    usd = (tokens_in * price.usd + tokens_out * price.usd_output) / 1000
    return usd.quantize(MICRO_DOLLAR, rounding=ROUND_UP)


def _line(card: ModelCard, controls: Mapping[str, Any]) -> QuoteLine:
    price = card.price
    if price.unit == "image":
        return _term("image", Decimal(1), card, price.usd)
    seconds = _chosen(card, controls, "duration_seconds")
    resolution = _chosen(card, controls, "resolution")
    if resolution is None:
        each = price.usd
    elif resolution in price.by_resolution:
        each = price.by_resolution[resolution]
    else:
        raise ValueError("this resolution has no price")
    if seconds is None:
        raise ValueError("a price per second needs duration_seconds")
    what = "clip" if resolution is None else f"clip at {resolution}"
    return _term(what, Decimal(seconds), card, each)


def _term(what: str, units: Decimal, card: ModelCard, each: Decimal) -> QuoteLine:
    price = card.price
    usd = (units * each).quantize(MICRO_DOLLAR, rounding=ROUND_UP)
    return QuoteLine(what, units, price.unit, each, usd, price.source, price.as_of)


def _chosen(card: ModelCard, controls: Mapping[str, Any], name: str) -> Any:
    """Return the value a model will be sent: the requested one, else the card's default."""
    limit = card.limits.get("controls", {}).get(name)
    if limit is None:
        return None
    value = controls.get(name, limit.get("default"))
    if value not in limit["values"] or isinstance(value, bool):
        raise ValueError(f"this model does not offer that {name}")
    return value
