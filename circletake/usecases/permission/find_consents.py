"""Reads of consents and their documents. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.permission.consents import ConsentState
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.performers import Consent
from circletake.records.session import Database, TenantSession
from circletake.usecases.permission.find_performers import Position
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class ConsentView:
    """A consent with what is sealed, opened."""

    consent: Consent
    description: str | None = field(repr=False)
    signer_name: str | None = field(repr=False)
    note: str | None = field(repr=False)


def consent_place(column: str, consent_id: UUID) -> str:
    return f"consents.{column}:{consent_id}"


def consent_view(seal: Seal, consent: Consent) -> ConsentView:
    return ConsentView(
        consent,
        open_text(seal, consent.description, consent_place("description", consent.id)),
        open_text(seal, consent.signer_name, consent_place("signer_name", consent.id)),
        open_text(seal, consent.note, consent_place("note", consent.id)),
    )


def shown_state(consent: Consent, at: datetime) -> ConsentState:
    """The state as it is at this moment: a term ends at midnight, whether or not anybody has written it down."""
    if consent.state == ConsentState.GRANTED and consent.ends_at is not None and consent.ends_at <= at:
        return ConsentState.EXPIRED
    return ConsentState(consent.state)


async def find_consent(
    session: TenantSession, tenant_id: UUID, consent_id: UUID, *, lock: bool = False
) -> Consent:
    """Return a consent, locked if wanted. Raises NotFound."""
    query = select(Consent).where(Consent.tenant_id == tenant_id, Consent.id == consent_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = await session.scalar(query)
    if found is None:
        raise NotFound("consent")
    return found


async def get_consent(database: Database, seal: Seal, tenant_id: UUID, consent_id: UUID) -> ConsentView:
    async with database.tenant(tenant_id) as session:
        return consent_view(seal, await find_consent(session, tenant_id, consent_id))


async def list_consents(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    performer_id: UUID | None = None,
    production_id: UUID | None = None,
    state: ConsentState | None = None,
    external_ref: str | None = None,
) -> Sequence[Consent]:
    """Return consents, newest first; what is sealed stays so."""
    query = select(Consent).where(Consent.tenant_id == tenant_id)
    if performer_id is not None:
        query = query.where(Consent.performer_id == performer_id)
    if production_id is not None:
        query = query.where(Consent.production_ids.contains([production_id]))
    if state is not None:
        query = query.where(_in_state(state, clock.now()))
    if external_ref is not None:
        query = query.where(Consent.external_ref == external_ref)
    if before is not None:
        query = query.where(tuple_(Consent.created_at, Consent.id) < before)
    query = query.order_by(Consent.created_at.desc(), Consent.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


def _in_state(state: ConsentState, at: datetime) -> ColumnElement[bool]:
    """As `shown_state` says it."""
    granted = Consent.state == ConsentState.GRANTED.value
    over = and_(granted, Consent.ends_at.is_not(None), Consent.ends_at <= at)
    if state is ConsentState.EXPIRED:
        return or_(Consent.state == state.value, over)
    if state is ConsentState.GRANTED:
        return and_(granted, or_(Consent.ends_at.is_(None), Consent.ends_at > at))
    return Consent.state == state.value
