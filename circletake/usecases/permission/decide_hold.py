"""A person releases or declines a hold. Never their own request, and a release runs what it kept once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict, Forbidden, NotFound, invalid
from circletake.domain.kinds import Billed
from circletake.domain.people import Actor, Role
from circletake.domain.permission.holds import HoldReason, HoldState
from circletake.domain.takes import TakeState
from circletake.ports import ModelCatalogue, Seal
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, Take
from circletake.records.holds import Hold
from circletake.records.session import Database, TenantSession
from circletake.usecases.effective_take import kind_of
from circletake.usecases.end_take import Ending, end_take
from circletake.usecases.enforce_consistency import end_by_hand, running_enforcement
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.permission.clear_faces import FaceDecision, clear_faces
from circletake.usecases.permission.consent_gate import permission_for
from circletake.usecases.permission.gate import depicted, use_in
from circletake.usecases.permission.open_holds import (
    end_hold,
    keeps,
    lift_idle_holds,
    open_holds_of,
    resume_takes,
)
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.steps import lock_generation, lock_takes


async def decide_hold(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    roles: frozenset[Role],
    hold_id: UUID,
    decision: HoldState,
    note: str | None,
    now: datetime,
    faces: Sequence[FaceDecision] = (),
) -> Hold:
    """Release or decline. The same decision again is answered with the hold as it is. `faces`: who is to be seen in a
    hold for an undeclared likeness; a character that is named there needs its consents like one that was declared.

    Raises NotFound, Forbidden for the requester and for people without a role that the hold asks for, Conflict when
    it was decided otherwise, or when its cause still stands (consent_required, labour_action, budget_exhausted).
    """
    async with database.tenant(tenant_id) as session:
        found = await find_hold(session, tenant_id, hold_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        takes = await lock_takes(session, tenant_id, generation.id)
        hold = await find_hold(session, tenant_id, hold_id)
        _require_allowed(hold, actor, roles)
        if hold.state == decision:
            return hold
        if hold.state != HoldState.OPEN:
            raise Conflict(f"This hold was {hold.state} already.", code="hold_decided", state=hold.state)
        if decision is HoldState.RELEASED:
            await _require_cause_gone(session, generation, takes, hold, now)
            await _remember_faces(session, seal, generation, hold, actor, note, faces)
            if hold.reason == HoldReason.UNDECLARED_LIKENESS:
                await _require_consents(session, generation, takes, hold, now)
        await end_hold(session, seal, generation, hold, decision, actor, note=note)
        if decision is HoldState.RELEASED:
            await resume_takes(session, catalogue, seal, generation, takes)
            await _require_room(session, generation, hold)
        else:
            await _cancel_kept(session, seal, generation, takes, hold)
        await wake_dispatcher(session)
        return hold


async def _remember_faces(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    hold: Hold,
    actor: Actor,
    note: str | None,
    said: Sequence[FaceDecision],
) -> None:
    if hold.reason == HoldReason.UNDECLARED_LIKENESS:
        await clear_faces(session, seal, generation, hold, by=actor, note=note, said=said)
    elif said:
        raise invalid("/faces", "not_expected", "This hold isn't about faces: leave them out.")


async def find_hold(session: TenantSession, tenant_id: UUID, hold_id: UUID) -> Hold:
    hold = await session.scalar(select(Hold).where(Hold.tenant_id == tenant_id, Hold.id == hold_id))
    if hold is None:
        raise NotFound("hold")
    return hold


def _require_allowed(hold: Hold, actor: Actor, roles: frozenset[Role]) -> None:
    if not roles.intersection(hold.released_by):
        raise Forbidden(
            f"This hold is decided by: {', '.join(hold.released_by)}.",
            code="missing_role",
            roles=list(hold.released_by),
        )
    if actor.person_id is None:
        raise Forbidden("A person has to decide this: sign in.", code="person_required")
    if actor.person_id == hold.requested_by_person:
        raise Forbidden("You made this request: somebody else has to decide its holds.", code="own_request")


async def _require_cause_gone(
    session: TenantSession, generation: Generation, takes: Sequence[Take], hold: Hold, now: datetime
) -> None:
    """Some causes no person can wave away: they have to be gone."""
    production = await session.get_one(Production, generation.production_id)
    if hold.reason == HoldReason.LABOUR_ACTION and production.labour_action_since is not None:
        raise Conflict(
            "The production's labour action goes on: end it with its switch, and everything held for it runs.",
            code="labour_action",
        )
    if hold.reason == HoldReason.AWAITING_CONSENT:
        await _require_consents(session, generation, takes, hold, now)


async def _require_consents(
    session: TenantSession, generation: Generation, takes: Sequence[Take], hold: Hold, now: datetime
) -> None:
    production = await session.get_one(Production, generation.production_id)
    shot = await session.get(Shot, generation.shot_id) if generation.shot_id else None
    kept = [take for take in takes if take.state == TakeState.HELD and keeps(hold, take)]
    for kind in sorted({kind_of(generation, take) for take in kept}):
        permission = await permission_for(
            session,
            tenant_id=generation.tenant_id,
            use=use_in(generation.use, production, shot, kind, now),
            characters=depicted(generation.depicts),
        )
        if permission.missing:
            raise consent_required(permission)


async def _require_room(session: TenantSession, generation: Generation, hold: Hold) -> None:
    """A budget's hold that comes back at once was released without room: nothing of it is kept."""
    if hold.reason != HoldReason.BUDGET:
        return
    again = [each for each in await open_holds_of(session, generation) if each.reason == HoldReason.BUDGET]
    if again:
        raise Conflict(
            again[0].lines[0]["says"],
            code="budget_exhausted",
            lines=[line["says"] for line in again[0].lines],
        )


async def _cancel_kept(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], hold: Hold
) -> None:
    """Declined: what it kept ends, at no cost unless a model had been paid before. An enforcement of what was declined
    as a whole ends too, or it would make the next attempt."""
    enforcement = await running_enforcement(session, generation) if hold.take_id is None else None
    if enforcement is not None:
        await end_by_hand(session, seal, generation, takes, enforcement)
    ending = Ending(
        TakeState.CANCELED, Billed.FALSE, "hold_declined", f"The hold `{hold.reason}` was declined."
    )
    for take in list(takes):
        if take.state == TakeState.HELD and keeps(hold, take):
            await end_take(session, seal, generation, takes, take, ending)
    await lift_idle_holds(session, seal, generation, takes)
