"""When golden shots are made again by themselves: a production's own rules, off until a person sets them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.people import Actor, Person
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.golden import GoldenRules
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_production
from circletake.usecases.ledger import record_entry


@dataclass(frozen=True, slots=True)
class GoldenRulesView:
    """A production's rules; version 0 are those of one that never set any. Nothing runs by itself then."""

    on_change: bool = False
    every_days: int | None = None
    max_usd: Decimal | None = None
    next_at: datetime | None = None
    changed_by: UUID | None = None
    changed_at: datetime | None = None
    version: int = 0


async def get_rules(database: Database, tenant_id: UUID, production_id: UUID) -> GoldenRulesView:
    """Read a production's rules. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        row = await _row(session, tenant_id, production_id)
    return GoldenRulesView() if row is None else _view(row)


async def set_rules(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    production_id: UUID,
    on_change: bool,
    every_days: int | None,
    max_usd: Decimal,
) -> GoldenRulesView:
    """Set a production's rules, all of them. The schedule begins anew: its first run is `every_days` from now. Raises
    NotFound."""
    now = clock.now()
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        await session.execute(
            upsert(GoldenRules)
            .values(
                id=new_id(),
                tenant_id=tenant_id,
                production_id=production_id,
                on_change=False,
                every_days=None,
                max_usd=max_usd,
                changed_by=person.id,
                changed_at=now,
                version=0,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "production_id"])
        )
        row = await _row(session, tenant_id, production_id, lock=True)
        assert row is not None
        row.on_change, row.every_days, row.max_usd = on_change, every_days, max_usd
        row.next_at = None if every_days is None else now + timedelta(days=every_days)
        row.changed_by, row.changed_at, row.version = person.id, now, row.version + 1
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="golden_rules.changed",
            subject_id=row.id,
            body={
                "production": str(production_id),
                "on_change": on_change,
                "every_days": every_days,
                "max_usd": str(max_usd),
                "version": row.version,
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        return _view(row)


async def _row(
    session: TenantSession, tenant_id: UUID, production_id: UUID, *, lock: bool = False
) -> GoldenRules | None:
    query = select(GoldenRules).where(
        GoldenRules.tenant_id == tenant_id, GoldenRules.production_id == production_id
    )
    found: GoldenRules | None = await session.scalar(query.with_for_update() if lock else query)
    return found


def _view(row: GoldenRules) -> GoldenRulesView:
    return GoldenRulesView(
        row.on_change, row.every_days, row.max_usd, row.next_at, row.changed_by, row.changed_at, row.version
    )
