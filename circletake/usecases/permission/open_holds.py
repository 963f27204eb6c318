"""Holds as rows: opened, lifted when their cause is gone, and what they kept queued again. The caller holds the
locks of the generation and its takes, and wakes the dispatcher."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, insert, select, text

from circletake.domain.kinds import Billed
from circletake.domain.people import PLATFORM, Actor
from circletake.domain.permission.holds import HoldState, NewHold, first_reason
from circletake.domain.takes import TakeState, generation_state
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.consistency import Enforcement
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.holds import Hold
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import announce_take
from circletake.usecases.choice.cards import card_of
from circletake.usecases.events import record_event
from circletake.usecases.generation_events import event_data
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.reservations import budget_hold, give_back_takes, reserve_takes
from circletake.usecases.paid_calls import paid_so_far
from circletake.usecases.take_steps import expiry_step, first_step

_END_STEPS = text(
    """
    with ended as (
        update steps set state = 'done', finished_at = now(), trouble = 'held'
        where tenant_id = :tenant and take_id = any(:takes) and state in ('ready', 'rung', 'running')
          and id is distinct from :but returning id)
    delete from step_leases where step_id in (select id from ended)
    """
).bindparams(bindparam("takes", type_=ARRAY(Uuid())), bindparam("but", type_=Uuid()))


def hold_row(
    generation: Generation, new: NewHold, *, take_id: UUID | None = None, at: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": generation.tenant_id,
        "created_at": at,
        "production_id": generation.production_id,
        "generation_id": generation.id,
        "take_id": take_id,
        "reason": new.reason.value,
        "lines": [{"rule": line.rule, "says": line.says} for line in new.lines],
        "details": dict(new.details),
        "released_by": sorted(role.value for role in new.roles),
        "state": HoldState.OPEN.value,
        "requested_by": generation.requested_by,
        "requested_by_person": generation.requested_by_person,
    }


def ledger_body(row: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """What the ledger keeps of a hold's opening or end."""
    return {
        "generation": str(row["generation_id"]),
        "take": str(row["take_id"]) if row["take_id"] else None,
        "reason": row["reason"],
        "rules": [line["rule"] for line in row["lines"]],
        **by.for_ledger(),
    }


