"""Drafting a consent and sending it out. A key may do this; deciding is an act of a person, see `decide_consent`.

Lock order: the performer, the consent, its document.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict, Invalid, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import ConsentState, may_become
from circletake.domain.pictures import Violation
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production, Sequence, Shot
from circletake.records.performers import Consent
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import Expect, Values
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_consents import (
    ConsentView,
    consent_place,
    consent_view,
    find_consent,
)
from circletake.usecases.permission.find_performers import find_performer
from circletake.usecases.permission.keep_performers import refuse_forgotten

SEALED = ("description", "signer_name")
_SHOWN = 20


async def create_consent(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    performer_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[ConsentView], Answer],
) -> Answer:
    """Draft a consent; description and signer's name in clear. Raises NotFound, Invalid or Conflict."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        refuse_forgotten(await find_performer(session, tenant_id, performer_id, lock="share"))
        consent = Consent(
            id=new_id(),
            tenant_id=tenant_id,
            performer_id=performer_id,
            state=ConsentState.DRAFT.value,
            created_by=actor.api_key_id,
            created_by_person=actor.person_id,
        )
        assign(seal, consent, values)
        await _check_scope(session, consent)
        session.add(consent)
        await session.flush()
        reply = answer(consent_view(seal, consent))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_consent(
    database: Database, seal: Seal, *, tenant_id: UUID, consent_id: UUID, values: Values, expect: Expect
) -> ConsentView:
    """Change a draft. Raises NotFound, Invalid, Conflict `not_a_draft`, or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        consent = await find_consent(session, tenant_id, consent_id, lock=True)
        expect(consent.version)
        if consent.state != ConsentState.DRAFT:
            raise Conflict(
                f"This consent is {consent.state}: what was sent out to be signed stays as it is. Draft another one.",
                code="not_a_draft",
                state=consent.state,
            )
        before = consent_view(seal, consent)
        known = {name: getattr(before, name) for name in SEALED}
        changes = {
            name: value for name, value in values.items() if value != known.get(name, getattr(consent, name))
        }
        if changes:
            assign(seal, consent, changes)
            await _check_scope(session, consent)
            consent.version += 1
            await session.flush()
        return consent_view(seal, consent)


async def request_consent(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, consent_id: UUID
) -> ConsentView:
    """A draft goes out to be signed, and can't be edited any more; a requested one is returned as it is.

    Raises NotFound, or Conflict `consent_incomplete` that says what it doesn't say yet.
    """
    async with database.tenant(tenant_id) as session:
        consent = await find_consent(session, tenant_id, consent_id, lock=True)
        if consent.state != ConsentState.REQUESTED:
            refuse_move(consent, ConsentState.REQUESTED)
            refuse_incomplete(unsaid(consent))
            consent.state, consent.requested_at = ConsentState.REQUESTED.value, clock.now()
            consent.version += 1
            await session.flush()
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="consent.requested",
                subject_id=consent.id,
                body={**as_decided(seal, consent), **actor.for_ledger()},
            )
        return consent_view(seal, consent)


def assign(seal: Seal, consent: Consent, values: Mapping[str, Any]) -> None:
    """Set what is given, sealing what people write."""
    for name, value in values.items():
        if name in SEALED and value is not None:
            setattr(consent, name, seal.close(value, place=consent_place(name, consent.id)))
        else:
            setattr(consent, name, value)


def refuse_move(consent: Consent, then: ConsentState) -> None:
    """Raise Conflict unless the consent may become this."""
    if not may_become(ConsentState(consent.state), then):
        raise Conflict(
            f"This consent is {consent.state} and can't become {then}.",
            code="consent_state",
            state=consent.state,
        )


def unsaid(consent: Consent) -> list[str]:
    """What has to stand in a consent before anybody is asked to sign it, and doesn't yet."""
    term = consent.no_end or consent.valid_until is not None
    said = {
        "description": consent.description is not None,
        "production_ids": bool(consent.production_ids),
        "kinds": bool(consent.kinds),
        "media": bool(consent.media),
        "territories": bool(consent.territories),
        "valid_until": term,
    }
    return [name for name, there in said.items() if not there]


def refuse_incomplete(lacking: Collection[str]) -> None:
    if lacking:
        raise Conflict(
            f"The consent doesn't say everything yet: {', '.join(lacking)}.",
            code="consent_incomplete",
            lacking=list(lacking),
        )


def as_decided(seal: Seal, consent: Consent) -> dict[str, Any]:
    """What the ledger says of a consent: everything that counts, what people wrote as keyed hashes."""
    view = consent_view(seal, consent)
    return {
        "performer": str(consent.performer_id),
        "replica_type": consent.replica_type,
        "productions": sorted(map(str, consent.production_ids)),
        "shots": sorted(map(str, consent.shot_ids)),
        "sequences": sorted(map(str, consent.sequence_ids)),
        "kinds": sorted(consent.kinds),
        "media": sorted(consent.media),
        "territories": sorted(consent.territories),
        "from": consent.valid_from.isoformat() if consent.valid_from else None,
        "until": consent.valid_until.isoformat() if consent.valid_until else None,
        "no_end": consent.no_end,
        "signer_role": consent.signer_role,
        "signed_on": consent.signed_on.isoformat() if consent.signed_on else None,
        "document_sha256": consent.document_sha256,
        "description_hash": _hash(seal, view.description),
        "signer_hash": _hash(seal, view.signer_name),
        "note_hash": _hash(seal, view.note),
    }


def _hash(seal: Seal, text: str | None) -> str | None:
    return None if text is None else seal.keyed_hash(text.encode())


async def _check_scope(session: TenantSession, consent: Consent) -> None:
    """Raise Invalid for a scope that names what isn't there, or a term that ends before it begins."""
    begins, ends = consent.valid_from, consent.valid_until
    if consent.no_end and ends is not None:
        raise invalid("/no_end", "two_ends", "Give either the term's last day or no_end.")
    if begins is not None and ends is not None and ends < begins:
        raise invalid("/valid_until", "ends_before_it_begins", "The term ends before it begins.")
    tenant_id, productions = consent.tenant_id, consent.production_ids
    violations: list[Violation] = []
    for name, record, of_production in (
        ("production", Production, None),
        ("shot", Shot, Shot.production_id),
        ("sequence", Sequence, Sequence.production_id),
    ):
        ids: list[UUID] = getattr(consent, f"{name}_ids")
        if not ids:
            continue
        query = select(record.id).where(record.tenant_id == tenant_id, record.id.in_(ids))
        if of_production is not None:
            query = query.where(of_production.in_(productions))
        known = set(await session.scalars(query))
        where = "" if of_production is None else " in the productions it names"
        violations += [
            Violation(f"/{name}_ids/{index}", f"unknown_{name}", f"There is no such {name}{where}.")
            for index, each in enumerate(ids)
            if each not in known
        ]
    if violations:
        raise Invalid(violations[:_SHOWN])
