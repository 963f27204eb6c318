"""Performers are put on record, edited and forgotten.

What makes the gate ask for somebody else's signature is an act of a person; the routes see to it that it is.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from circletake.domain.errors import Conflict, Forbidden
from circletake.domain.people import Actor
from circletake.domain.permission.consents import ConsentState
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.performers import Consent, ConsentDocument, Performer
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import Expect, Values
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.consent_events import tell_consent
from circletake.usecases.permission.find_performers import (
    PerformerView,
    find_performer,
    performer_view,
    place_of,
)

SEALED = ("name", "contact", "guardian")
# who may sign for them hangs on these
STANDING = frozenset({"is_minor", "deceased", "guardian"})


async def create_performer(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[PerformerView], Answer],
) -> Answer:
    """Put a performer on record; name, contact and guardian in clear."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        performer = Performer(id=new_id(), tenant_id=tenant_id)
        _assign(seal, performer, values)
        session.add(performer)
        await session.flush()
        reply = answer(performer_view(seal, performer))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_performer(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    performer_id: UUID,
    values: Values,
    expect: Expect,
    may_change_standing: bool,
) -> PerformerView:
    """Change a performer. Who speaks for them (`is_minor`, `deceased`, `guardian`) is put on the ledger, and changes
    only if `may_change_standing`. Raises NotFound, Forbidden, Conflict or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        performer = await find_performer(session, tenant_id, performer_id, lock="update")
        expect(performer.version)
        refuse_forgotten(performer)
        before = performer_view(seal, performer)
        known = {name: getattr(before, name) for name in SEALED}
        changes = {
            name: value
            for name, value in values.items()
            if value != known.get(name, getattr(performer, name))
        }
        if STANDING & changes.keys() and not may_change_standing:
            raise Forbidden(
                "Who may sign for a performer is changed by a rights clearance manager.",
                code="person_required",
            )
        if changes:
            _assign(seal, performer, changes)
            performer.version += 1
        if STANDING & changes.keys():
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="performer.standing_changed",
                subject_id=performer.id,
                body={
                    "is_minor": performer.is_minor,
                    "deceased": performer.deceased,
                    "has_guardian": performer.guardian is not None,
                    **actor.for_ledger(),
                },
            )
        return performer_view(seal, performer)


async def delete_performer(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, performer_id: UUID
) -> PerformerView:
    """Forget a performer: name, contact and guardian go, and every draft and request with its document. One that is
    forgotten already is returned as it is. Raises NotFound.

    What was granted is revoked, and stays whole: the paper proves that what was made until now was permitted, and
    records kept for legal claims are spared from erasure (GDPR article 17(3)(e)). Portrayals stay too, so that
    nothing new can be made of the characters until they are recast.
    """
    async with database.tenant(tenant_id) as session:
        performer = await find_performer(session, tenant_id, performer_id, lock="update")
        if performer.deleted_at is not None:
            return performer_view(seal, performer)
        now = clock.now()
        performer.name = performer.contact = performer.guardian = performer.external_ref = None
        performer.deleted_at = now
        performer.version += 1
        consents = await session.scalars(
            select(Consent)
            .where(Consent.tenant_id == tenant_id, Consent.performer_id == performer.id)
            .order_by(Consent.id)
            .with_for_update()
        )
        revoked = []
        for consent in consents.all():
            if consent.state in {ConsentState.DRAFT, ConsentState.REQUESTED}:
                await _drop(session, consent)
            elif consent.state == ConsentState.GRANTED:
                consent.state, consent.revoked_at = ConsentState.REVOKED.value, now
                consent.revoked_by = actor.person_id
                consent.version += 1
                revoked.append(consent)
        await session.flush()
        for consent in revoked:
            await tell_consent(session, consent, "consent.revoked")
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="performer.deleted",
            subject_id=performer.id,
            body={"consents_revoked": [str(each.id) for each in revoked], **actor.for_ledger()},
        )
        await wake_dispatcher(session)
        return performer_view(seal, performer)


def refuse_forgotten(performer: Performer) -> None:
    """Raise Conflict for a tombstone: nothing is written to it any more."""
    if performer.deleted_at is not None:
        raise Conflict("This performer was deleted.", code="performer_deleted")


def _assign(seal: Seal, performer: Performer, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in SEALED and value is not None:
            setattr(performer, name, seal.close(value, place=place_of(name, performer.id)))
        else:
            setattr(performer, name, value)


async def _drop(session: TenantSession, consent: Consent) -> None:
    """Empty a consent that was never granted; its row stays, declined, so that nothing points at nothing."""
    consent.state, consent.declined_at = ConsentState.DECLINED.value, clock.now()
    consent.description = consent.signer_name = consent.note = None
    consent.external_ref = consent.document_sha256 = None
    consent.version += 1
    await session.execute(
        delete(ConsentDocument).where(
            ConsentDocument.tenant_id == consent.tenant_id, ConsentDocument.consent_id == consent.id
        )
    )
