"""What people say of a version, and how a change of its state is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.people import Actor, Person
from circletake.domain.review.states import VersionState, version_name
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.generations import Generation
from circletake.records.review import Version, VersionNote
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import record_event
from circletake.usecases.generation_events import event_data
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.find_versions import find_version
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class NewNote:
    """`region` is {left, top, width, height}, in fractions of the frame."""

    text: str | None = field(repr=False)
    frame: int | None = None
    region: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note with its text opened."""

    note: VersionNote
    text: str | None = field(repr=False)


def note_hash(seal: Seal, text: str | None) -> str | None:
    """A keyed hash: what the ledger says of a text."""
    return seal.keyed_hash(text.encode()) if text else None


async def keep_note(
    session: TenantSession,
    seal: Seal,
    version: Version,
    person: Person,
    new: NewNote,
    change: tuple[VersionState | None, VersionState | None] = (None, None),
) -> VersionNote:
    """Write a note, a change of state (from, to), or both."""
    note_id = new_id()
    before, after = change
    note = VersionNote(
        id=note_id,
        tenant_id=version.tenant_id,
        version_id=version.id,
        person_id=person.id,
        note=None if new.text is None else seal.close(new.text, place=_place(note_id)),
        frame=new.frame,
        region=dict(new.region) if new.region else None,
        from_state=before.value if before else None,
        to_state=after.value if after else None,
        created_at=clock.now(),
    )
    session.add(note)
    await session.flush()
    return note


async def announce_version(
    session: TenantSession, generation: Generation, version: Version, event_type: str, *, before: str | None
) -> None:
    """Record an event about a version; ids and states only. The generation's row is locked."""
    await record_event(
        session,
        version.tenant_id,
        event_type,
        event_data(
            generation,
            version_id=str(version.id),
            version=version_name(version.number),
            take_id=str(version.take_id),
            state=version.state,
            before=before,
        ),
        generation_id=generation.id,
    )


async def add_note(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    version_id: UUID,
    new: NewNote,
    claim: IdempotencyClaim | None,
    answer: Callable[[NoteView], Answer],
) -> Answer:
    """Say something of a version, whatever its state. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        version = await find_version(session, tenant_id, version_id)
        note = await keep_note(session, seal, version, person, new)
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="version.note",
            subject_id=version.id,
            body={
                "note": str(note.id),
                "note_hash": note_hash(seal, new.text),
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        reply = answer(NoteView(note, new.text))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def list_notes(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    version_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[NoteView]:
    """Return at most `limit` notes of a version, newest first. Raises NotFound."""
    query = select(VersionNote).where(
        VersionNote.tenant_id == tenant_id, VersionNote.version_id == version_id
    )
    if before is not None:
        query = query.where(tuple_(VersionNote.created_at, VersionNote.id) < before)
    async with database.tenant(tenant_id) as session:
        await find_version(session, tenant_id, version_id)
        rows = await session.scalars(
            query.order_by(VersionNote.created_at.desc(), VersionNote.id.desc()).limit(limit)
        )
        return [NoteView(row, open_text(seal, row.note, _place(row.id))) for row in rows]


def _place(note_id: UUID) -> str:
    return f"version_notes.note:{note_id}"