def hold_data(generation: Generation, row: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of a hold: ids, rules and the roles of those who may release it."""
    return event_data(
        generation,
        hold_id=str(row["id"]),
        take_id=str(row["take_id"]) if row["take_id"] else None,
        reason=row["reason"],
        rules=[line["rule"] for line in row["lines"]],
        released_by=list(row["released_by"]),
        state=row["state"],
    )


def as_row(hold: Hold) -> dict[str, Any]:
    return {column.key: getattr(hold, column.key) for column in Hold.__table__.columns}


async def open_holds_of(session: TenantSession, generation: Generation) -> list[Hold]:
    return list(
        await session.scalars(
            select(Hold)
            .where(
                Hold.tenant_id == generation.tenant_id,
                Hold.generation_id == generation.id,
                Hold.state == HoldState.OPEN.value,
            )
            .order_by(Hold.id)
        )
    )


def keeps(hold: Hold, take: Take) -> bool:
    return hold.take_id is None or hold.take_id == take.id


def _waits_for(holds: Sequence[Hold], take: Take) -> str | None:
    reason = first_reason(hold.reason for hold in holds if keeps(hold, take))
    return reason.value if reason else None


async def open_hold(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: Sequence[Take],
    new: NewHold,
    *,
    take_id: UUID | None = None,
    but: UUID | None = None,
) -> None:
    """Hold the generation, or one take of it: what waits for a model becomes `held`, and its step ends, but for the
    step that the caller ends itself.

    A take that is with a model goes on to its next gate. The same reason is opened once.
    """
    held = await open_holds_of(session, generation)
    same = [each for each in held if each.reason == new.reason.value and each.take_id in {None, take_id}]
    if not same:
        row = hold_row(generation, new, take_id=take_id, at=clock.now())
        await session.execute(insert(Hold).values(row))
        if generation.deadline_at is not None:
            await session.execute(
                insert(Step).values(expiry_step(generation.tenant_id, generation.id, generation.deadline_at))
            )
        await record_entry(
            session,
            seal,
            tenant_id=generation.tenant_id,
            kind="hold.opened",
            subject_id=row["id"],
            body=ledger_body(row, PLATFORM),
        )
        await record_event(
            session,
            generation.tenant_id,
            "hold.opened",
            hold_data(generation, row),
            generation_id=generation.id,
        )
    waiting = [
        take for take in takes if take.state == TakeState.QUEUED and (take_id is None or take.id == take_id)
    ]
    await hold_takes(session, generation, takes, waiting, but=but)


async def hold_takes(
    session: TenantSession,
    generation: Generation,
    takes: Sequence[Take],
    which: Collection[Take],
    *,
    but: UUID | None = None,
) -> None:
    """Make these takes `held`: the holds are on record. What was reserved for them is free again.

    A step that a worker has claimed and not begun loses its fence, so that a release can't run the take twice.
    """
    holds = await open_holds_of(session, generation)
    for take in which:
        take.state = TakeState.HELD.value
        take.hold_reason = _waits_for(holds, take)
    # a call that was paid keeps its reservation: its result waits, its cost stands
    unpaid = [take for take in which if await paid_so_far(session, take.id) is Billed.FALSE]
    await give_back_takes(session, generation, unpaid)
    if which:
        await session.execute(
            _END_STEPS, {"tenant": generation.tenant_id, "takes": [take.id for take in which], "but": but}
        )
    before = generation.state
    generation.state = generation_state([TakeState(take.state) for take in takes]).value
    await session.flush()
    if generation.state != before and generation.state == TakeState.HELD:
        await record_event(
            session,
            generation.tenant_id,
            "generation.held",
            event_data(generation, state=generation.state),
            generation_id=generation.id,
        )


async def end_hold(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    hold: Hold,
    state: HoldState,
    by: Actor = PLATFORM,
    *,
    note: str | None = None,
) -> None:
    """Record that a hold was released, declined or lifted, by whom."""
    hold.state = state.value
    hold.decided_by = by.person_id
    hold.decided_at = clock.now()
    if note is not None:
        hold.note = seal.close(note, place=f"holds.note:{hold.id}")
    await record_entry(
        session,
        seal,
        tenant_id=hold.tenant_id,
        kind=f"hold.{state.value}",
        subject_id=hold.id,
        body={
            **ledger_body(as_row(hold), by),
            "note_hash": seal.keyed_hash(note.encode()) if note else None,
        },
    )
    await session.flush()
    await record_event(
        session,
        generation.tenant_id,
        f"hold.{state.value}",
        hold_data(generation, as_row(hold)),
        generation_id=generation.id,
    )


async def resume_takes(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    generation: Generation,
    takes: Sequence[Take],
) -> None:
    """Queue what no open hold keeps any more, each take once. Where the budget has no room it is held for that."""
    holds = await open_holds_of(session, generation)
    free = [
        take
        for take in takes
        if take.state == TakeState.HELD and not any(keeps(hold, take) for hold in holds)
    ]
    for take in takes:
        if take.state == TakeState.HELD and take not in free:
            take.hold_reason = _waits_for(holds, take)
    if not free:
        await session.flush()
        return
    answer = await reserve_takes(session, generation, free)
    if not answer.room:
        await _hold_for_budget(session, seal, generation, free, budget_hold(answer))
        return
    await queue_takes(session, catalogue, generation, free)
    generation.state = generation_state([TakeState(take.state) for take in takes]).value
    await session.flush()
    for take in free:
        await announce_take(session, generation, take, "take.queued")


async def _hold_for_budget(
    session: TenantSession, seal: Seal, generation: Generation, takes: Sequence[Take], new: NewHold
) -> None:
    for take in takes:
        await open_hold(session, seal, generation, takes, new, take_id=take.id)
        take.hold_reason = new.reason.value
    await session.flush()


async def queue_takes(
    session: TenantSession,
    catalogue: ModelCatalogue,
    generation: Generation,
    takes: Sequence[Take],
    *,
    now: datetime | None = None,
    screened: bool = False,
) -> None:
    """Give each take its next step: its finish when a model's result is there already, else its first. While the
    generation's pictures are still to be looked at they wait for the end of that, which says `screened`.

    `now`: a deadline that has passed by then isn't kept: a retry that is asked for after it is meant.
    """
    results = await session.execute(
        select(Invocation.take_id, Invocation.id).where(
            Invocation.tenant_id == generation.tenant_id,
            Invocation.take_id.in_([take.id for take in takes]),
            Invocation.result_key.is_not(None),
        )
    )
    answered = {row.take_id: row.id for row in results}
    waits = not screened and await _being_screened(session, generation)
    deadline = await _deadline(session, generation)
    if now is not None and deadline is not None and deadline <= now:
        deadline = None
    for take in takes:
        take.state = TakeState.QUEUED.value
        take.hold_reason = None
        if take.id in answered:
            step: dict[str, Any] = {
                "id": new_id(),
                "tenant_id": generation.tenant_id,
                "kind": "finish",
                "lane": "finish",
                "generation_id": generation.id,
                "take_id": take.id,
                "subject_id": answered[take.id],
                "priority": 1,
            }
        else:
            if waits:
                continue
            card = await card_of(session, catalogue, generation, take)
            if card is None:
                raise LookupError("the model of this take is no longer in the catalogue")
            step = first_step(generation, take.id, take.changes, card.id, card.mode, deadline)
        await session.execute(insert(Step).values(step))


async def _being_screened(session: TenantSession, generation: Generation) -> bool:
    """Whether a step that looks at the generation's pictures hasn't ended. A dead one has opened a hold instead."""
    found = await session.scalar(
        select(Step.id)
        .where(
            Step.tenant_id == generation.tenant_id,
            Step.generation_id == generation.id,
            Step.kind == "screen",
            Step.state.in_(("ready", "rung", "running")),
        )
        .limit(1)
    )
    return found is not None


async def _deadline(session: TenantSession, generation: Generation) -> datetime | None:
    """The generation's own, or that of the enforcement at work on it, whichever comes first."""
    of_enforcement = await session.scalar(
        select(func.min(Enforcement.deadline_at)).where(
            Enforcement.tenant_id == generation.tenant_id,
            Enforcement.generation_id == generation.id,
            Enforcement.state == "running",
        )
    )
    return min((each for each in (generation.deadline_at, of_enforcement) if each), default=None)


async def lift_idle_holds(
    session: TenantSession, seal: Seal, generation: Generation, takes: Sequence[Take]
) -> None:
    """Lift the holds that keep nothing any more: what they were about was canceled or has expired."""
    for hold in await open_holds_of(session, generation):
        if not any(take.state == TakeState.HELD and keeps(hold, take) for take in takes):
            await end_hold(session, seal, generation, hold, HoldState.LIFTED)
