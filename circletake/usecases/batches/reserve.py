"""Room in the budgets for the rows of a batch: in the order of its lines, as if each had been asked for by itself, under
one lock and with one change of each budget."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from circletake.domain.money.budgets import NOTHING, Amounts, BudgetScope
from circletake.records.session import TenantSession
from circletake.usecases.money.budgets import BudgetAnswer
from circletake.usecases.money.counters import (
    Standing,
    locked_in,
    move,
    note_exhausted,
    read_in,
    refusals,
)

Wanted = tuple[UUID | None, Decimal]  # a row's shot, and what its takes may cost


async def reserve_rows(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    wanted: Sequence[Wanted],
    keep: bool,
) -> list[BudgetAnswer]:
    """Reserve what each row wants in every budget in scope, or nothing of it. A row that wants nothing has room.

    `keep` False says what would be, and changes nothing. The caller writes what each take has of it.
    """
    shots = sorted({shot for shot, usd in wanted if shot is not None and usd})
    scopes = [tenant_id, production_id, *shots]
    read = locked_in if keep else read_in
    budgets = _Budgets(await read(session, tenant_id, scopes))
    answers = [budgets.take(shot, usd) for shot, usd in wanted]
    if keep:
        await budgets.write(session)
    return answers


class _Budgets:
    """The budgets in scope of a batch, and what its rows have taken of each so far."""

    def __init__(self, budgets: Sequence[Standing]) -> None:
        self._before = budgets
        self._taken: dict[UUID, Decimal] = defaultdict(lambda: NOTHING)
        self._without_room: tuple[list[Standing], Decimal] | None = None

    def take(self, shot_id: UUID | None, usd: Decimal) -> BudgetAnswer:
        scoped = [self._now(each) for each in self._before if _counts(each, shot_id)] if usd else []
        lines = refusals(scoped, usd)
        if lines:
            if self._without_room is None:
                self._without_room = (scoped, usd)
            return BudgetAnswer(False, lines)
        for each in scoped:
            self._taken[each.id] += usd
        return BudgetAnswer(True)

    def _now(self, budget: Standing) -> Standing:
        taken = Amounts(reserved=self._taken[budget.id])
        return replace(budget, amounts=budget.amounts.plus(taken))

    async def write(self, session: TenantSession) -> None:
        """Change each budget once; what was passed is told once."""
        alike: dict[Decimal, list[Standing]] = defaultdict(list)
        for each in self._before:
            if self._taken[each.id]:
                alike[self._taken[each.id]].append(each)
        for usd, budgets in alike.items():
            await move(session, budgets, Amounts(reserved=usd))
        if self._without_room is not None:
            await note_exhausted(session, *self._without_room)


def _counts(budget: Standing, shot_id: UUID | None) -> bool:
    return budget.scope is not BudgetScope.SHOT or budget.shot_id == shot_id
