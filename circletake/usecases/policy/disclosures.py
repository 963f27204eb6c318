"""Disclosures: that material which AI made was handed on, to whom and when, for the record. Append-only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound, invalid
from circletake.domain.people import Actor
from circletake.domain.policy.disclosures import Extent
from circletake.domain.policy.facts import ToldRole
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.policies import Disclosure
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.sealed_text import open_text

_CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class NewDisclosure:
    """What was handed on (exactly one of the three), to whom, when."""

    production_id: UUID
    role: ToldRole
    name: str = field(repr=False)
    extent: Extent
    disclosed_at: datetime
    take_id: UUID | None = None
    media_id: UUID | None = None
    text_ref: str | None = None
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DisclosureView:
    """A disclosure with its content opened."""

    disclosure: Disclosure
    name: str = field(repr=False)
    note: str | None = field(repr=False)


async def record_disclosure(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    new: NewDisclosure,
    claim: IdempotencyClaim | None,
    answer: Callable[[DisclosureView], Answer],
) -> Answer:
    """Put a disclosure on record. Raises Invalid with pointers to what doesn't exist in the production."""
    if new.disclosed_at > clock.now() + _CLOCKS_APART:
        raise invalid(
            "/disclosed_at", "in_the_future", "This is a record of what has happened: give a past moment."
        )
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await _require_context(session, tenant_id, new)
        row = _row(seal, tenant_id, actor, new)
        session.add(row)
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="disclosure.recorded",
            subject_id=row.id,
            body={
                "production": str(new.production_id),
                "take": str(new.take_id) if new.take_id else None,
                "media": str(new.media_id) if new.media_id else None,
                "text_hash": seal.keyed_hash(new.text_ref.encode()) if new.text_ref else None,
                "extent": new.extent.value,
                "role": new.role.value,
                "name_hash": seal.keyed_hash(new.name.encode()),
                "note_hash": seal.keyed_hash(new.note.encode()) if new.note else None,
                "disclosed_at": new.disclosed_at.isoformat(),
                **actor.for_ledger(),
            },
        )
        reply = answer(DisclosureView(row, new.name, new.note))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _require_context(session: TenantSession, tenant_id: UUID, new: NewDisclosure) -> None:
    production = await session.scalar(
        select(Production.id).where(Production.tenant_id == tenant_id, Production.id == new.production_id)
    )
    if production is None:
        raise invalid("/production_id", "unknown_production", "There is no such production.")
    if new.take_id is not None:
        take = await session.scalar(
            select(Take.id)
            .join(
                Generation,
                (Generation.tenant_id == Take.tenant_id) & (Generation.id == Take.generation_id),
            )
            .where(
                Take.tenant_id == tenant_id,
                Take.id == new.take_id,
                Generation.production_id == new.production_id,
            )
        )
        if take is None:
            raise invalid("/take_id", "unknown_take", "There is no such take in this production.")
    if new.media_id is not None:
        file = await session.scalar(
            select(MediaFile.id).where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.id == new.media_id,
                MediaFile.production_id == new.production_id,
            )
        )
        if file is None:
            raise invalid("/media_id", "unknown_media", "There is no such media file in this production.")


def _row(seal: Seal, tenant_id: UUID, actor: Actor, new: NewDisclosure) -> Disclosure:
    row_id = new_id()
    return Disclosure(
        id=row_id,
        tenant_id=tenant_id,
        production_id=new.production_id,
        take_id=new.take_id,
        media_id=new.media_id,
        text_ref=new.text_ref,
        extent=new.extent.value,
        role=new.role.value,
        name=seal.close(new.name, place=_name_place(row_id)),
        note=seal.close(new.note, place=_note_place(row_id)) if new.note else None,
        disclosed_at=new.disclosed_at,
        recorded_by=actor.api_key_id,
        recorded_by_person=actor.person_id,
        created_at=clock.now(),
    )


async def list_disclosures(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    role: ToldRole | None = None,
    take_id: UUID | None = None,
    media_id: UUID | None = None,
    text_ref: str | None = None,
) -> Sequence[DisclosureView]:
    """Return at most `limit` disclosures, newest first, older than `before` (created_at, id)."""
    query = select(Disclosure).where(Disclosure.tenant_id == tenant_id)
    for column, value in (
        (Disclosure.production_id, production_id),
        (Disclosure.role, role),
        (Disclosure.take_id, take_id),
        (Disclosure.media_id, media_id),
        (Disclosure.text_ref, text_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Disclosure.created_at, Disclosure.id) < before)
    query = query.order_by(Disclosure.created_at.desc(), Disclosure.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return [_view(seal, row) for row in await session.scalars(query)]


async def get_disclosure(
    database: Database, seal: Seal, tenant_id: UUID, disclosure_id: UUID
) -> DisclosureView:
    """Return one disclosure. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        row = await session.scalar(
            select(Disclosure).where(Disclosure.tenant_id == tenant_id, Disclosure.id == disclosure_id)
        )
    if row is None:
        raise NotFound("disclosure")
    return _view(seal, row)


def _view(seal: Seal, row: Disclosure) -> DisclosureView:
    name = seal.open(row.name, place=_name_place(row.id)).decode()
    return DisclosureView(row, name, open_text(seal, row.note, _note_place(row.id)))


def _name_place(row_id: UUID) -> str:
    return f"disclosures.name:{row_id}"


def _note_place(row_id: UUID) -> str:
    return f"disclosures.note:{row_id}"
