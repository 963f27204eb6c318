"""Reads of holds: what waits for whom, and who can release it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.ports import Seal
from circletake.records.holds import Hold
from circletake.records.people import PersonRecord
from circletake.records.session import Database
from circletake.usecases.permission.decide_hold import find_hold
from circletake.usecases.sealed_text import open_text


async def get_hold(
    database: Database, seal: Seal, tenant_id: UUID, hold_id: UUID
) -> tuple[Hold, str | None, list[dict[str, Any]]]:
    """Return a hold, its note, and the people who can release it: `person_id`, `name`. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        hold = await find_hold(session, tenant_id, hold_id)
        people = await session.scalars(
            select(PersonRecord)
            .where(
                PersonRecord.tenant_id == tenant_id,
                PersonRecord.state == "active",
                PersonRecord.roles.overlap(hold.released_by),
                PersonRecord.id.is_distinct_from(hold.requested_by_person),
            )
            .order_by(PersonRecord.created_at)
            .limit(50)
        )
        note = open_text(seal, hold.note, f"holds.note:{hold.id}")
        return hold, note, [releaser(seal, each) for each in people]


def releaser(seal: Seal, person: PersonRecord) -> dict[str, Any]:
    return {
        "person_id": person.id,
        "name": open_text(seal, person.name, f"people.name:{person.id}") or "",
    }


async def list_holds(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    generation_id: UUID | None = None,
    reason: str | None = None,
    state: str | None = None,
) -> Sequence[Hold]:
    """Return at most `limit` holds, newest first."""
    query = select(Hold).where(Hold.tenant_id == tenant_id)
    for column, value in (
        (Hold.production_id, production_id),
        (Hold.generation_id, generation_id),
        (Hold.reason, reason),
        (Hold.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Hold.created_at, Hold.id) < before)
    async with database.tenant(tenant_id) as session:
        return list(
            await session.scalars(query.order_by(Hold.created_at.desc(), Hold.id.desc()).limit(limit))
        )
