"""The budgets in scope of a take or a judging call, locked, and their counters moved alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, any_, bindparam, func, select, text, update

from circletake.domain.money.budgets import (
    NOTHING,
    Amounts,
    BudgetScope,
    Thresholds,
    crosses_soft,
    has_room,
    refusal_line,
)
from circletake.domain.permission.holds import HoldLine
from circletake.records.money import Budget
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event


@dataclass(frozen=True, slots=True)
class Place:
    """Where money is spent: its budgets are the tenant's, the production's and, where there is one, the shot's."""

    tenant_id: UUID
    production_id: UUID
    shot_id: UUID | None = None

    @property
    def scopes(self) -> list[UUID]:
        """The ids of the scopes, in the order in which they are locked."""
        return [self.tenant_id, self.production_id, *([self.shot_id] if self.shot_id is not None else [])]


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget as it stands."""

    id: UUID
    tenant_id: UUID
    scope: BudgetScope
    production_id: UUID | None
    shot_id: UUID | None
    amounts: Amounts
    thresholds: Thresholds
    exhausted: bool


# A function, because a statement sees what was committed before it began: the lock that is shared with whoever makes a
# budget must be had first, or a budget that was made while this waited would be missed.
_LOCKED = text("select * from lock_budgets(:tenant, :scopes)").bindparams(
    bindparam("tenant", type_=Uuid()), bindparam("scopes", type_=ARRAY(Uuid()))
)


async def locked_budgets(session: TenantSession, place: Place) -> list[Standing]:
    """Lock the budgets in scope and read them: one round trip. Most studios have none, and need no more."""
    return await locked_in(session, place.tenant_id, place.scopes)


async def locked_in(session: TenantSession, tenant_id: UUID, scopes: Sequence[UUID]) -> list[Standing]:
    """The same of several places: the tenant, the production, and the shots in the order of their ids."""
    rows = await session.execute(_LOCKED, {"tenant": tenant_id, "scopes": list(scopes)})
    return [_standing(row) for row in rows]


async def read_in(session: TenantSession, tenant_id: UUID, scopes: Sequence[UUID]) -> list[Standing]:
    """Read the budgets of several places and lock nothing."""
    rows = await session.execute(
        select(Budget.__table__).where(
            Budget.tenant_id == tenant_id,
            Budget.scope_id == any_(bindparam(None, list(scopes), type_=ARRAY(Uuid()))),
        )
    )
    return [_standing(row) for row in rows]


async def read_budgets(session: TenantSession, place: Place) -> list[Standing]:
    """Read the budgets in scope and lock nothing."""
    rows = await session.execute(
        select(Budget.__table__).where(Budget.tenant_id == place.tenant_id, Budget.scope_id.in_(place.scopes))
    )
    order = list(BudgetScope)
    return sorted((_standing(row) for row in rows), key=lambda each: order.index(each.scope))


def _standing(row: Row[tuple[object, ...]]) -> Standing:
    return Standing(
        row.id,
        row.tenant_id,
        BudgetScope(row.scope),
        row.production_id,
        row.shot_id,
        Amounts(row.spent_usd, row.unknown_usd, row.reserved_usd),
        Thresholds(row.soft_usd, row.hard_usd),
        row.exhausted_at is not None,
    )


def amounts_of(budget: Budget) -> Amounts:
    return Amounts(budget.spent_usd, budget.unknown_usd, budget.reserved_usd)


def thresholds_of(budget: Budget) -> Thresholds:
    return Thresholds(budget.soft_usd, budget.hard_usd)


def refusals(budgets: Sequence[Standing], usd: Decimal) -> tuple[HoldLine, ...]:
    """Return a line for each budget without room for so much more."""
    return tuple(
        refusal_line(each.scope, each.amounts, each.thresholds, usd)
        for each in budgets
        if not has_room(each.amounts, each.thresholds, usd)
    )


def soft_crossed(budgets: Sequence[Standing], change: Amounts) -> tuple[BudgetScope, ...]:
    return tuple(
        each.scope
        for each in budgets
        if crosses_soft(each.amounts, each.amounts.plus(change), each.thresholds)
    )


async def move(
    session: TenantSession, budgets: Sequence[Standing], change: Amounts
) -> tuple[BudgetScope, ...]:
    """Change the counters of locked budgets alike; tell and return the soft thresholds that this passes."""
    if not budgets or not change:
        return ()
    there_is_room_again = change.used < NOTHING
    await session.execute(
        update(Budget)
        .where(Budget.tenant_id == budgets[0].tenant_id, Budget.id.in_([each.id for each in budgets]))
        .values(
            spent_usd=Budget.spent_usd + change.spent,
            unknown_usd=Budget.unknown_usd + change.unknown,
            reserved_usd=Budget.reserved_usd + change.reserved,
            **({"exhausted_at": None} if there_is_room_again else {}),
        )
        .execution_options(synchronize_session=False)
    )
    crossed = soft_crossed(budgets, change)
    for each in budgets:
        if each.scope in crossed:
            await _tell(session, each, each.amounts.plus(change), "budget.soft")
    return crossed


async def note_exhausted(session: TenantSession, budgets: Sequence[Standing], usd: Decimal) -> None:
    """Tell of the budgets without room; once, until there is room again."""
    news = [
        each for each in budgets if not each.exhausted and not has_room(each.amounts, each.thresholds, usd)
    ]
    if not news:
        return
    await session.execute(
        update(Budget)
        .where(Budget.tenant_id == news[0].tenant_id, Budget.id.in_([each.id for each in news]))
        .values(exhausted_at=func.now())
        .execution_options(synchronize_session=False)
    )
    for each in news:
        await _tell(session, each, each.amounts, "budget.hard")


async def _tell(session: TenantSession, budget: Standing, amounts: Amounts, event_type: str) -> None:
    thresholds = budget.thresholds
    await record_event(
        session,
        budget.tenant_id,
        event_type,
        {
            "budget_id": str(budget.id),
            "scope": budget.scope.value,
            "production_id": str(budget.production_id) if budget.production_id else None,
            "shot_id": str(budget.shot_id) if budget.shot_id else None,
            "soft_usd": _plain(thresholds.soft),
            "hard_usd": _plain(thresholds.hard),
            "spent_usd": _plain(amounts.spent),
            "unknown_usd": _plain(amounts.unknown),
            "reserved_usd": _plain(amounts.reserved),
        },
    )


def _plain(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:f}"
