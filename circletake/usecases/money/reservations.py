"""What takes reserve, give back and come to, in the budgets of their generation. The caller holds the locks of the
generation and its takes."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.money.calls import TakeBill
from circletake.domain.permission.holds import HoldReason, NewHold
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.session import TenantSession
from circletake.usecases.money.budgets import BudgetAnswer, give_back, reserve, settle
from circletake.usecases.paid_calls import bill_so_far

NOTHING = Decimal(0)


def budget_hold(answer: BudgetAnswer) -> NewHold:
    """The hold of what has no room."""
    return NewHold(HoldReason.BUDGET, tuple(answer.lines))


async def reserve_takes(
    session: TenantSession, generation: Generation, takes: Collection[Take]
) -> BudgetAnswer:
    """Reserve what these takes are estimated to cost, all of them or none. One that kept its reservation, because a call
    of it may be paid, needs room for the call that it will make again."""
    paid = [take for take in takes if take.reserved_usd]
    whole = {take.id: take.estimate_usd for take in takes}
    whole |= await _with_repeats(session, generation.tenant_id, paid)
    wanted = {take.id: whole[take.id] - take.reserved_usd for take in takes}
    answer = await reserve(
        session,
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        amount=sum(wanted.values(), NOTHING),
    )
    if answer.room:
        for take in takes:
            take.reserved_usd = whole[take.id]
    return answer


async def _with_repeats(
    session: TenantSession, tenant_id: UUID, takes: Collection[Take]
) -> Mapping[UUID, Decimal]:
    """What each take may come to with its next call, if it makes one: a result that waits is only finished, and an
    asynchronous start without an end is sent again under its own token."""
    if not takes:
        return {}
    rows = await session.scalars(
        select(Invocation).where(
            Invocation.tenant_id == tenant_id, Invocation.take_id.in_([take.id for take in takes])
        )
    )
    calls: dict[UUID, list[Invocation]] = {take.id: [] for take in takes}
    for row in rows:
        calls[row.take_id].append(row)
    found = {}
    for take in takes:
        goes_on = any(
            each.result_key is not None or (each.s3_uri is not None and each.ended_at is None)
            for each in calls[take.id]
        )
        so_far = bill_so_far(calls[take.id], take.estimate_usd).at_most
        found[take.id] = max(take.reserved_usd, so_far + (NOTHING if goes_on else take.estimate_usd))
    return found


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


async def settle_take(session: TenantSession, generation: Generation, take: Take, bill: TakeBill) -> None:
    """The take has ended: its reservation goes, what it cost comes. An unknown bill counts whole until it is settled."""
    reserved, take.reserved_usd = take.reserved_usd, NOTHING
    await settle(
        session,
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        reserved=reserved,
        spent=bill.cost,
        unknown=bill.unknown,
    )
