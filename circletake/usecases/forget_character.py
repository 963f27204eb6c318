"""Deleting a character or a look: its biometric data goes at once, in the same transaction; a tombstone stays.

What stays readable: ids, verdicts and scores. What goes: descriptions and names; the references; what evaluators saw
in any file that was a reference of it or that it was judged in; the crops of its judgements and the words of a second
opinion; the continuity sheets that show it. The files that were judged are the studio's: they can be withdrawn
afterwards. An evaluator's look at a file isn't
kept apart by person, so it goes whole; a later check of somebody else in that file looks again.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    ScalarSelect,
    Select,
    Text,
    cast,
    delete,
    exists,
    false,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import array

from circletake.domain.errors import Conflict
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.characters import Character, Look, LookShot, Reference, ReferenceSet
from circletake.records.consistency import (
    CheckMaterial,
    CheckSubject,
    ConsistencyCheck,
    ConsistencyProfile,
    Enforcement,
    Judgement,
    Observation,
)
from circletake.records.media import MediaFile
from circletake.records.rights import Screening
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_characters import find_character, find_look
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import add_step

GONE = ""  # what a tombstone is called


async def delete_character(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, character_id: UUID
) -> Character:
    """Delete a character with its looks; one that is deleted already is returned as it is.

    Raises NotFound, or Conflict `enforcement_running`.
    """
    async with database.tenant(tenant_id) as session:
        character = await find_character(session, tenant_id, character_id, lock="update")
        if character.deleted_at is not None:
            return character
        await refuse_enforced(session, tenant_id, [character.id])
        looks = await _looks(session, character)
        files = await _forget_seen(session, character, [look.id for look in looks], whole=True)
        await _withdraw_sheets(session, character)
        for look in looks:
            _bury_look(look)
        character.script_name, character.description, character.external_ref = GONE, None, None
        character.deleted_at = clock.now()
        character.version += 1
        await session.execute(
            update(ConsistencyProfile)
            .where(
                ConsistencyProfile.tenant_id == tenant_id,
                ConsistencyProfile.character_id == character.id,
                ConsistencyProfile.retired_at.is_(None),
            )
            .values(retired_at=character.deleted_at)
        )
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="character.deleted",
            subject_id=character.id,
            body={
                "production": str(character.production_id),
                "looks": [str(look.id) for look in looks],
                "files_forgotten": files,
                **actor.for_ledger(),
            },
        )
        return character


async def delete_look(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, look_id: UUID
) -> Look:
    """Delete one look of a character; one that is deleted already is returned as it is.

    Raises NotFound, or Conflict `enforcement_running`.
    """
    async with database.tenant(tenant_id) as session:
        look = await find_look(session, tenant_id, look_id)
        character = await find_character(session, tenant_id, look.character_id, lock="update")
        look = await find_look(session, tenant_id, look_id, lock="update")
        if look.deleted_at is not None:
            return look
        await refuse_enforced(session, tenant_id, [character.id], look_id=look.id)
        files = await _forget_seen(session, character, [look.id], whole=False)
        _bury_look(look)
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="look.deleted",
            subject_id=look.id,
            body={
                "character": str(character.id),
                "files_forgotten": files,
                **actor.for_ledger(),
            },
        )
        return look


async def refuse_enforced(
    session: TenantSession, tenant_id: UUID, character_ids: Sequence[UUID], *, look_id: UUID | None = None
) -> None:
    """Raise Conflict while an enforcement is under way that compares with one of these characters."""
    query = (
        select(Enforcement.id)
        .join(
            CheckSubject,
            (CheckSubject.tenant_id == Enforcement.tenant_id)
            & (CheckSubject.check_id == Enforcement.check_id),
        )
        .where(
            Enforcement.tenant_id == tenant_id,
            Enforcement.state == "running",
            CheckSubject.character_id.in_(character_ids),
        )
    )
    if look_id is not None:
        query = query.where(or_(CheckSubject.look_id == look_id, CheckSubject.look_id.is_(None)))
    running = await session.scalar(query.limit(1))
    if running is not None:
        raise Conflict(
            "Takes are being made until they match this character: cancel that enforcement first.",
            code="enforcement_running",
            enforcement_id=str(running),
        )


async def forget_unneeded(session: TenantSession, tenant_id: UUID, media_ids: Sequence[UUID]) -> None:
    """Drop what was seen in these files where nothing asks for it: no reference and no check of a living character.

    Who looks at a file does so outside any transaction, and calls this when what it looked for is gone meanwhile.
    """
    referred = exists().where(Reference.tenant_id == tenant_id, Reference.media_id == Observation.media_id)
    judged = exists().where(
        CheckMaterial.tenant_id == tenant_id,
        CheckMaterial.media_id == Observation.media_id,
        CheckSubject.tenant_id == tenant_id,
        CheckSubject.check_id == CheckMaterial.check_id,
        Character.tenant_id == tenant_id,
        Character.id == CheckSubject.character_id,
        Character.deleted_at.is_(None),
    )
    await session.execute(
        delete(Observation)
        .where(Observation.tenant_id == tenant_id, Observation.media_id.in_(media_ids), ~referred, ~judged)
        .execution_options(synchronize_session=False)
    )


async def forget_file(session: TenantSession, tenant_id: UUID, media_id: UUID) -> None:
    """Drop whatever was seen in one file and cut out of it."""
    await session.execute(
        delete(Observation).where(Observation.tenant_id == tenant_id, Observation.media_id == media_id)
    )
    await session.execute(
        delete(Screening).where(
            Screening.tenant_id == tenant_id,
            or_(Screening.media_id == media_id, Screening.matte_id == media_id),
        )
    )
    await session.execute(
        update(Judgement)
        .where(Judgement.tenant_id == tenant_id, Judgement.media_id == media_id)
        .values(crop=None, opinion_text=None)
    )


async def _withdraw_sheets(session: TenantSession, character: Character) -> None:
    """Take back the continuity sheets that show the character: its face is cut out on them."""
    tenant_id = character.tenant_id
    shown = await session.execute(
        select(ConsistencyCheck.sheet_media_id, ConsistencyCheck.sheet_pdf_media_id)
        .join(
            CheckSubject,
            (CheckSubject.tenant_id == ConsistencyCheck.tenant_id)
            & (CheckSubject.check_id == ConsistencyCheck.id),
        )
        .where(ConsistencyCheck.tenant_id == tenant_id, CheckSubject.character_id == character.id)
    )
    sheets = [each for pair in shown for each in pair if each is not None]
    withdrawn = await session.scalars(
        update(MediaFile)
        .where(MediaFile.tenant_id == tenant_id, MediaFile.id.in_(sheets), MediaFile.state == "ready")
        .values(state="withdrawn", object_key=None, etag=None, finished_at=clock.now())
        .returning(MediaFile.id)
    )
    for media_id in withdrawn.all():
        await add_step(session, tenant_id, kind="purge", lane="inspect", subject_id=media_id)
    await wake_dispatcher(session)


async def _looks(session: TenantSession, character: Character) -> Sequence[Look]:
    """Return a character's looks, deleted ones too, locked."""
    return list(
        await session.scalars(
            select(Look)
            .where(Look.tenant_id == character.tenant_id, Look.character_id == character.id)
            .order_by(Look.id)
            .with_for_update()
        )
    )


