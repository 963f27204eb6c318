"""How a take ends, whatever ended it: state, cost, ledger entry, event, and the generation's own state.

The caller holds the locks of the generation and its takes, and wakes the dispatcher.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from circletake.domain.choice.choices import Because
from circletake.domain.kinds import Billed
from circletake.domain.money.calls import TakeBill, bill_of_calls
from circletake.domain.takes import TakeState, may_become
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.events import LedgerEntry
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.announce_take import announce_take, settle_generation, take_data
from circletake.usecases.effective_take import model_of
from circletake.usecases.enforce_consistency import take_ended
from circletake.usecases.events import record_events
from circletake.usecases.ledger import entry_row
from circletake.usecases.money.reservations import give_back_takes, settle_take
from circletake.usecases.paid_calls import final_bill

Then = Callable[[], Awaitable[None]]

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
    because: Because | None = None  # for which another model of the production's list may be asked
    ledger: dict[str, Any] = field(default_factory=dict)


async def end_take(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    take: Take,
    ending: Ending,
    *,
    then: Then | None = None,
) -> None:
    """Make the take terminal. Raises ValueError for a transition that may not happen.

    An enforcement at work decides here what follows, and adds the take that it starts to `takes`; without one, `then`
    does, before the generation's own state is derived.
    It costs what its calls on record cost, each by itself; what the ending says of the bill is of the call whose end
    isn't on record.
    """
    _require_open(take, ending)
    bill = await final_bill(session, take, ending.billed)
    entry = _end(seal, generation, take, ending, bill)
    await session.execute(insert(LedgerEntry).values(entry))
    await settle_take(session, generation, take, bill)
    await session.flush()
    await announce_take(session, generation, take, ANNOUNCED[ending.state])
    enforced = await take_ended(session, seal, generation, takes, take)
    if then is not None and not enforced:
        await then()
    await settle_generation(session, generation, takes, enforced=enforced)


async def end_uncalled(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: Sequence[Take],
    which: Sequence[Take],
    ending: Ending,
) -> None:
    """Make several takes terminal together that no model was ever asked for: they cost nothing. No enforcement is at
    work on their generation. Raises ValueError for a transition that may not happen."""
    entries = []
    for take in which:
        _require_open(take, ending)
        entries.append(_end(seal, generation, take, ending, bill_of_calls(())))
    await give_back_takes(session, generation, which)
    await session.flush()
    told = [(ANNOUNCED[ending.state], take_data(generation, take)) for take in which]
    await record_events(session, generation, told, (LedgerEntry, entries))
    await settle_generation(session, generation, takes)


def _require_open(take: Take, ending: Ending) -> None:
    if not may_become(TakeState(take.state), ending.state):
        raise ValueError(f"a {take.state} take can't become {ending.state}")


def _end(seal: Seal, generation: Generation, take: Take, ending: Ending, bill: TakeBill) -> dict[str, Any]:
    """Write the ending into the take; return the row of the ledger's entry about it."""
    take.state = ending.state.value
    take.billed = bill.billed.value
    take.cost_usd, take.unknown_usd = bill.cost, bill.unknown
    take.failure_code = ending.code
    take.failure_detail = ending.detail
    take.finished_at = clock.now()
    take.hold_reason = None
    take.refusal = ending.refusal
    if ending.provider_message:
        take.provider_message = seal.close(
            ending.provider_message[:2000], place=f"takes.provider_message:{take.id}"
        )
    take.ledger_entry_id = new_id()
    return entry_row(
        seal,
        tenant_id=take.tenant_id,
        kind=f"take.{ending.state.value}",
        subject_id=take.id,
        entry_id=take.ledger_entry_id,
        body={
            "generation": str(generation.id),
            "request_entry": str(generation.ledger_entry_id),
            "number": take.number,
            "model": model_of(generation, take),
            "seed": take.seed_used or take.seed,
            "billed": bill.billed.value,
            "cost_usd": str(bill.cost),
            **({"unknown_usd": str(bill.unknown)} if bill.unknown else {}),
            "code": ending.code,
            **ending.ledger,
        },
    )


def one_take(takes: Sequence[Take], take_id: UUID | None) -> Take:
    return next(take for take in takes if take.id == take_id)
