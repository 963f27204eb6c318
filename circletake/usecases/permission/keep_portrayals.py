"""Portrayals: who stands for whom. From the moment one is made the character can't be made without permission.

Ending one lets the gate ask for less: it is an act of a person, and the route sees to it that it is.
"""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from circletake.domain.errors import Conflict, NotFound, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import PortrayalKind
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.characters import Character, Look, ReferenceSet
from circletake.records.media import MediaFile
from circletake.records.performers import Portrayal
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_characters import refuse_deleted
from circletake.usecases.edit_context import UNIQUE_VIOLATION
from circletake.usecases.find_characters import find_character
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_performers import find_performer, find_portrayal
from circletake.usecases.permission.keep_performers import refuse_forgotten


async def create_portrayal(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    character_id: UUID,
    performer_id: UUID,
    kind: PortrayalKind,
    since: date | None,
    reference_set_id: UUID | None,
    media_id: UUID | None,
    claim: IdempotencyClaim | None,
    answer: Callable[[Portrayal], Answer],
) -> Answer:
    """Say that a performer stands for a character: from now on it can't be made without their permission.

    A likeness may name the reference set or the picture that was made from the performer's photographs.
    Raises NotFound, Invalid, or Conflict for what is deleted or said already.
    """
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        character = await find_character(session, tenant_id, character_id, lock="share")
        refuse_deleted(character)
        try:
            performer = await find_performer(session, tenant_id, performer_id, lock="share")
        except NotFound:
            raise invalid("/performer_id", "unknown_performer", "There is no such performer.") from None
        refuse_forgotten(performer)
        await _check_source(session, character, reference_set_id, media_id)
        portrayal = Portrayal(
            id=new_id(),
            tenant_id=tenant_id,
            production_id=character.production_id,
            character_id=character.id,
            performer_id=performer.id,
            kind=kind.value,
            since=since,
            reference_set_id=reference_set_id,
            media_id=media_id,
            created_by=actor.api_key_id,
            created_by_person=actor.person_id,
        )
        session.add(portrayal)
        await _write(session)
        await _record(session, seal, actor, portrayal, "portrayal.made")
        reply = answer(portrayal)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def end_portrayal(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, portrayal_id: UUID
) -> Portrayal:
    """Say that a performer doesn't stand for a character any more; an ended one is returned as it is.
    Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        portrayal = await find_portrayal(session, tenant_id, portrayal_id)
        if portrayal.ended_at is None:
            portrayal.ended_at, portrayal.ended_by = clock.now(), actor.person_id
            await _record(session, seal, actor, portrayal, "portrayal.ended")
        return portrayal


async def _check_source(
    session: TenantSession, character: Character, reference_set_id: UUID | None, media_id: UUID | None
) -> None:
    tenant_id = character.tenant_id
    if reference_set_id is not None:
        known = await session.scalar(
            select(ReferenceSet.id)
            .join(Look, (Look.tenant_id == ReferenceSet.tenant_id) & (Look.id == ReferenceSet.look_id))
            .where(
                ReferenceSet.tenant_id == tenant_id,
                ReferenceSet.id == reference_set_id,
                Look.character_id == character.id,
            )
        )
        if known is None:
            text = "This character has no such reference set."
            raise invalid("/reference_set_id", "unknown_reference_set", text)
    if media_id is not None:
        known = await session.scalar(
            select(MediaFile.id).where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.id == media_id,
                MediaFile.production_id == character.production_id,
            )
        )
        if known is None:
            text = "There is no such media file in this production."
            raise invalid("/media_id", "unknown_media", text)


async def _write(session: TenantSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise Conflict(
                "This performer stands for this character already.", code="portrayal_exists"
            ) from None
        raise


async def _record(session: TenantSession, seal: Seal, actor: Actor, portrayal: Portrayal, kind: str) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=portrayal.tenant_id,
        kind=kind,
        subject_id=portrayal.id,
        body={
            "character": str(portrayal.character_id),
            "performer": str(portrayal.performer_id),
            "kind": portrayal.kind,
            "reference_set": str(portrayal.reference_set_id) if portrayal.reference_set_id else None,
            "media": str(portrayal.media_id) if portrayal.media_id else None,
            **actor.for_ledger(),
        },
    )
