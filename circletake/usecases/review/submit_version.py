"""Submit a circled take to review: it becomes the next version of its shot, or of its production's concept work."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select

from circletake.domain.errors import Conflict
from circletake.domain.people import Actor, Person
from circletake.domain.review.states import VersionState, version_name
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, Take
from circletake.records.review import Version
from circletake.records.session import Database, TenantSession
from circletake.usecases.end_take import one_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_take
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.notes import NewNote, announce_version, keep_note, note_hash
from circletake.usecases.steps import lock_generation, lock_takes


async def submit_version(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    take_id: UUID,
    state: VersionState,
    note: str | None,
    claim: IdempotencyClaim | None,
    answer: Callable[[Version], Answer],
) -> Answer:
    """Make a version of a circled take, `wfa` or `wip`. Raises NotFound, or Conflict: the take isn't circled, or has
    its version already."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        found = await find_take(session, tenant_id, take_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        take = one_take(await lock_takes(session, tenant_id, generation.id), take_id)
        await _require_submittable(session, take)
        version = _version(generation, take, person, state, await _next_number(session, generation))
        session.add(version)
        await session.flush()
        await keep_note(session, seal, version, person, NewNote(note), (None, state))
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="version.submitted",
            subject_id=version.id,
            body={
                "version": version_name(version.number),
                "take": str(take.id),
                "media": str(take.media_id),
                "state": state.value,
                "note_hash": note_hash(seal, note),
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        await announce_version(session, generation, version, "version.submitted", before=None)
        reply = answer(version)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def _require_submittable(session: TenantSession, take: Take) -> None:
    if not take.circled or take.media_id is None:
        raise Conflict(
            "Only a circled take is submitted to review: circle it first.", code="take_not_circled"
        )
    known = await session.scalar(
        select(Version.id).where(Version.tenant_id == take.tenant_id, Version.take_id == take.id)
    )
    if known is not None:
        raise Conflict(
            "This take has its version already: change that one's status.",
            code="version_exists",
            version_id=str(known),
        )


async def _next_number(session: TenantSession, generation: Generation) -> int:
    """Return the number after the last one given out. The shot's row, or the production's, is locked until the end,
    so that two submissions never get the same one; a generation that is being asked for isn't kept waiting."""
    tenant_id = generation.tenant_id
    if generation.shot_id is not None:
        owner = select(Shot.id).where(Shot.tenant_id == tenant_id, Shot.id == generation.shot_id)
        given = Version.shot_id == generation.shot_id
    else:
        owner = select(Production.id).where(
            Production.tenant_id == tenant_id, Production.id == generation.production_id
        )
        given = (Version.production_id == generation.production_id) & Version.shot_id.is_(None)
    await session.execute(owner.with_for_update(key_share=True))
    last = await session.scalar(select(func.max(Version.number)).where(Version.tenant_id == tenant_id, given))
    return (last or 0) + 1


def _version(generation: Generation, take: Take, person: Person, state: VersionState, number: int) -> Version:
    now = clock.now()
    return Version(
        id=new_id(),
        tenant_id=generation.tenant_id,
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        generation_id=generation.id,
        take_id=take.id,
        number=number,
        state=state.value,
        submitted_by=person.id,
        requested_by=generation.requested_by,
        requested_by_person=generation.requested_by_person,
        changed_by=person.id,
        changed_at=now,
        created_at=now,
    )
