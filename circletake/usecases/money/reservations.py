"""What takes reserve, give back and come to, in the budgets of their generation. The caller holds the locks of the
generation and its takes."""

from collections.abc import Collection
from decimal import Decimal

from circletake.domain.costs import TakeCost
from circletake.domain.kinds import Billed
from circletake.domain.permission.holds import HoldReason, NewHold
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.money.budgets import BudgetAnswer, give_back, reserve, settle

NOTHING = Decimal(0)


def budget_hold(answer: BudgetAnswer) -> NewHold:
    """The hold of what has no room."""
    return NewHold(HoldReason.BUDGET, tuple(answer.lines))


async def reserve_takes(
    session: TenantSession, generation: Generation, takes: Collection[Take]
) -> BudgetAnswer:
    """Reserve what these takes are estimated to cost, all of them or none."""
    wanted = {take.id: take.estimate_usd - take.reserved_usd for take in takes}
    answer = await reserve(
        session,
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        amount=sum(wanted.values(), NOTHING),
    )
    if answer.room:
        for take in takes:
            take.reserved_usd = take.estimate_usd
    return answer


async def give_back_takes(session: TenantSession, generation: Generation, takes: Collection[Take]) -> None:
    """These takes wait for a person and reserve nothing meanwhile."""
    amount = sum((take.reserved_usd for take in takes), NOTHING)
    for take in takes:
        take.reserved_usd = NOTHING
    if amount:
        await give_back(
            session,
            tenant_id=generation.tenant_id,
            production_id=generation.production_id,
            shot_id=generation.shot_id,
            amount=amount,
        )


async def settle_take(
    session: TenantSession, generation: Generation, take: Take, billed: Billed, cost: TakeCost
) -> None:
    """The take has ended: its reservation goes, what it cost comes. An unknown bill counts whole until it is settled."""
    reserved, take.reserved_usd = take.reserved_usd, NOTHING
    await settle(
        session,
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        reserved=reserved,
        spent=cost.charged,
        unknown=cost.at_most if billed is Billed.UNKNOWN else NOTHING,
    )
