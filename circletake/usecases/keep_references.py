"""Reference sets: the pictures that define a look. A draft is filled, a person approves it, the next one supersedes it.

An approved set never changes, so that a verdict can always say what it was compared with. The one thing that ends it
from outside is a file that is withdrawn: then the set is superseded, and the look needs a new one.

Lock order: media files by id, the character, the look, the set, its references.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.consistency.references import is_open
from circletake.domain.consistency.words import ReferenceFinding
from circletake.domain.errors import Conflict, Invalid
from circletake.domain.kinds import SLOT_ROLES, InputSlot, RightsBasis
from circletake.domain.pictures import Violation
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.characters import Look, Reference, ReferenceSet
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_characters import refuse_deleted
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_characters import (
    Lineage,
    SetView,
    find_character,
    find_look,
    find_reference,
    hold_set,
    references_of,
)
from circletake.usecases.forget_character import forget_unneeded
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.steps import add_step

MAX_REFERENCES = 24  # more teach nothing: three are the knee of the curve
ROLES = SLOT_ROLES[InputSlot.REFERENCE]
COMPARED = frozenset({ReferenceFinding.NEAR_DUPLICATE, ReferenceFinding.DOES_NOT_MATCH})


async def create_set(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    look_id: UUID,
    copy_latest: bool,
    claim: IdempotencyClaim | None,
    answer: Callable[[SetView], Answer],
) -> Answer:
    """Begin the next version of a look's references, empty or with what the latest approved version has and is still
    usable. Raises NotFound, or Conflict `draft_exists`."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        copied = await _to_copy(session, tenant_id, look_id) if copy_latest else []
        look = await _hold_look(session, tenant_id, look_id)
        refuse_deleted(look)
        await _refuse_second_draft(session, look)
        latest = await session.scalar(
            select(func.max(ReferenceSet.version)).where(
                ReferenceSet.tenant_id == tenant_id, ReferenceSet.look_id == look_id
            )
        )
        draft = ReferenceSet(
            id=new_id(), tenant_id=tenant_id, look_id=look_id, version=(latest or 0) + 1, state="draft"
        )
        session.add(draft)
        await session.flush()
        if copied:
            await session.execute(insert(Reference), [_copy(draft, each) for each in copied])
        reply = answer(SetView(draft, await references_of(session, tenant_id, draft.id)))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def add_reference(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    set_id: UUID,
    media_id: UUID,
    figure: int | None,
    claim: IdempotencyClaim | None,
    answer: Callable[[Reference], Answer],
) -> Answer:
    """Put a picture into a draft and have it looked at. Raises NotFound, Invalid for a file that can't be a
    reference, Conflict for a set that is no draft, is full or has the file already."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        file = await session.scalar(
            select(MediaFile)
            .where(MediaFile.tenant_id == tenant_id, MediaFile.id == media_id)
            .with_for_update(read=True)
        )
        lineage = await hold_set(session, tenant_id, set_id)
        refuse_settled(lineage.set)
        _check_file(file, lineage.character.production_id)
        present = await references_of(session, tenant_id, set_id)
        _refuse_full(present, media_id)
        reference = Reference(
            id=new_id(), tenant_id=tenant_id, reference_set_id=set_id, media_id=media_id, figure=figure
        )
        session.add(reference)
        await session.flush()
        await _have_inspected(session, [reference])
        reply = answer(reference)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def choose_figure(
    database: Database, *, tenant_id: UUID, reference_id: UUID, figure: int | None
) -> Reference:
    """Say which face of a picture is the character's (None: let the inspection say), and have it looked at again.
    Raises NotFound, Invalid for a face that isn't there, or Conflict for a set that is no draft."""
    async with database.tenant(tenant_id) as session:
        _, reference = await _hold_reference(session, tenant_id, reference_id)
        _check_figure(reference, figure)
        standing = any(each.get("faces") and is_open(each) for each in reference.findings)
        if figure == reference.figure and not standing:
            return reference
        reference.figure, reference.findings = figure, []
        await _inspect_again(session, [reference])
        return reference


async def remove_reference(database: Database, *, tenant_id: UUID, reference_id: UUID) -> None:
    """Take a picture out of a draft. Raises NotFound, or Conflict for a set that is no draft."""
    async with database.tenant(tenant_id) as session:
        lineage, reference = await _hold_reference(session, tenant_id, reference_id)
        media_id = reference.media_id
        await session.delete(reference)
        await session.flush()
        await forget_unneeded(session, tenant_id, [media_id])
        # what was said of the others in comparison with it may not hold any more
        left = await references_of(session, tenant_id, lineage.set.id)
        compared = [each for each in left if COMPARED & {found["code"] for found in each.findings}]
        if compared:
            await _inspect_again(session, compared)


def faces_of(reference: Reference) -> Sequence[Mapping[str, Any]]:
    """The faces to choose from: `figure`, `box`, `face_px`; empty where there is no choice."""
    return next((each["faces"] for each in reference.findings if each.get("faces")), [])


def open_findings(reference: Reference) -> Sequence[Mapping[str, Any]]:
    """What is wrong with a reference and not settled by the choice of a face."""
    return [each for each in reference.findings if not each.get("settled")]


