"""The offline models' own call log beside our books: each call is in both, at the price list's price."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from circletake.adapters.catalogue.files import FileCatalogue
from circletake.domain.costs import MICRO_DOLLAR, cost_of_tokens

NOTHING = Decimal(0)
# a row's times are of the transaction that wrote it, on the database's clock
_SLACK = timedelta(milliseconds=50)


@dataclass(slots=True)
class OurCall:
    """A row of ours: a take's call, a judging one or a language one."""

    id: Any
    model: str
    billed: str
    estimate: Decimal
    cost: Decimal
    began: datetime
    ended: datetime
    request_id: str | None
    token: str | None = None

    @property
    def unknown(self) -> Decimal:
        return self.estimate if self.billed == "unknown" else NOTHING


@dataclass(slots=True)
class Pairs:
    """Which row of theirs is which of ours. `strangers`: calls that only they know of."""

    both: list[tuple[dict[str, Any], OurCall]] = field(default_factory=list)
    strangers: list[dict[str, Any]] = field(default_factory=list)
    only_ours: list[OurCall] = field(default_factory=list)


def price_in(catalogue: FileCatalogue, call: Mapping[str, Any]) -> Decimal:
    """What the price list asks for a call as the server logged it."""
    card = catalogue.get(call["model_id"])
    assert card is not None, call["model_id"]
    if card.price.unit == "1000_tokens":
        return cost_of_tokens(card, int(call["tokens_in"] or 0), int(call["tokens_out"] or 0))
    each = card.price.by_resolution.get(call["resolution"], card.price.usd)
    return (Decimal(str(call["units"])) * each).quantize(MICRO_DOLLAR, rounding=ROUND_UP)


def paired(log: Iterable[dict[str, Any]], ours: Iterable[OurCall]) -> Pairs:
    """Pair by token, by request id, else by model and time: a lost answer told us nothing."""
    left = list(ours)
    pairs = Pairs()
    waiting = []
    for call in log:
        found = next(
            (
                each
                for each in left
                if (each.token is not None and each.token == call["token"])
                or (each.request_id is not None and each.request_id == call["request_id"])
            ),
            None,
        )
        if found is None:
            waiting.append(call)
            continue
        left.remove(found)
        pairs.both.append((call, found))
    for call in sorted(waiting, key=lambda each: str(each["at"])):
        at = datetime.fromisoformat(call["at"]).astimezone(UTC)
        lost = [
            each
            for each in sorted(left, key=lambda each: each.began)
            if each.request_id is None
            and each.token is None
            and each.model == call["model_id"]
            and each.began - _SLACK <= at <= each.ended + _SLACK
        ]
        if not lost:
            pairs.strangers.append(call)
            continue
        left.remove(lost[0])
        pairs.both.append((call, lost[0]))
    pairs.only_ours = left
    return pairs


def check_pairs(catalogue: FileCatalogue, pairs: Pairs) -> None:
    """Nothing was called unseen, and nothing is said of a bill but what the server says, or that nobody knows."""
    assert pairs.strangers == []
    assert {each.billed for each in pairs.only_ours} <= {"false", "unknown"}, "paid for what was never called"
    for call, our in pairs.both:
        said = (call["billed"], our.billed)
        assert said not in {("yes", "false"), ("no", "true")}, (call, our)
        if said == ("yes", "true"):
            assert our.cost == price_in(catalogue, call), (call, our)
        if said == ("yes", "unknown"):
            assert our.estimate >= price_in(catalogue, call), (call, our)


def billed_by_log(catalogue: FileCatalogue, pairs: Pairs) -> Decimal:
    """What the server's log comes to at the price list; of invocations that still run, what we say."""
    total = NOTHING
    for call, our in pairs.both:
        if call["billed"] == "yes":
            total += price_in(catalogue, call)
        elif call["billed"] == "unknown" and our.billed == "true":
            total += our.cost
    return total
