"""What a studio demands of its own review, set by a production manager; every change is on the ledger."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.people import Actor, Person
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.review import ReviewRules
from circletake.records.session import Database, TenantSession
from circletake.usecases.ledger import record_entry


@dataclass(frozen=True, slots=True)
class RulesView:
    """A studio's rules; version 0 are those of one that never set any."""

    approved_before_download: bool = False
    changed_by: UUID | None = None
    changed_at: datetime | None = None
    version: int = 0


async def approval_demanded(session: TenantSession, tenant_id: UUID) -> bool:
    """Whether the studio demands an approved version before a take's full-resolution file is given out."""
    return bool(
        await session.scalar(
            select(ReviewRules.approved_before_download).where(ReviewRules.tenant_id == tenant_id)
        )
    )


async def get_rules(database: Database, tenant_id: UUID) -> RulesView:
    async with database.tenant(tenant_id) as session:
        row = await session.scalar(select(ReviewRules).where(ReviewRules.tenant_id == tenant_id))
    return RulesView() if row is None else _view(row)


async def set_rules(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    approved_before_download: bool,
) -> RulesView:
    """Set the studio's rules, all of them."""
    async with database.tenant(tenant_id) as session:
        await session.execute(
            upsert(ReviewRules)
            .values(
                id=new_id(),
                tenant_id=tenant_id,
                approved_before_download=False,
                changed_by=person.id,
                changed_at=clock.now(),
                version=0,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id"])
        )
        row = (
            await session.scalars(
                select(ReviewRules).where(ReviewRules.tenant_id == tenant_id).with_for_update()
            )
        ).one()
        row.approved_before_download = approved_before_download
        row.changed_by, row.changed_at, row.version = person.id, clock.now(), row.version + 1
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="review_rules.changed",
            subject_id=row.id,
            body={
                "approved_before_download": approved_before_download,
                "version": row.version,
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        await session.flush()
        return _view(row)


def _view(row: ReviewRules) -> RulesView:
    return RulesView(row.approved_before_download, row.changed_by, row.changed_at, row.version)
