"""The authorship log: which person selected, arranged, masked, painted or edited what a machine offered, and when.

A registration of copyright in the United States rests on it. Append-only. Circling a take writes its entry by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select, tuple_

from circletake.domain.errors import invalid
from circletake.domain.people import Actor, Person
from circletake.domain.review.words import AuthorAct
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.generations import Generation, Take
from circletake.records.review import AuthorshipEntry, Version
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.consultations import require_past
from circletake.usecases.review.people_named import Named, opened, require_known, sealed


@dataclass(frozen=True, slots=True)
class NewEntry:
    """About a take, or the take of a version: exactly one of the two."""

    take_id: UUID | None
    version_id: UUID | None
    what: AuthorAct
    who: Named
    done_on: date
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry with its content opened."""

    entry: AuthorshipEntry
    name: str | None = field(repr=False)
    note: str | None = field(repr=False)


async def record_authorship(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    new: NewEntry,
    claim: IdempotencyClaim | None,
    answer: Callable[[EntryView], Answer],
) -> Answer:
    """Put on record what somebody did. Raises Invalid with pointers to what doesn't exist."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        require_past(new.done_on, "/done_on")
        production_id, take_id = await _subject(session, tenant_id, new)
        await require_known(session, tenant_id, new.who)
        row = _row(seal, tenant_id, production_id, take_id, person, new)
        session.add(row)
        await session.flush()
        await _record(session, seal, row, new)
        reply = answer(EntryView(row, new.who.name, new.note))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def record_selection(
    session: TenantSession, generation: Generation, take: Take, *, person_id: UUID, act_id: UUID
) -> None:
    """Write the entry that circling a take makes by itself. The act has its own ledger entry, which stands for it."""
    now = clock.now()
    await session.execute(
        insert(AuthorshipEntry).values(
            id=new_id(),
            tenant_id=take.tenant_id,
            production_id=generation.production_id,
            take_id=take.id,
            what=AuthorAct.SELECTED.value,
            person_id=person_id,
            done_on=now.date(),
            recorded_by=person_id,
            act_id=act_id,
            created_at=now,
        )
    )


async def _subject(session: TenantSession, tenant_id: UUID, new: NewEntry) -> tuple[UUID, UUID]:
    """Return the production and the take that an entry is about."""
    query = (
        select(Generation.production_id, Take.id)
        .join(Take, (Take.tenant_id == Generation.tenant_id) & (Take.generation_id == Generation.id))
        .where(Generation.tenant_id == tenant_id)
    )
    if new.version_id is not None:
        query = query.join(
            Version, (Version.tenant_id == Take.tenant_id) & (Version.take_id == Take.id)
        ).where(Version.id == new.version_id)
    else:
        query = query.where(Take.id == new.take_id)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        what = "version" if new.version_id else "take"
        raise invalid(f"/{what}_id", f"unknown_{what}", f"There is no such {what}.")
    return found[0], found[1]


def _row(
    seal: Seal, tenant_id: UUID, production_id: UUID, take_id: UUID, person: Person, new: NewEntry
) -> AuthorshipEntry:
    row_id = new_id()
    return AuthorshipEntry(
        id=row_id,
        tenant_id=tenant_id,
        production_id=production_id,
        take_id=take_id,
        version_id=new.version_id,
        what=new.what.value,
        person_id=new.who.person_id,
        name=sealed(seal, new.who.name, f"authorship_entries.name:{row_id}"),
        done_on=new.done_on,
        note=sealed(seal, new.note, f"authorship_entries.note:{row_id}"),
        recorded_by=person.id,
        created_at=clock.now(),
    )


async def _record(session: TenantSession, seal: Seal, row: AuthorshipEntry, new: NewEntry) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=row.tenant_id,
        kind="authorship.recorded",
        subject_id=row.id,
        body={
            "take": str(row.take_id),
            "version": str(row.version_id) if row.version_id else None,
            "what": row.what,
            "person": str(row.person_id) if row.person_id else None,
            "name_hash": seal.keyed_hash(new.who.name.encode()) if new.who.name else None,
            "done_on": row.done_on.isoformat(),
            "note_hash": seal.keyed_hash(new.note.encode()) if new.note else None,
            **Actor(person_id=row.recorded_by).for_ledger(),
        },
    )


async def list_authorship(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    take_id: UUID | None = None,
    version_id: UUID | None = None,
    what: str | None = None,
) -> Sequence[EntryView]:
    """Return at most `limit` entries, newest first, older than `before` (created_at, id). Those of a version are all
    of its take."""
    query = select(AuthorshipEntry).where(AuthorshipEntry.tenant_id == tenant_id)
    for column, value in (
        (AuthorshipEntry.production_id, production_id),
        (AuthorshipEntry.take_id, take_id),
        (AuthorshipEntry.what, what),
    ):
        if value is not None:
            query = query.where(column == value)
    if version_id is not None:
        of_version = select(Version.take_id).where(Version.tenant_id == tenant_id, Version.id == version_id)
        query = query.where(AuthorshipEntry.take_id == of_version.scalar_subquery())
    if before is not None:
        query = query.where(tuple_(AuthorshipEntry.created_at, AuthorshipEntry.id) < before)
    query = query.order_by(AuthorshipEntry.created_at.desc(), AuthorshipEntry.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return [_view(seal, row) for row in await session.scalars(query)]


def _view(seal: Seal, row: AuthorshipEntry) -> EntryView:
    return EntryView(
        row,
        opened(seal, row.name, f"authorship_entries.name:{row.id}"),
        opened(seal, row.note, f"authorship_entries.note:{row.id}"),
    )
