"""The money for a call before it is sent. A take's first call was reserved with the request; each further one that may
be paid beside it has to find its own room, in the budgets and in the cap of an enforcement."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from circletake.domain.money.budgets import NOTHING
from circletake.records.consistency import Enforcement
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.attempt_values import at_most
from circletake.usecases.end_take import one_take
from circletake.usecases.enforcement_costs import judging_cost
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.money.budgets import BudgetAnswer, reserve
from circletake.usecases.money.reservations import budget_hold
from circletake.usecases.permission.gate import Passage
from circletake.usecases.take_work import TakeWork, lock_take


@dataclass(frozen=True, slots=True)
class CallRoom:
    """Whether a call may be sent for its money. `answer` is what the budgets said, where they had to be asked."""

    fits_enforcement: bool = True
    answer: BudgetAnswer | None = None

    @property
    def found(self) -> bool:
        return self.fits_enforcement and (self.answer is None or self.answer.room)


async def room_for_call(session: TenantSession, work: TakeWork, estimate: Decimal) -> CallRoom:
    """Reserve what this call may cost beside what is reserved for the take already; nothing, in most cases.

    It locks the generation and its takes where something is missing: be the transaction's first to lock.
    """
    if work.bill.at_most + estimate <= work.take.reserved_usd:
        return CallRoom()
    generation, takes = await lock_take(session, work.step)
    take = one_take(takes, work.take.id)
    missing = work.bill.at_most + estimate - take.reserved_usd
    if missing <= NOTHING:
        return CallRoom()
    if not await _fits_enforcement(session, generation, takes, take, missing):
        return CallRoom(fits_enforcement=False)
    answer = await reserve(
        session,
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        amount=missing,
    )
    if answer.room:
        take.reserved_usd += missing
        await session.flush()
    if answer.soft_crossed or not answer.room:  # which is told
        await wake_dispatcher(session)
    return CallRoom(answer=answer)


def no_room_passage(room: CallRoom) -> Passage:
    """The hold of a take whose repeat found no room in a budget."""
    if room.answer is None:
        raise ValueError("no budget refused this call")
    return Passage(held=False, new=budget_hold(room.answer))


async def _fits_enforcement(
    session: TenantSession, generation: Generation, takes: list[Take], take: Take, usd: Decimal
) -> bool:
    enforcement = await session.scalar(
        select(Enforcement).where(
            Enforcement.tenant_id == generation.tenant_id, Enforcement.generation_id == generation.id
        )
    )
    if enforcement is None:
        return True
    raised = max(NOTHING, take.reserved_usd + usd - take.estimate_usd)
    others = sum((at_most(each) for each in takes if each.id != take.id), NOTHING)
    spent = others + take.estimate_usd + raised + await judging_cost(session, enforcement)
    return spent <= enforcement.max_cost_usd
