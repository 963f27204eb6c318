"""Budgets at work: room is reserved before anything is paid, and what really happened takes its place.

A budget's counters change in the transaction that changes the takes, under the budgets' row locks, which are taken in
one order: tenant, production, shot; after the generation's and its takes', before a check's, a hold's or a step's.
Whoever makes a budget counts what exists under a lock that all of this shares: nothing is counted twice or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from circletake.domain.kinds import Billed
from circletake.domain.money.budgets import NOTHING, Amounts, BudgetScope
from circletake.domain.permission.holds import HoldLine
from circletake.records.session import TenantSession
from circletake.usecases.money.counters import (
    Place,
    locked_budgets,
    move,
    note_exhausted,
    read_budgets,
    refusals,
    soft_crossed,
)


@dataclass(frozen=True, slots=True)
class BudgetAnswer:
    """`room`: every budget in scope has it, and it is reserved. Else a line for each that hasn't, and nothing is
    reserved in any. `soft_crossed`: the scopes whose soft threshold this passed."""

    room: bool
    lines: Sequence[HoldLine] = ()
    soft_crossed: Sequence[BudgetScope] = ()


async def reserve(
    session: TenantSession, *, tenant_id: UUID, production_id: UUID, shot_id: UUID | None, amount: Decimal
) -> BudgetAnswer:
    """Reserve `amount` in every budget in scope, or in none. The caller writes what each take has of it to
    `takes.reserved_usd`, also where there is no budget: one that is made later counts it. The caller wakes the
    dispatcher."""
    return await _take(session, Place(tenant_id, production_id, shot_id), Amounts(reserved=amount))


async def settle(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    shot_id: UUID | None,
    reserved: Decimal,
    spent: Decimal,
    unknown: Decimal,
) -> None:
    """A take has ended: what was reserved for it goes, what it cost or may have cost comes. The caller sets
    `takes.reserved_usd` to nothing."""
    await _change(
        session, Place(tenant_id, production_id, shot_id), Amounts(spent, unknown, reserved=-reserved)
    )


async def give_back(
    session: TenantSession, *, tenant_id: UUID, production_id: UUID, shot_id: UUID | None, amount: Decimal
) -> None:
    """What was reserved isn't needed now: the take is held. The caller sets `takes.reserved_usd` to nothing."""
    await _change(session, Place(tenant_id, production_id, shot_id), Amounts(reserved=-amount))


async def reserve_call(
    session: TenantSession, *, tenant_id: UUID, production_id: UUID, shot_id: UUID | None, estimate: Decimal
) -> BudgetAnswer:
    """Make room for a paid call of a model that judges, in the transaction that puts the call on record.

    From here on its bill is unknown and counts whole, so that a call whose worker is lost stays counted.
    """
    return await _take(session, Place(tenant_id, production_id, shot_id), Amounts(unknown=estimate))


async def settle_call(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    shot_id: UUID | None,
    estimate: Decimal,
    billed: Billed,
    cost: Decimal,
) -> None:
    """A judging call has ended. `cost` is what its record says now; a bill that stays unknown keeps counting."""
    if billed is Billed.UNKNOWN:
        change = Amounts(unknown=cost - estimate)
    else:
        change = Amounts(unknown=-estimate, spent=cost if billed is Billed.TRUE else NOTHING)
    await _change(session, Place(tenant_id, production_id, shot_id), change)


async def budget_room(
    session: TenantSession, *, tenant_id: UUID, production_id: UUID, shot_id: UUID | None, amount: Decimal
) -> BudgetAnswer:
    """Say what `reserve` would, and change nothing."""
    budgets = await read_budgets(session, Place(tenant_id, production_id, shot_id))
    lines = refusals(budgets, amount)
    return BudgetAnswer(not lines, lines, () if lines else soft_crossed(budgets, Amounts(reserved=amount)))


async def _take(session: TenantSession, place: Place, change: Amounts) -> BudgetAnswer:
    budgets = await locked_budgets(session, place)
    lines = refusals(budgets, change.used)
    if lines:
        await note_exhausted(session, budgets, change.used)
        return BudgetAnswer(False, lines)
    return BudgetAnswer(True, (), await move(session, budgets, change))


async def _change(session: TenantSession, place: Place, change: Amounts) -> None:
    if change:
        await move(session, await locked_budgets(session, place), change)
