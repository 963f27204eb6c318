"""What is known of the bills of a take's calls."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, text

from circletake.domain.kinds import Billed
from circletake.domain.money.calls import CallBill, TakeBill, bill_of_calls
from circletake.records.generations import Invocation, Take
from circletake.records.session import TenantSession


async def paid_so_far(session: TenantSession, take_id: UUID) -> Billed:
    """What the take's calls cost: one that was answered is paid; one that began and has no end may be."""
    outcomes = set(
        await session.scalars(
            select(func.coalesce(Invocation.billed, Billed.UNKNOWN.value)).where(
                Invocation.take_id == take_id, Invocation.call_started_at.is_not(None)
            )
        )
    )
    for billed in (Billed.TRUE, Billed.UNKNOWN):
        if billed.value in outcomes:
            return billed
    return Billed.FALSE


def bill_so_far(invocations: Iterable[Invocation], estimate: Decimal) -> TakeBill:
    """Add up calls that are at hand; one that began and has no end may be paid. `estimate`: of a call without a price
    of its own, which was made before calls had them."""
    return bill_of_calls(
        CallBill(
            Billed(each.billed or Billed.UNKNOWN),
            estimate if each.estimate_usd is None else each.estimate_usd,
            each.cost_usd,
        )
        for each in invocations
        if each.call_started_at is not None
    )


# Both parts see the rows as they were before: what the first ends isn't in the second.
_FINAL = text(
    """
    with ended as (
        update invocations set ended_at = now(), outcome = 'left', billed = :open,
               estimate_usd = coalesce(estimate_usd, :estimate),
               cost_usd = case when :open = 'true' then coalesce(estimate_usd, :estimate) else 0 end
        where tenant_id = :tenant and take_id = :take and call_started_at is not null and ended_at is null
        returning billed, estimate_usd, cost_usd)
    select billed, estimate_usd, cost_usd from ended
    union all
    select coalesce(billed, 'unknown'), coalesce(estimate_usd, :estimate), cost_usd from invocations
    where tenant_id = :tenant and take_id = :take and call_started_at is not null and ended_at is not null
    """
)


async def final_bill(session: TenantSession, take: Take, accepted: Billed) -> TakeBill:
    """Add up the calls of a take that ends now. A call whose end nobody will hear of any more ends with it: paid where
    it is known (`accepted` is true) that the model had taken it, perhaps paid otherwise."""
    open_ones = Billed.TRUE if accepted is Billed.TRUE else Billed.UNKNOWN
    rows = await session.execute(
        _FINAL,
        {
            "tenant": take.tenant_id,
            "take": take.id,
            "open": open_ones.value,
            "estimate": take.estimate_usd,
        },
    )
    return bill_of_calls(CallBill(Billed(row.billed), row.estimate_usd, row.cost_usd) for row in rows)
