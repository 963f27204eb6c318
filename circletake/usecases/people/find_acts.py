"""What people did with a take."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from circletake.ports import Seal
from circletake.records.generations import TakeAct
from circletake.records.session import Database
from circletake.usecases.find_generations import find_take
from circletake.usecases.people.find_people import names_of
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did with a take, and why."""

    act: str
    person_id: UUID | None
    person: str | None
    api_key_id: UUID | None
    reason: str | None = field(repr=False)
    created_at: datetime


async def acts_on(database: Database, seal: Seal, tenant_id: UUID, take_id: UUID) -> Sequence[Act]:
    """Return every act on a take, the first one first. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_take(session, tenant_id, take_id)
        rows = (
            await session.scalars(
                select(TakeAct)
                .where(TakeAct.tenant_id == tenant_id, TakeAct.take_id == take_id)
                .order_by(TakeAct.created_at, TakeAct.id)
            )
        ).all()
        names = await names_of(session, seal, tenant_id, [row.person_id for row in rows])
    return [
        Act(
            row.act,
            row.person_id,
            names.get(row.person_id) if row.person_id else None,
            row.api_key_id,
            open_text(seal, row.reason, f"take_acts.reason:{row.id}"),
            row.created_at,
        )
        for row in rows
    ]
