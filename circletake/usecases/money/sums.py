"""What takes, judging calls and language calls say was spent: the truth that budgets' counters repeat."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from circletake.domain.kinds import Billed
from circletake.domain.money.budgets import NOTHING, Amounts
from circletake.records.consistency import EvaluatorCall
from circletake.records.generations import Generation, Take
from circletake.records.language import LanguageCall
from circletake.records.money import Budget
from circletake.records.session import TenantSession
from circletake.usecases.money.counters import amounts_of


async def amounts_in(
    session: TenantSession, tenant_id: UUID, production_id: UUID | None = None, shot_id: UUID | None = None
) -> Amounts:
    """Add up a tenant, a production or a shot."""
    made = (await session.execute(_of_takes(tenant_id, production_id, shot_id))).one()
    total = Amounts(made.spent, made.unknown, made.reserved)
    for record in (EvaluatorCall, LanguageCall):
        asked = (await session.execute(_of_calls(record, tenant_id, production_id, shot_id))).one()
        total = total.plus(Amounts(asked.spent, asked.unknown))
    return total


async def check_budgets(session: TenantSession, tenant_id: UUID) -> list[str]:
    """Return what is wrong with the tenant's budgets: a counter that isn't the sum of its rows. Nothing is, while
    nobody writes."""
    found = []
    for budget in await session.scalars(select(Budget).where(Budget.tenant_id == tenant_id)):
        summed = await amounts_in(session, tenant_id, budget.production_id, budget.shot_id)
        if amounts_of(budget) != summed:
            found.append(f"{budget.scope} {budget.scope_id}: {amounts_of(budget)}, but its rows say {summed}")
    return found


def _of_takes(tenant_id: UUID, production_id: UUID | None, shot_id: UUID | None) -> Any:
    query: Any = select(
        _sum(Take.cost_usd, Take.billed == Billed.TRUE.value).label("spent"),
        func.coalesce(func.sum(Take.unknown_usd), NOTHING).label("unknown"),
        func.coalesce(func.sum(Take.reserved_usd), NOTHING).label("reserved"),
    ).where(Take.tenant_id == tenant_id)
    if production_id is None:
        return query
    query = query.join(
        Generation, and_(Generation.tenant_id == Take.tenant_id, Generation.id == Take.generation_id)
    ).where(Generation.tenant_id == tenant_id, Generation.production_id == production_id)
    return query if shot_id is None else query.where(Generation.shot_id == shot_id)


def _of_calls(
    record: type[EvaluatorCall | LanguageCall],
    tenant_id: UUID,
    production_id: UUID | None,
    shot_id: UUID | None,
) -> Any:
    query: Any = select(
        _sum(record.cost_usd, record.billed == Billed.TRUE.value).label("spent"),
        _sum(record.cost_usd, record.billed == Billed.UNKNOWN.value).label("unknown"),
    ).where(record.tenant_id == tenant_id)
    if production_id is not None:
        query = query.where(record.production_id == production_id)
    return query if shot_id is None else query.where(record.shot_id == shot_id)


def _sum(amount: Any, condition: ColumnElement[bool]) -> ColumnElement[Decimal]:
    return func.coalesce(func.sum(case((condition, amount), else_=NOTHING)), NOTHING)
