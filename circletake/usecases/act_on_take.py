"""People's choices: a take is circled, uncircled or rejected. Every act stays on record."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import insert

from circletake.domain.errors import Conflict
from circletake.domain.people import Actor, Role
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.generations import Take, TakeAct
from circletake.records.session import Database
from circletake.usecases.announce_take import announce_take
from circletake.usecases.effective_take import TakeView
from circletake.usecases.end_take import one_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.exposure.limits import check_circle
from circletake.usecases.find_generations import find_take
from circletake.usecases.ledger import record_entry
from circletake.usecases.review.approvals import forbid_while_approved
from circletake.usecases.review.authorship import record_selection
from circletake.usecases.steps import lock_generation, lock_takes

EVENTS = {"circle": "take.circled", "uncircle": "take.uncircled", "reject": "take.rejected"}


async def act_on_take(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    take_id: UUID,
    act: str,
    reason: str | None,
    roles: Collection[Role] = (),
) -> TakeView:
    """Circle, uncircle or reject a succeeded take. Circling lifts a rejection and the other way round; an act
    that changes nothing is answered with the take as it is. `roles` are the person's: past a limit on exposure that
    holds, an approver has to circle. Raises NotFound or Conflict."""
    async with database.tenant(tenant_id) as session:
        found = await find_take(session, tenant_id, take_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        take = one_take(await lock_takes(session, tenant_id, generation.id), take_id)
        if take.state != TakeState.SUCCEEDED:
            raise Conflict(
                f"This take is {take.state}; only a succeeded take can be circled or rejected.",
                code="take_not_succeeded",
            )
        circled, rejected = _after(act, take)
        if (circled, rejected) == (take.circled, take.rejected):
            return TakeView(generation, take)
        if not circled:
            await forbid_while_approved(session, take)
        elif not take.circled:
            await check_circle(session, generation=generation, take=take, roles=roles)
        take.circled, take.rejected = circled, rejected
        take.circled_by = actor.person_id if circled else None
        act_id = new_id()
        await session.execute(
            insert(TakeAct).values(
                id=act_id,
                tenant_id=tenant_id,
                take_id=take.id,
                act=act,
                reason=None if reason is None else seal.close(reason, place=f"take_acts.reason:{act_id}"),
                api_key_id=actor.api_key_id,
                person_id=actor.person_id,
            )
        )
        if circled and actor.person_id is not None:
            await record_selection(session, generation, take, person_id=actor.person_id, act_id=act_id)
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind=EVENTS[act],
            subject_id=take.id,
            body={
                "generation": str(generation.id),
                "act": str(act_id),
                **actor.for_ledger(),
                "reason_hash": seal.keyed_hash(reason.encode()) if reason else None,
            },
        )
        await session.flush()
        await announce_take(session, generation, take, EVENTS[act])
        await wake_dispatcher(session)
        return TakeView(generation, take)


def _after(act: str, take: Take) -> tuple[bool, bool]:
    """Return (circled, rejected) after an act."""
    if act == "circle":
        return True, False
    if act == "reject":
        return False, True
    return False, take.rejected