async def _hold_look(session: TenantSession, tenant_id: UUID, look_id: UUID) -> Look:
    look = await find_look(session, tenant_id, look_id)
    await find_character(session, tenant_id, look.character_id, lock="share")
    return await find_look(session, tenant_id, look_id, lock="update")


async def _hold_reference(
    session: TenantSession, tenant_id: UUID, reference_id: UUID
) -> tuple[Lineage, Reference]:
    """Lock a reference of a draft, and its set."""
    found = await find_reference(session, tenant_id, reference_id)
    lineage = await hold_set(session, tenant_id, found.reference_set_id)
    reference = await find_reference(session, tenant_id, reference_id, lock="update")
    refuse_settled(lineage.set)
    return lineage, reference


async def _to_copy(session: TenantSession, tenant_id: UUID, look_id: UUID) -> Sequence[Reference]:
    """Return the usable references of the look's latest version that was ever approved, their files held."""
    latest = await session.scalar(
        select(ReferenceSet.id)
        .where(
            ReferenceSet.tenant_id == tenant_id,
            ReferenceSet.look_id == look_id,
            ReferenceSet.approved_at.is_not(None),
        )
        .order_by(ReferenceSet.version.desc())
        .limit(1)
    )
    if latest is None:
        return []
    references = await references_of(session, tenant_id, latest)
    held = await session.scalars(
        select(MediaFile.id)
        .where(
            MediaFile.tenant_id == tenant_id,
            MediaFile.id.in_(sorted(each.media_id for each in references)),
            MediaFile.state == "ready",
        )
        .order_by(MediaFile.id)
        .with_for_update(read=True)
    )
    ready = set(held)
    return [each for each in references if each.state == "ready" and each.media_id in ready]


def _copy(draft: ReferenceSet, reference: Reference) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": draft.tenant_id,
        "reference_set_id": draft.id,
        "media_id": reference.media_id,
        "state": reference.state,
        # comparisons are made anew when the set changes; ids in them are of the old set
        "findings": [each for each in reference.findings if each["code"] not in COMPARED],
        "figure": reference.figure,
        "box": reference.box,
        "face_px": reference.face_px,
        "inspected_at": reference.inspected_at,
    }


async def _refuse_second_draft(session: TenantSession, look: Look) -> None:
    draft = await session.scalar(
        select(ReferenceSet.id).where(
            ReferenceSet.tenant_id == look.tenant_id,
            ReferenceSet.look_id == look.id,
            ReferenceSet.state == "draft",
        )
    )
    if draft is not None:
        raise Conflict(
            "This look has a draft already: go on with that one, or approve it.",
            code="draft_exists",
            reference_set_id=str(draft),
        )


def refuse_settled(found: ReferenceSet) -> None:
    if found.state != "draft":
        raise Conflict(
            f"This version is {found.state} and stays as it is: begin a new draft of the look's references.",
            code="not_a_draft",
            state=found.state,
        )


def _refuse_full(present: Sequence[Reference], media_id: UUID) -> None:
    for each in present:
        if each.media_id == media_id:
            raise Conflict(
                "This file is in the set already.", code="already_a_reference", reference_id=str(each.id)
            )
    if len(present) >= MAX_REFERENCES:
        raise Conflict(
            f"A set holds at most {MAX_REFERENCES} references: take one out.", code="too_many_references"
        )


def _check_file(file: MediaFile | None, production_id: UUID) -> None:
    """Raise Invalid unless this file may define how somebody looks."""
    if file is None or file.production_id != production_id:
        raise _wrong("unknown_media", "There is no such media file in this production.")
    if file.role not in ROLES:
        allowed = ", ".join(sorted(ROLES))
        raise _wrong("wrong_role", f"This file's role is {file.role}; a reference must be: {allowed}.")
    if file.state != "ready":
        raise _wrong("media_not_ready", f"This file is {file.state}; only a ready file can be used.")
    if not file.media_type.startswith("image/"):
        raise _wrong("not_a_picture", f"A reference must be a picture, not {file.media_type}.")
    if file.rights_basis == RightsBasis.UNKNOWN:
        raise _wrong(
            "rights_unknown",
            "Nobody said on what ground this file may be used: upload it with its rights_basis.",
        )


def _wrong(code: str, message: str) -> Invalid:
    return Invalid([Violation("/media_id", code, message)])


def _check_figure(reference: Reference, figure: int | None) -> None:
    """Raise Invalid for a face that isn't among those that were found; before the inspection nobody knows."""
    faces = {each["figure"] for each in faces_of(reference)} | {0}
    if figure is not None and reference.inspected_at is not None and figure not in faces:
        raise Invalid(
            [Violation("/figure", "unknown_figure", "No face with this number was found: see `faces`.")]
        )


async def _inspect_again(session: TenantSession, references: Collection[Reference]) -> None:
    for each in references:
        each.state, each.inspected_at = "inspecting", None
    await session.flush()
    await _have_inspected(session, references)
    await wake_dispatcher(session)


async def _have_inspected(session: TenantSession, references: Collection[Reference]) -> None:
    for each in references:
        await add_step(
            session,
            each.tenant_id,
            kind="reference",
            lane="judge",
            subject_id=each.id,
            priority=1,  # somebody waits for the answer
            details={"media_id": str(each.media_id)},
        )
