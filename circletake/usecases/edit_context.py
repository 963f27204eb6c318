"""Making and editing the film context. An edit names the version it was made from; codes are unique."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from circletake.domain.errors import Forbidden, Invalid, NotFound, invalid
from circletake.domain.people import Actor, Role
from circletake.domain.shots import CodeTaken, frame_violations
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Episode, Production, Sequence, Shot
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import (
    ShotView,
    find_episode,
    find_production,
    find_sequence,
    find_shot,
    notes_place,
    shot_view,
)
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.language.written_text import ai_text_used
from circletake.usecases.ledger import record_entry
from circletake.usecases.sealed_text import open_text

UNIQUE_VIOLATION = "23505"

Context = Production | Episode | Sequence | Shot
# Given the version that a row has now; raises PreconditionFailed when the edit was made from another one.
Expect = Callable[[int], None]
# What an edit gives, by column; None clears. Columns that aren't given stay as they are.
Values = Mapping[str, Any]


async def create_production(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[Production], Answer],
) -> Answer:
    """Make a production. Raises CodeTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        production = Production(id=new_id(), tenant_id=tenant_id, **values)
        session.add(production)
        await _write(session, "production")
        reply = answer(production)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_production(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    roles: frozenset[Role],
    production_id: UUID,
    values: Values,
    expect: Expect,
) -> Production:
    """Change a production. Its owned-source mode is on the ledger, and a key can't end it.

    Raises NotFound, CodeTaken, Forbidden or what `expect` raises.
    """
    async with database.tenant(tenant_id) as session:
        production = await find_production(session, tenant_id, production_id)
        before = production.owned_source_only
        if before and values.get("owned_source_only") is False:
            _require_rights_person(actor, roles)
        await _change(session, production, values, expect)
        if production.owned_source_only != before:
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="production.owned_source",
                subject_id=production_id,
                body={"owned_source_only": production.owned_source_only, **actor.for_ledger()},
            )
        return production


def _require_rights_person(actor: Actor, roles: frozenset[Role]) -> None:
    needed = {Role.RIGHTS_CLEARANCE_MANAGER, Role.PRODUCTION_MANAGER}
    if actor.person_id is None:
        raise Forbidden(
            "To end owned-source mode is an act of a person, and a key is none: sign in.",
            code="person_required",
        )
    if not roles & needed:
        raise Forbidden(
            "To end owned-source mode takes a rights clearance manager or a production manager.",
            code="missing_role",
            roles=sorted(needed),
        )


async def create_episode(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[Episode], Answer],
) -> Answer:
    """Make an episode of a production. Raises NotFound or CodeTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await hold_production(session, tenant_id, production_id)
        episode = Episode(id=new_id(), tenant_id=tenant_id, production_id=production_id, **values)
        session.add(episode)
        await _write(session, "episode of this production")
        reply = answer(episode)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_episode(
    database: Database, *, tenant_id: UUID, episode_id: UUID, values: Values, expect: Expect
) -> Episode:
    """Change an episode. Raises NotFound, CodeTaken or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        episode = await find_episode(session, tenant_id, episode_id)
        await hold_production(session, tenant_id, episode.production_id)
        await _change(session, episode, values, expect)
        return episode


async def create_sequence(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[Sequence], Answer],
) -> Answer:
    """Make a sequence of a production, in an episode or not. Raises NotFound, Invalid or CodeTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await hold_production(session, tenant_id, production_id)
        await _check_episode(session, tenant_id, production_id, values.get("episode_id"))
        sequence = Sequence(id=new_id(), tenant_id=tenant_id, production_id=production_id, **values)
        session.add(sequence)
        await _write(session, "sequence of this production")
        reply = answer(sequence)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_sequence(
    database: Database, *, tenant_id: UUID, sequence_id: UUID, values: Values, expect: Expect
) -> Sequence:
    """Change a sequence. Raises NotFound, Invalid, CodeTaken or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        sequence = await find_sequence(session, tenant_id, sequence_id)
        await hold_production(session, tenant_id, sequence.production_id)
        await _check_episode(session, tenant_id, sequence.production_id, values.get("episode_id"))
        await _change(session, sequence, values, expect)
        return sequence