async def _forget_seen(
    session: TenantSession, character: Character, look_ids: Sequence[UUID], *, whole: bool
) -> int:
    """Drop what was seen of these looks, and of the whole character if wanted. Return how many files were touched."""
    tenant_id = character.tenant_id
    sets = _sets(tenant_id, look_ids)
    judged = or_(
        Judgement.look_id.in_(look_ids), Judgement.character_id == character.id if whole else false()
    )
    files = _files(character, look_ids, whole=whole).subquery()
    forgotten = await session.scalars(
        delete(Observation)
        .where(Observation.tenant_id == tenant_id, Observation.media_id.in_(select(files.c.media_id)))
        .returning(Observation.media_id)
        .execution_options(synchronize_session=False)
    )
    count = len(set(forgotten))
    await _forget_screened(session, character, look_ids)
    await session.execute(
        update(Judgement).where(Judgement.tenant_id == tenant_id, judged).values(crop=None, opinion_text=None)
    )
    await session.execute(
        delete(Reference)
        .where(Reference.tenant_id == tenant_id, Reference.reference_set_id.in_(sets))
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(ReferenceSet)
        .where(ReferenceSet.tenant_id == tenant_id, ReferenceSet.look_id.in_(look_ids))
        .values(state="superseded")
    )
    await session.execute(
        delete(LookShot).where(LookShot.tenant_id == tenant_id, LookShot.look_id.in_(look_ids))
    )
    return count


async def _forget_screened(session: TenantSession, character: Character, look_ids: Sequence[UUID]) -> None:
    """Drop every screening that was compared with these looks, and its crops: the next request looks again."""
    tenant_id = character.tenant_id
    sets = await session.scalars(
        select(cast(ReferenceSet.id, Text)).where(
            ReferenceSet.tenant_id == tenant_id, ReferenceSet.look_id.in_(look_ids)
        )
    )
    gone = await session.scalars(
        delete(Screening)
        .where(Screening.tenant_id == tenant_id, Screening.compared.has_any(array(list(sets), type_=Text)))
        .returning(Screening.media_id)
        .execution_options(synchronize_session=False)
    )
    for media_id in sorted(set(gone)):
        await add_step(session, tenant_id, kind="purge", lane="inspect", subject_id=media_id)


def _sets(tenant_id: UUID, look_ids: Sequence[UUID]) -> ScalarSelect[UUID]:
    return (
        select(ReferenceSet.id)
        .where(ReferenceSet.tenant_id == tenant_id, ReferenceSet.look_id.in_(look_ids))
        .scalar_subquery()
    )


def _files(character: Character, look_ids: Sequence[UUID], *, whole: bool) -> CompoundSelect[UUID]:
    """The files that these looks were taken from, were judged in, or are about to be judged in."""
    tenant_id = character.tenant_id
    judged = or_(
        Judgement.look_id.in_(look_ids), Judgement.character_id == character.id if whole else false()
    )
    asked = or_(
        CheckSubject.look_id.in_(look_ids), CheckSubject.character_id == character.id if whole else false()
    )
    referred: Select[UUID] = select(Reference.media_id).where(
        Reference.tenant_id == tenant_id, Reference.reference_set_id.in_(_sets(tenant_id, look_ids))
    )
    of_judgements: Select[UUID] = select(Judgement.media_id).where(Judgement.tenant_id == tenant_id, judged)
    of_checks: Select[UUID] = (
        select(CheckMaterial.media_id)
        .join(
            CheckSubject,
            (CheckSubject.tenant_id == CheckMaterial.tenant_id)
            & (CheckSubject.check_id == CheckMaterial.check_id),
        )
        .where(CheckMaterial.tenant_id == tenant_id, asked)
    )
    return union(referred, of_judgements, of_checks)


def _bury_look(look: Look) -> None:
    look.name, look.details = GONE, None
    if look.deleted_at is None:
        look.deleted_at = clock.now()
        look.version += 1
