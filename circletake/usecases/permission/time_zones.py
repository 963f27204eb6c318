"""The time zone of a production, by which terms of consents begin and end at midnight."""

from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound
from circletake.domain.people import Actor
from circletake.ports import Seal
from circletake.records.context import Production
from circletake.records.session import Database
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.decide_consents import retime_consents


async def set_time_zone(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, production_id: UUID, time_zone: str
) -> Production:
    """Move a production to another time zone, a known IANA name, and its consents with it. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        production = await session.scalar(
            select(Production)
            .where(Production.tenant_id == tenant_id, Production.id == production_id)
            .with_for_update()
        )
        if production is None:
            raise NotFound("production")
        if production.time_zone != time_zone:
            before, production.time_zone = production.time_zone, time_zone
            production.version += 1
            await session.flush()
            await retime_consents(session, tenant_id, production_id)
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="production.time_zone",
                subject_id=production_id,
                body={"before": before, "time_zone": time_zone, **actor.for_ledger()},
            )
        return production
