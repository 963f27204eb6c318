"""Budgets as people keep them: set, read, removed, each change on the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, select, text, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.money.budgets import BudgetScope, Thresholds, left
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.money import Budget
from circletake.records.session import Database, TenantSession
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.counters import amounts_of, thresholds_of
from circletake.usecases.money.sums import amounts_in

# Given the version that a budget has now, None when there is none; raises when the edit was made from another one.
Expect = Callable[[int | None], None]


@dataclass(frozen=True, slots=True)
class BudgetPlace:
    """Whose budget: a shot's, a production's, or with neither id the tenant's."""

    tenant_id: UUID
    production_id: UUID | None = None
    shot_id: UUID | None = None

    @property
    def scope(self) -> BudgetScope:
        if self.shot_id is not None:
            return BudgetScope.SHOT
        return BudgetScope.TENANT if self.production_id is None else BudgetScope.PRODUCTION


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget with its opened note."""

    budget: Budget
    note: str | None

    @property
    def left(self) -> Decimal | None:
        return left(amounts_of(self.budget), thresholds_of(self.budget))


async def set_budget(
    database: Database,
    seal: Seal,
    *,
    place: BudgetPlace,
    thresholds: Thresholds,
    note: str | None,
    actor: Actor,
    expect: Expect,
) -> tuple[BudgetView, bool]:
    """Make the budget, counting all that its scope ever cost, or change it. Returns it and whether it is new.

    Nothing that is held runs by this: whoever releases the hold asks for room again. Raises NotFound or what `expect`
    raises.
    """
    async with database.tenant(place.tenant_id) as session:
        place = await _known(session, place)
        await _alone(session, place.tenant_id)
        budget = await _found(session, place)
        expect(budget.version if budget else None)
        # counted anew at each change too: whatever put a counter wrong ends here
        amounts = await amounts_in(session, place.tenant_id, place.production_id, place.shot_id)
        made = budget is None
        if budget is None:
            budget = _new(place)
            session.add(budget)
        else:
            budget.version += 1
        budget.spent_usd, budget.unknown_usd = amounts.spent, amounts.unknown
        budget.reserved_usd = amounts.reserved
        budget.soft_usd, budget.hard_usd = thresholds.soft, thresholds.hard
        budget.note = None if note is None else seal.close(note, place=_note_place(budget.id))
        budget.exhausted_at, budget.updated_at = None, clock.now()
        await session.flush()
        await session.refresh(budget)  # amounts as they will be read again, to the last place
        await _enter(session, seal, "budget.set", budget, note, actor)
        return BudgetView(budget, note), made


async def get_budget(database: Database, seal: Seal, place: BudgetPlace) -> BudgetView:
    """Return a budget. Raises NotFound."""
    async with database.tenant(place.tenant_id) as session:
        place = await _known(session, place)
        return _view(seal, await _required(session, place))


async def list_budgets(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    production_id: UUID | None,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[BudgetView]:
    """List budgets, newest first; `production_id`: the production's own and its shots'."""
    query = select(Budget).where(Budget.tenant_id == tenant_id)
    if production_id is not None:
        query = query.where(Budget.production_id == production_id)
    if before is not None:
        query = query.where(tuple_(Budget.created_at, Budget.id) < before)
    async with database.tenant(tenant_id) as session:
        rows = await session.scalars(query.order_by(Budget.created_at.desc(), Budget.id.desc()).limit(limit))
        return [_view(seal, row) for row in rows]


async def remove_budget(
    database: Database, seal: Seal, *, place: BudgetPlace, actor: Actor, expect: Expect
) -> None:
    """Remove a budget: nothing bounds its scope any more. Raises NotFound or what `expect` raises."""
    async with database.tenant(place.tenant_id) as session:
        place = await _known(session, place)
        await _alone(session, place.tenant_id)
        budget = await _required(session, place)
        expect(budget.version)
        await _enter(session, seal, "budget.removed", budget, None, actor)
        await session.execute(
            delete(Budget).where(Budget.tenant_id == place.tenant_id, Budget.id == budget.id)
        )


_ALONE = text("select pg_advisory_xact_lock(hashtextextended('budgets ' || cast(:tenant as text), 0))")


async def _alone(session: TenantSession, tenant_id: UUID) -> None:
    """Wait for every transaction that moves this tenant's money, and keep the next ones waiting (`lock_budgets`)."""
    await session.execute(_ALONE, {"tenant": str(tenant_id)})


async def _known(session: TenantSession, place: BudgetPlace) -> BudgetPlace:
    """Raise NotFound for a production or a shot that isn't there; name the shot's production."""
    if place.shot_id is not None:
        production_id = await session.scalar(
            select(Shot.production_id).where(Shot.tenant_id == place.tenant_id, Shot.id == place.shot_id)
        )
        if production_id is None:
            raise NotFound("shot")
        return BudgetPlace(place.tenant_id, production_id, place.shot_id)
    if place.production_id is not None:
        known = await session.scalar(
            select(Production.id).where(
                Production.tenant_id == place.tenant_id, Production.id == place.production_id
            )
        )
        if known is None:
            raise NotFound("production")
    return place


async def _found(session: TenantSession, place: BudgetPlace) -> Budget | None:
    return await session.scalar(
        select(Budget).where(
            Budget.tenant_id == place.tenant_id,
            Budget.scope_id == (place.shot_id or place.production_id or place.tenant_id),
        )
    )


async def _required(session: TenantSession, place: BudgetPlace) -> Budget:
    budget = await _found(session, place)
    if budget is None:
        raise NotFound("budget")
    return budget


def _new(place: BudgetPlace) -> Budget:
    return Budget(
        id=new_id(),
        tenant_id=place.tenant_id,
        created_at=clock.now(),
        scope=place.scope.value,
        scope_id=place.shot_id or place.production_id or place.tenant_id,
        production_id=place.production_id,
        shot_id=place.shot_id,
        version=1,
    )


def _note_place(budget_id: UUID) -> str:
    return f"budgets.note:{budget_id}"


def _view(seal: Seal, budget: Budget) -> BudgetView:
    if budget.note is None:
        return BudgetView(budget, None)
    return BudgetView(budget, seal.open(budget.note, place=_note_place(budget.id)).decode())


async def _enter(
    session: TenantSession, seal: Seal, kind: str, budget: Budget, note: str | None, actor: Actor
) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=budget.tenant_id,
        kind=kind,
        subject_id=budget.id,
        body={
            "scope": budget.scope,
            "of": str(budget.scope_id),
            "soft_usd": None if budget.soft_usd is None else f"{budget.soft_usd:f}",
            "hard_usd": None if budget.hard_usd is None else f"{budget.hard_usd:f}",
            "spent_usd": f"{budget.spent_usd:f}",
            "unknown_usd": f"{budget.unknown_usd:f}",
            "reserved_usd": f"{budget.reserved_usd:f}",
            "note_hash": seal.keyed_hash(note.encode()) if note else None,
            **actor.for_ledger(),
        },
    )
