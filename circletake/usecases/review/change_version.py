"""Change a version's state: submit it again, approve it, send it back, park it."""

from uuid import UUID

from sqlalchemy import func, or_, select

from circletake.domain.errors import Conflict, Forbidden
from circletake.domain.people import Actor, Person
from circletake.domain.review.states import (
    Standing,
    VersionState,
    missing_for_approval,
    refusal,
    version_name,
)
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.generations import Take
from circletake.records.holds import Hold
from circletake.records.media import MediaFile
from circletake.records.review import Consultation, Version
from circletake.records.session import Database, TenantSession
from circletake.usecases.end_take import one_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.find_versions import find_version, interested_in
from circletake.usecases.review.notes import NewNote, announce_version, keep_note, note_hash
from circletake.usecases.review.required import required_consultations
from circletake.usecases.steps import lock_generation, lock_takes


async def change_version(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    version_id: UUID,
    wanted: VersionState,
    note: str | None,
) -> Version:
    """Move a version to another state, with a note. A person's own change asked for again is answered with the version
    as it is. Raises NotFound, Forbidden (missing_role, own_work) or Conflict (wrong_transition, not_approvable with
    what is `missing`)."""
    async with database.tenant(tenant_id) as session:
        found = await find_version(session, tenant_id, version_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        take = one_take(await lock_takes(session, tenant_id, generation.id), found.take_id)
        version = await find_version(session, tenant_id, version_id, lock=True)
        before = VersionState(version.state)
        if before is wanted and version.changed_by == person.id and note is None:
            return version
        _require_allowed(version, wanted, person)
        relied_on: dict[str, object] = {}
        if wanted is VersionState.APPROVED:
            relied_on = await _require_approvable(session, version, take)
        _move(version, wanted, person)
        await keep_note(session, seal, version, person, NewNote(note), (before, wanted))
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="version.status_changed",
            subject_id=version.id,
            body={
                "version": version_name(version.number),
                "take": str(take.id),
                "from": before.value,
                "to": wanted.value,
                "note_hash": note_hash(seal, note),
                **relied_on,
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        await announce_version(session, generation, version, "version.status_changed", before=before.value)
        await wake_dispatcher(session)
        return version


def _require_allowed(version: Version, wanted: VersionState, person: Person) -> None:
    refused = refusal(
        VersionState(version.state),
        wanted,
        roles=person.roles,
        person=person.id,
        interested=interested_in(version),
    )
    if refused is None:
        return
    if refused.code == "wrong_transition":
        raise Conflict(refused.says, code=refused.code, state=version.state)
    raise Forbidden(refused.says, code=refused.code, roles=sorted(refused.roles))


def _move(version: Version, wanted: VersionState, person: Person) -> None:
    now = clock.now()
    approved = wanted is VersionState.APPROVED
    version.state, version.changed_by, version.changed_at = wanted.value, person.id, now
    version.approved_by, version.approved_at = (person.id, now) if approved else (None, None)


async def _require_approvable(session: TenantSession, version: Version, take: Take) -> dict[str, object]:
    """Return what an approval relies on, for the ledger. Raises Conflict with everything that is missing."""
    consulted = await _consultations(session, version)
    standing = Standing(
        circled=take.circled,
        open_holds=await _open_holds(session, version),
        consulted=frozenset(each.role for each in consulted),
    )
    required = await required_consultations(
        session,
        tenant_id=version.tenant_id,
        production_id=version.production_id,
        generation_id=version.generation_id,
    )
    missing = missing_for_approval(standing, required)
    if missing:
        raise Conflict(
            missing[0][1],
            code="not_approvable",
            missing=[{"code": code, "says": says} for code, says in missing],
        )
    file = await session.get(MediaFile, take.media_id)
    return {
        "media": str(take.media_id),
        "sha256": file.sha256 if file else None,
        "consultations": [str(each.id) for each in consulted if each.role in required],
    }


async def _consultations(session: TenantSession, version: Version) -> list[Consultation]:
    """Return the consultations that speak for a version: about it, about its shot, or about the whole production."""
    about_shot = Consultation.shot_id == version.shot_id if version.shot_id else Consultation.id.is_(None)
    whole = Consultation.shot_id.is_(None) & Consultation.version_id.is_(None)
    return list(
        await session.scalars(
            select(Consultation)
            .where(
                Consultation.tenant_id == version.tenant_id,
                Consultation.production_id == version.production_id,
                or_(
                    Consultation.version_id == version.id,
                    about_shot & Consultation.version_id.is_(None),
                    whole,
                ),
            )
            .order_by(Consultation.created_at)
        )
    )


async def _open_holds(session: TenantSession, version: Version) -> int:
    """Count what of the version's take, or of its whole generation, waits for a person."""
    found = await session.scalar(
        select(func.count())
        .select_from(Hold)
        .where(
            Hold.tenant_id == version.tenant_id,
            Hold.generation_id == version.generation_id,
            Hold.state == "open",
            or_(Hold.take_id.is_(None), Hold.take_id == version.take_id),
        )
    )
    return found or 0
