"""How a take ends, whatever ended it: state, cost, ledger entry, event, and the generation's own state.

The caller holds the locks of the generation and its takes, and wakes the dispatcher.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from circletake.domain.costs import cost_of_take
from circletake.domain.kinds import Billed
from circletake.domain.takes import TakeState, may_become
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.announce_take import announce_take, settle_generation
from circletake.usecases.effective_take import model_of
from circletake.usecases.enforce_consistency import take_ended
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.reservations import settle_take
from circletake.usecases.paid_calls import paid_so_far

ANNOUNCED = {
    TakeState.SUCCEEDED: "take.succeeded",
    TakeState.FAILED: "take.failed",
    TakeState.FILTERED: "take.filtered",
    TakeState.CANCELED: "take.canceled",
    TakeState.EXPIRED: "take.expired",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What a take came to. `detail` is in our words; `provider_message` is content and is sealed."""

    state: TakeState
    billed: Billed
    code: str | None = None
    detail: str | None = None
    provider_message: str | None = field(default=None, repr=False)
    refusal: dict[str, Any] | None = None  # a filter's, in one form
    ledger: dict[str, Any] = field(default_factory=dict)


async def end_take(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    take: Take,
    ending: Ending,
) -> None:
    """Make the take terminal. Raises ValueError for a transition that may not happen.

    An enforcement at work decides here what follows, and adds the take that it starts to `takes`.
    What the ending says of its cost can only be raised by the calls on record: an earlier one may have been paid.
    """
    if not may_become(TakeState(take.state), ending.state):
        raise ValueError(f"a {take.state} take can't become {ending.state}")
    billed = ending.billed
    if billed is not Billed.TRUE:
        billed = max(billed, await paid_so_far(session, take.id), key=_CERTAINTY.index)
    take.state = ending.state.value
    take.billed = billed.value
    cost = cost_of_take(take.estimate_usd, billed)
    take.cost_usd = cost.charged
    take.failure_code = ending.code
    take.failure_detail = ending.detail
    take.finished_at = clock.now()
    take.hold_reason = None
    take.refusal = ending.refusal
    if ending.provider_message:
        take.provider_message = seal.close(
            ending.provider_message[:2000], place=f"takes.provider_message:{take.id}"
        )
    take.ledger_entry_id = await record_entry(
        session,
        seal,
        tenant_id=take.tenant_id,
        kind=f"take.{ending.state.value}",
        subject_id=take.id,
        body={
            "generation": str(generation.id),
            "request_entry": str(generation.ledger_entry_id),
            "number": take.number,
            "model": model_of(generation, take),
            "seed": take.seed_used or take.seed,
            "billed": billed.value,
            "cost_usd": str(take.cost_usd),
            "code": ending.code,
            **ending.ledger,
        },
    )
    await settle_take(session, generation, take, billed, cost)
    await session.flush()
    await announce_take(session, generation, take, ANNOUNCED[ending.state])
    enforced = await take_ended(session, seal, generation, takes, take)
    await settle_generation(session, generation, takes, enforced=enforced)


_CERTAINTY = (Billed.FALSE, Billed.UNKNOWN, Billed.TRUE)


def one_take(takes: Sequence[Take], take_id: UUID | None) -> Take:
    return next(take for take in takes if take.id == take_id)