async def create_shot(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    values: Values,
    claim: IdempotencyClaim | None,
    answer: Callable[[ShotView], Answer],
) -> Answer:
    """Make a shot of a production; `values["notes"]` in clear. Raises NotFound, Invalid or CodeTaken."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await hold_production(session, tenant_id, production_id)
        await _check_sequence(session, tenant_id, production_id, values.get("sequence_id"))
        _check_frames(values.get("frame_in"), values.get("frame_out"))
        shot_id = new_id()
        row = _with_sealed_notes(seal, shot_id, values)
        shot = Shot(id=shot_id, tenant_id=tenant_id, production_id=production_id, **row)
        session.add(shot)
        await _write(session, "shot of this production")
        notes = values.get("notes")
        reply = answer(ShotView(shot, notes, await ai_text_used(session, seal, tenant_id, notes)))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_shot(
    database: Database, seal: Seal, *, tenant_id: UUID, shot_id: UUID, values: Values, expect: Expect
) -> ShotView:
    """Change a shot; `values["notes"]` in clear. Raises NotFound, Invalid, CodeTaken or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        shot = await find_shot(session, tenant_id, shot_id)
        await hold_production(session, tenant_id, shot.production_id)
        await _lock(session, shot)
        expect(shot.version)
        await _check_sequence(session, tenant_id, shot.production_id, values.get("sequence_id"))
        _check_frames(values.get("frame_in", shot.frame_in), values.get("frame_out", shot.frame_out))
        if "notes" in values and values["notes"] == open_text(seal, shot.notes, notes_place(shot.id)):
            values = {name: value for name, value in values.items() if name != "notes"}
        await _change(session, shot, _with_sealed_notes(seal, shot_id, values), expect)
        return await shot_view(session, seal, shot)


async def hold_production(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    """Wait for an import into this production, and keep the next one waiting. Raises NotFound.

    Taken before any row of the production is written, so that no two transactions wait for each other.
    """
    held = await session.scalar(
        select(Production.id)
        .where(Production.tenant_id == tenant_id, Production.id == production_id)
        .with_for_update(read=True, key_share=True)
    )
    if held is None:
        raise NotFound("production")


async def _check_episode(
    session: TenantSession, tenant_id: UUID, production_id: UUID, episode_id: UUID | None
) -> None:
    """Raise Invalid unless the episode is of this production."""
    if episode_id is None:
        return
    found = await session.scalar(
        select(Episode.id).where(
            Episode.tenant_id == tenant_id,
            Episode.production_id == production_id,
            Episode.id == episode_id,
        )
    )
    if found is None:
        raise invalid("/episode_id", "unknown_episode", "There is no such episode in this production.")


async def _check_sequence(
    session: TenantSession, tenant_id: UUID, production_id: UUID, sequence_id: UUID | None
) -> None:
    """Raise Invalid unless the sequence is of this production."""
    if sequence_id is None:
        return
    found = await session.scalar(
        select(Sequence.id).where(
            Sequence.tenant_id == tenant_id,
            Sequence.production_id == production_id,
            Sequence.id == sequence_id,
        )
    )
    if found is None:
        raise invalid("/sequence_id", "unknown_sequence", "There is no such sequence in this production.")


def _check_frames(frame_in: int | None, frame_out: int | None) -> None:
    found = list(frame_violations(frame_in, frame_out))
    if found:
        raise Invalid(found)


def _with_sealed_notes(seal: Seal, shot_id: UUID, values: Values) -> Values:
    notes = values.get("notes")
    if notes is None:
        return values
    return {**values, "notes": seal.close(notes, place=notes_place(shot_id))}


async def _change(session: TenantSession, record: Context, values: Values, expect: Expect) -> None:
    """Set what differs, under the row's lock; the version counts edits that changed something."""
    await _lock(session, record)
    expect(record.version)
    changes = {name: value for name, value in values.items() if getattr(record, name) != value}
    if not changes:
        return
    for name, value in changes.items():
        setattr(record, name, value)
    record.version += 1
    await _write(session, record.__tablename__.removesuffix("s"))


async def _lock(session: TenantSession, record: Context) -> None:
    """Lock the row and read it as it is now."""
    kind = type(record)
    await session.execute(
        select(kind)
        .where(kind.tenant_id == record.tenant_id, kind.id == record.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def _write(session: TenantSession, what: str) -> None:
    """Send the rows to the database; the only unique values that a caller chooses are codes."""
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise CodeTaken(what) from None
        raise
