"""Consultations about creative elements: with whom, when, about what. A policy pack can require one before an
approval. Append-only: a wrong one is followed by a right one, with a note."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound, invalid
from circletake.domain.people import Actor, Person
from circletake.domain.policy.facts import ConsultedRole
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.review import Consultation, Version
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.people_named import Named, opened, require_known, sealed


@dataclass(frozen=True, slots=True)
class NewConsultation:
    """About a version, a shot, or with neither the whole production."""

    production_id: UUID
    role: ConsultedRole
    who: Named
    held_on: date
    shot_id: UUID | None = None
    version_id: UUID | None = None
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConsultationView:
    """A consultation with its content opened."""

    consultation: Consultation
    name: str | None = field(repr=False)
    note: str | None = field(repr=False)


async def record_consultation(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    new: NewConsultation,
    claim: IdempotencyClaim | None,
    answer: Callable[[ConsultationView], Answer],
) -> Answer:
    """Put a consultation on record. Raises Invalid with pointers to what doesn't exist or doesn't fit."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await _require_context(session, tenant_id, new)
        row = _row(seal, tenant_id, person, new)
        session.add(row)
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="consultation.recorded",
            subject_id=row.id,
            body={
                "production": str(new.production_id),
                "shot": str(new.shot_id) if new.shot_id else None,
                "version": str(new.version_id) if new.version_id else None,
                "role": new.role.value,
                "person": str(new.who.person_id) if new.who.person_id else None,
                "name_hash": seal.keyed_hash(new.who.name.encode()) if new.who.name else None,
                "held_on": new.held_on.isoformat(),
                "note_hash": seal.keyed_hash(new.note.encode()) if new.note else None,
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        reply = answer(ConsultationView(row, new.who.name, new.note))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


def require_past(day: date, pointer: str) -> None:
    """Raise Invalid for a day that hasn't begun anywhere on Earth."""
    if day > clock.now().date() + timedelta(days=1):
        raise invalid(pointer, "in_the_future", "This is a record of what has happened: give a past day.")


async def require_production(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    """Raise Invalid for an unknown production."""
    known = await session.scalar(
        select(Production.id).where(Production.tenant_id == tenant_id, Production.id == production_id)
    )
    if known is None:
        raise invalid("/production_id", "unknown_production", "There is no such production.")


async def _require_context(session: TenantSession, tenant_id: UUID, new: NewConsultation) -> None:
    require_past(new.held_on, "/held_on")
    await require_production(session, tenant_id, new.production_id)
    if new.shot_id is not None:
        shot = await session.scalar(
            select(Shot.id).where(
                Shot.tenant_id == tenant_id,
                Shot.id == new.shot_id,
                Shot.production_id == new.production_id,
            )
        )
        if shot is None:
            raise invalid("/shot_id", "unknown_shot", "There is no such shot in this production.")
    if new.version_id is not None:
        version = await session.scalar(
            select(Version).where(
                Version.tenant_id == tenant_id,
                Version.id == new.version_id,
                Version.production_id == new.production_id,
            )
        )
        if version is None or (new.shot_id is not None and version.shot_id != new.shot_id):
            raise invalid(
                "/version_id", "unknown_version", "There is no such version in this production or shot."
            )
    await require_known(session, tenant_id, new.who)


def _row(seal: Seal, tenant_id: UUID, person: Person, new: NewConsultation) -> Consultation:
    row_id = new_id()
    return Consultation(
        id=row_id,
        tenant_id=tenant_id,
        production_id=new.production_id,
        shot_id=new.shot_id,
        version_id=new.version_id,
        role=new.role.value,
        person_id=new.who.person_id,
        name=sealed(seal, new.who.name, f"consultations.name:{row_id}"),
        held_on=new.held_on,
        note=sealed(seal, new.note, f"consultations.note:{row_id}"),
        recorded_by=person.id,
        created_at=clock.now(),
    )


async def list_consultations(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    version_id: UUID | None = None,
    role: str | None = None,
) -> Sequence[ConsultationView]:
    """Return at most `limit` consultations, newest first, older than `before` (created_at, id)."""
    query = select(Consultation).where(Consultation.tenant_id == tenant_id)
    for column, value in (
        (Consultation.production_id, production_id),
        (Consultation.shot_id, shot_id),
        (Consultation.version_id, version_id),
        (Consultation.role, role),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Consultation.created_at, Consultation.id) < before)
    query = query.order_by(Consultation.created_at.desc(), Consultation.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return [_view(seal, row) for row in await session.scalars(query)]


async def get_consultation(
    database: Database, seal: Seal, tenant_id: UUID, consultation_id: UUID
) -> ConsultationView:
    """Return one consultation. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        row = await session.scalar(
            select(Consultation).where(
                Consultation.tenant_id == tenant_id, Consultation.id == consultation_id
            )
        )
    if row is None:
        raise NotFound("consultation")
    return _view(seal, row)


def _view(seal: Seal, row: Consultation) -> ConsultationView:
    return ConsultationView(
        row,
        opened(seal, row.name, f"consultations.name:{row.id}"),
        opened(seal, row.note, f"consultations.note:{row.id}"),
    )
