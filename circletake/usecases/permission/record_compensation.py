"""Compensation: what a performer was paid for the use of their likeness. Append-only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import invalid
from circletake.domain.people import Actor
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.performers import CompensationEvent, Consent
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import Values
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_performers import Position, find_performer
from circletake.usecases.sealed_text import close_text, open_text


@dataclass(frozen=True, slots=True)
class CompensationView:
    event: CompensationEvent
    note: str | None = field(repr=False)


def _place(event_id: UUID) -> str:
    return f"compensation_events.note:{event_id}"


def compensation_view(seal: Seal, event: CompensationEvent) -> CompensationView:
    return CompensationView(event, open_text(seal, event.note, _place(event.id)))


async def record_compensation(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    performer_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[CompensationView], Answer],
) -> Answer:
    """Put a payment on record; `values["note"]` in clear. Raises NotFound, or Invalid for a consent of somebody else,
    an unknown production or a shot of another one."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await find_performer(session, tenant_id, performer_id, lock="share")
        event = CompensationEvent(
            id=new_id(),
            tenant_id=tenant_id,
            performer_id=performer_id,
            recorded_by=actor.api_key_id,
            recorded_by_person=actor.person_id,
        )
        note = values.get("note")
        for name, value in values.items():
            setattr(event, name, value)
        event.note = close_text(seal, note, _place(event.id))
        await _check(session, event)
        session.add(event)
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="compensation.recorded",
            subject_id=event.id,
            body={
                "performer": str(performer_id),
                "consent": str(event.consent_id) if event.consent_id else None,
                "production": str(event.production_id),
                "shot": str(event.shot_id) if event.shot_id else None,
                "basis": event.basis,
                "units": str(event.units),
                "amount": str(event.amount),
                "currency": event.currency,
                "paid_at": event.paid_at.isoformat(),
                "note_hash": None if note is None else seal.keyed_hash(note.encode()),
                **actor.for_ledger(),
            },
        )
        reply = answer(compensation_view(seal, event))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def list_compensation(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    performer_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    production_id: UUID | None = None,
    consent_id: UUID | None = None,
) -> Sequence[CompensationView]:
    """Return what a performer was paid, newest first. Raises NotFound."""
    query = select(CompensationEvent).where(
        CompensationEvent.tenant_id == tenant_id, CompensationEvent.performer_id == performer_id
    )
    if production_id is not None:
        query = query.where(CompensationEvent.production_id == production_id)
    if consent_id is not None:
        query = query.where(CompensationEvent.consent_id == consent_id)
    if before is not None:
        query = query.where(tuple_(CompensationEvent.created_at, CompensationEvent.id) < before)
    query = query.order_by(CompensationEvent.created_at.desc(), CompensationEvent.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_performer(session, tenant_id, performer_id)
        return [compensation_view(seal, each) for each in await session.scalars(query)]


async def _check(session: TenantSession, event: CompensationEvent) -> None:
    tenant_id = event.tenant_id
    production = await session.scalar(
        select(Production.id).where(Production.tenant_id == tenant_id, Production.id == event.production_id)
    )
    if production is None:
        raise invalid("/production_id", "unknown_production", "There is no such production.")
    if event.shot_id is not None:
        shot = await session.scalar(
            select(Shot.id).where(
                Shot.tenant_id == tenant_id,
                Shot.id == event.shot_id,
                Shot.production_id == event.production_id,
            )
        )
        if shot is None:
            raise invalid("/shot_id", "unknown_shot", "There is no such shot in this production.")
    if event.consent_id is not None:
        consent = await session.scalar(
            select(Consent.id).where(
                Consent.tenant_id == tenant_id,
                Consent.id == event.consent_id,
                Consent.performer_id == event.performer_id,
            )
        )
        if consent is None:
            raise invalid("/consent_id", "unknown_consent", "This performer has no such consent.")
