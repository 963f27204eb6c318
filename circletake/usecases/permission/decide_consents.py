"""Granting, declining and revoking: acts of a person. The gate believes what is put on record here, and nothing else.

Lock order: the performer, the consent, the step that watches its term.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from circletake.domain.errors import Conflict, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import (
    ConsentState,
    SignerRole,
    is_to_come,
    signer_fits,
    term_end,
    zone_named,
)
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.context import Production
from circletake.records.performers import Consent, Performer
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import Expect, Values
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.consent_events import tell_consent
from circletake.usecases.permission.find_consents import (
    ConsentView,
    consent_place,
    consent_view,
    find_consent,
    shown_state,
)
from circletake.usecases.permission.find_performers import find_performer
from circletake.usecases.permission.keep_consents import (
    as_decided,
    assign,
    refuse_incomplete,
    refuse_move,
    unsaid,
)
from circletake.usecases.permission.keep_performers import refuse_forgotten
from circletake.usecases.sealed_text import close_text
from circletake.usecases.steps import add_step

EXPIRING = timedelta(days=30)


async def grant_consent(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    consent_id: UUID,
    signature: Values,
    note: str | None,
    expect: Expect,
) -> ConsentView:
    """Put a requested consent on record as granted. `signature`: what wasn't said yet of signer_role, signer_name,
    signed_on and document_sha256. A granted one is returned as it is.

    Raises NotFound, Invalid, what `expect` raises, or Conflict: incomplete, wrong signer, a term that is over.
    """
    async with database.tenant(tenant_id) as session:
        consent, performer = await _hold(session, tenant_id, consent_id)
        if consent.state == ConsentState.GRANTED:
            return consent_view(seal, consent)
        expect(consent.version)
        refuse_move(consent, ConsentState.GRANTED)
        refuse_forgotten(performer)
        _refuse_other_document(consent, signature.get("document_sha256"))
        assign(seal, consent, signature)
        now = clock.now()
        refuse_incomplete([*unsaid(consent), *_unsigned(consent)])
        _refuse_signer(consent, performer)
        _refuse_future(consent.signed_on, now)
        consent.ends_at = await ends_at(session, consent)
        if consent.ends_at is not None and consent.ends_at <= now:
            raise Conflict("The term of this consent is over already.", code="term_ended")
        consent.state, consent.granted_at = ConsentState.GRANTED.value, now
        consent.granted_by = actor.person_id
        await _decided(session, seal, actor, consent, note, "consent.granted")
        if consent.ends_at is not None:
            await add_step(
                session,
                tenant_id,
                kind="consent",
                lane="notify",
                subject_id=consent.id,
                run_at=max(now, consent.ends_at - EXPIRING),
            )
        await wake_dispatcher(session)
        return consent_view(seal, consent)


async def decline_consent(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    consent_id: UUID,
    note: str | None,
) -> ConsentView:
    """Put on record that a requested consent isn't given; a declined one is returned as it is.
    Raises NotFound or Conflict."""
    async with database.tenant(tenant_id) as session:
        consent, _ = await _hold(session, tenant_id, consent_id)
        if consent.state != ConsentState.DECLINED:
            refuse_move(consent, ConsentState.DECLINED)
            consent.state, consent.declined_at = ConsentState.DECLINED.value, clock.now()
            consent.declined_by = actor.person_id
            await _decided(session, seal, actor, consent, note, "consent.declined")
            await wake_dispatcher(session)
        return consent_view(seal, consent)


async def revoke_consent(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    consent_id: UUID,
    note: str | None,
) -> ConsentView:
    """Take a granted consent back, from now on; a revoked one is returned as it is. Raises NotFound or Conflict.

    Whatever relies on it and hasn't reached a model yet is held where it is claimed or sent.
    """
    async with database.tenant(tenant_id) as session:
        consent, _ = await _hold(session, tenant_id, consent_id)
        if consent.state != ConsentState.REVOKED:
            now = clock.now()
            if shown_state(consent, now) is ConsentState.EXPIRED:
                raise Conflict("This consent has expired.", code="consent_state", state="expired")
            refuse_move(consent, ConsentState.REVOKED)
            consent.state, consent.revoked_at = ConsentState.REVOKED.value, now
            consent.revoked_by = actor.person_id
            await _decided(session, seal, actor, consent, note, "consent.revoked")
            await wake_dispatcher(session)
        return consent_view(seal, consent)


async def ends_at(session: TenantSession, consent: Consent) -> datetime | None:
    """Return the instant when the term is over in every production that the consent names; None: it has no end."""
    if consent.valid_until is None:
        return None
    names = await session.scalars(
        select(Production.time_zone)
        .distinct()
        .where(Production.tenant_id == consent.tenant_id, Production.id.in_(consent.production_ids))
    )
    zones = [zone for zone in map(zone_named, names) if zone is not None] or [ZoneInfo("UTC")]
    return max(term_end(consent.valid_until, zone).astimezone(UTC) for zone in zones)


async def retime_consents(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    """A production moved to another time zone: say anew when the consents end that name it."""
    consents = await session.scalars(
        select(Consent)
        .where(
            Consent.tenant_id == tenant_id,
            Consent.state == ConsentState.GRANTED.value,
            Consent.production_ids.contains([production_id]),
        )
        .order_by(Consent.id)
        .with_for_update()
    )
    for consent in consents.all():
        consent.ends_at = await ends_at(session, consent)
    await session.flush()


async def _hold(session: TenantSession, tenant_id: UUID, consent_id: UUID) -> tuple[Consent, Performer]:
    found = await find_consent(session, tenant_id, consent_id)
    performer = await find_performer(session, tenant_id, found.performer_id, lock="share")
    return await find_consent(session, tenant_id, consent_id, lock=True), performer


async def _decided(
    session: TenantSession, seal: Seal, actor: Actor, consent: Consent, note: str | None, kind: str
) -> None:
    if note is not None:
        consent.note = close_text(seal, note, consent_place("note", consent.id))
    consent.version += 1
    await session.flush()
    await record_entry(
        session,
        seal,
        tenant_id=consent.tenant_id,
        kind=kind,
        subject_id=consent.id,
        body={**as_decided(seal, consent), **actor.for_ledger()},
    )
    await tell_consent(session, consent, kind)


def _unsigned(consent: Consent) -> Collection[str]:
    signed = {
        "signer_role": consent.signer_role,
        "signer_name": consent.signer_name,
        "signed_on": consent.signed_on,
        "document": consent.document_sha256,
    }
    return [name for name, value in signed.items() if value is None]


def _refuse_signer(consent: Consent, performer: Performer) -> None:
    minor = performer.is_minor and not performer.deceased
    if minor and performer.guardian is None:
        raise Conflict(
            "The performer is a minor without a guardian on record: put the guardian on record first.",
            code="guardian_missing",
        )
    role = SignerRole(consent.signer_role) if consent.signer_role else None
    if not signer_fits(role, is_minor=performer.is_minor, deceased=performer.deceased):
        who = "the performer or a representative"
        if performer.deceased:
            who = "the estate or the union"
        elif minor:
            who = "the guardian"
        raise Conflict(f"For this performer it has to be signed by {who}.", code="signer")


def _refuse_future(signed_on: date | None, now: datetime) -> None:
    if signed_on is not None and is_to_come(signed_on, now):
        raise invalid("/signed_on", "signed_in_the_future", "Nobody can have signed it on a day to come.")


def _refuse_other_document(consent: Consent, sha256: str | None) -> None:
    if sha256 is not None and consent.document_sha256 not in {None, sha256}:
        raise Conflict(
            "The document on record has another hash: look again at what you grant.", code="document_differs"
        )
