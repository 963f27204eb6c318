"""Who has signed in: read, and suspend or let back in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor
from circletake.ports import Seal
from circletake.records.people import PersonRecord
from circletake.records.session import Database, TenantSession
from circletake.usecases.ledger import record_entry


@dataclass(frozen=True, slots=True)
class KnownPerson:
    id: UUID
    name: str = field(repr=False)
    roles: list[str]
    state: str
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def created_at(self) -> datetime:
        return self.first_seen_at


def _known(seal: Seal, person: PersonRecord) -> KnownPerson:
    name = seal.open(person.name, place=f"people.name:{person.id}").decode()
    return KnownPerson(person.id, name, person.roles, person.state, person.created_at, person.last_seen_at)


async def list_people(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[KnownPerson]:
    """Return at most `limit` people, who came last first, older than `before` (first seen, id)."""
    query = select(PersonRecord).where(PersonRecord.tenant_id == tenant_id)
    if before is not None:
        query = query.where(tuple_(PersonRecord.created_at, PersonRecord.id) < before)
    query = query.order_by(PersonRecord.created_at.desc(), PersonRecord.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        rows = list(await session.scalars(query))
    return [_known(seal, row) for row in rows]


async def get_person(database: Database, seal: Seal, tenant_id: UUID, person_id: UUID) -> KnownPerson:
    async with database.tenant(tenant_id) as session:
        return _known(seal, await _find(session, tenant_id, person_id))


async def names_of(
    session: TenantSession, seal: Seal, tenant_id: UUID, people: Collection[UUID | None]
) -> Mapping[UUID, str]:
    """Return the names of these people, for pages and lists that people read."""
    wanted = {each for each in people if each is not None}
    if not wanted:
        return {}
    rows = await session.execute(
        select(PersonRecord.id, PersonRecord.name).where(
            PersonRecord.tenant_id == tenant_id, PersonRecord.id.in_(wanted)
        )
    )
    return {person_id: seal.open(name, place=f"people.name:{person_id}").decode() for person_id, name in rows}


async def set_person_state(
    database: Database, seal: Seal, *, tenant_id: UUID, person_id: UUID, state: str, actor: Actor
) -> KnownPerson:
    """Suspend a person, or let them back in (`active`). Gateways remember people for a few seconds.

    Raises NotFound, Conflict `own_suspension`: somebody else has to suspend you.
    """
    async with database.tenant(tenant_id) as session:
        person = await _find(session, tenant_id, person_id, lock=True)
        if person_id == actor.person_id:
            raise Conflict("Nobody suspends themselves, or lets themselves back in.", code="own_suspension")
        if person.state != state:
            person.state = state
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind=f"person.{state}",
                subject_id=person_id,
                body=actor.for_ledger(),
            )
        return _known(seal, person)


async def _find(
    session: TenantSession, tenant_id: UUID, person_id: UUID, *, lock: bool = False
) -> PersonRecord:
    query = select(PersonRecord).where(PersonRecord.tenant_id == tenant_id, PersonRecord.id == person_id)
    found: PersonRecord | None = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("person")
    return found
