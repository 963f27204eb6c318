"""What a worker needs to know to make a take: read once, when the step begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, or_, select, text
from sqlalchemy.orm.attributes import set_committed_value

from circletake.domain.choice.choices import Because
from circletake.domain.kinds import Billed, InputSlot, Kind
from circletake.domain.money.calls import TakeBill
from circletake.domain.pictures import ModelCard
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.batches.pause import rest_with_batch
from circletake.usecases.choice.cards import card_of
from circletake.usecases.choice.fall_back import StandIn, find_stand_in, make_instead, waited_enough
from circletake.usecases.effective_take import controls_of, kind_of
from circletake.usecases.end_take import Ending, Then, end_take, one_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.paid_calls import bill_so_far, paid_so_far
from circletake.usecases.permission.gate import Passage, gate_take
from circletake.usecases.permission.open_holds import hold_takes, open_hold
from circletake.usecases.sealed_text import open_text
from circletake.usecases.steps import ClaimedStep, FenceLost, end_step, lock_generation, lock_takes
from circletake.usecases.tools import TenantAtWork, Tools

# kinds of steps that run when the model has already accepted the call
AFTER_THE_CALL = frozenset({"poll", "finish"})


@dataclass(frozen=True, slots=True)
class TakeWork:
    """One take to be made. Rows are as they were at the beginning; nothing is locked any more.

    `card`, `kind`, `controls` and `inputs` are the take's own, where it differs from its generation.
    """

    step: ClaimedStep
    tenant: TenantAtWork
    card: ModelCard
    kind: Kind
    controls: Mapping[str, Any]
    generation: Generation
    take: Take
    shot_code: str | None
    inputs: Mapping[InputSlot, MediaFile]
    open_invocation: Invocation | None  # a call that began and whose end nobody recorded
    answered: Invocation | None  # the call whose result a `finish` step is about
    bill: TakeBill  # of its calls so far: one without an end may be paid
    prompt: str | None = field(repr=False)
    negative_prompt: str | None = field(repr=False)
    search_prompt: str | None = field(repr=False)

    @property
    def staging(self) -> str:
        """The generation's corner of the bucket for what isn't published."""
        return f"staging/{self.generation.production_id}/{self.generation.id}"


# One round trip: the fence is held, the take runs, and what else the step needs to know is read.
_BEGIN = text(
    """
    with held as (
        select s.take_id, g.id, g.shot_id from steps s join generations g on g.id = s.generation_id
        where s.tenant_id = :tenant and s.id = :step and s.fence = :fence and s.state = 'running'
        for update of s),
    running as (
        update takes t set state = 'running', started_at = coalesce(t.started_at, now())
        from held where t.id = held.take_id and t.state <> 'running' returning held.id, t.started_at),
    shown as (
        update generations g set state = 'running' from running where g.id = running.id)
    select (select started_at from running) as started_at,
           (select code from shots where id = held.shot_id) as shot_code,
           exists (select from generation_inputs i where i.generation_id = held.id) as has_inputs
    from held
    """
).bindparams(bindparam("fence", type_=BigInteger()))


async def begin_take(tools: Tools, step: ClaimedStep) -> TakeWork | None:
    """Make the take `running`. None: it was canceled, overdue or over already, and the step is ended."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        generation, takes = await lock_take(session, step)
        take = one_take(takes, step.take_id)
        invocations = await session.scalars(
            select(Invocation)
            .where(
                Invocation.take_id == take.id,
                or_(
                    Invocation.ended_at.is_(None),
                    Invocation.id == step.subject_id,
                    Invocation.billed != Billed.FALSE.value,
                ),
            )
            .order_by(Invocation.id.desc())
        )
        of_step = invocations.all()
        invocation = next((each for each in of_step if each.ended_at is None), None)
        ending = _ending_instead(step, take, invocation)
        if take.state in TERMINAL or ending is not None:
            if ending is not None and take.state not in TERMINAL:
                await end_take(session, tenant.seal, generation, takes, take, ending)
            await end_step(session, step)
            return None
        if step.kind != "poll":  # a look at a call that was accepted sends nothing
            passage = await gate_take(session, generation, take, at=clock.now())
            if passage.paused:
                await rest_with_batch(session, step, generation, take)
                return None
            if not passage.free:
                await _hold(session, tenant.seal, step, generation, takes, take, passage)
                await end_step(session, step, trouble="held")
                await wake_dispatcher(session)
                return None
        fence = {"tenant": step.tenant_id, "step": step.id, "fence": step.fence}
        held = (await session.execute(_BEGIN, fence)).one_or_none()
        if held is None:
            raise FenceLost
        if held.started_at is not None:
            set_committed_value(take, "state", TakeState.RUNNING.value)
            set_committed_value(take, "started_at", held.started_at)
            set_committed_value(generation, "state", TakeState.RUNNING.value)
        inputs = await inputs_of(session, generation, take) if held.has_inputs or take.changes else {}
        card = await card_of(session, tools.catalogue, generation, take)
    if card is None:
        raise LookupError("the model of this take is no longer in the catalogue")
    seal = tenant.seal
    return TakeWork(
        step=step,
        tenant=tenant,
        card=card,
        kind=kind_of(generation, take),
        controls=controls_of(generation, take),
        generation=generation,
        take=take,
        shot_code=held.shot_code,
        inputs=inputs,
        open_invocation=invocation,
        answered=next((each for each in of_step if each.id == step.subject_id), None),
        bill=bill_so_far(of_step, take.estimate_usd),
        prompt=open_text(seal, generation.prompt, f"generations.prompt:{generation.id}"),
        negative_prompt=open_text(
            seal, generation.negative_prompt, f"generations.negative_prompt:{generation.id}"
        ),
        search_prompt=open_text(seal, generation.search_prompt, f"generations.search_prompt:{generation.id}"),
    )


def _ending_instead(step: ClaimedStep, take: Take, invocation: Invocation | None) -> Ending | None:
    """Why the take ends here instead of being made, if it does. What was accepted before is paid all the same."""
    if take.cancel_requested:
        if step.kind in AFTER_THE_CALL:
            return Ending(
                TakeState.CANCELED, Billed.TRUE, "canceled", "Canceled after the model had accepted the call."
            )
        billed = Billed.FALSE if invocation is None else Billed.UNKNOWN
        return Ending(TakeState.CANCELED, billed, "canceled", "Canceled before the model answered.")
    not_begun = take.state == TakeState.QUEUED and take.started_at is None and invocation is None
    if step.overdue and not_begun:
        return Ending(TakeState.EXPIRED, Billed.FALSE, "expired", "Its deadline passed before it started.")
    return None


async def lock_take(session: TenantSession, step: ClaimedStep) -> tuple[Generation, list[Take]]:
    """Lock the generation and its takes, in the order that holds everywhere."""
    if step.generation_id is None:
        raise ValueError("this step belongs to no generation")
    generation = await lock_generation(session, step.tenant_id, step.generation_id)
    return generation, await lock_takes(session, step.tenant_id, step.generation_id)


async def _hold(
    session: TenantSession,
    seal: Seal,
    step: ClaimedStep,
    generation: Generation,
    takes: Sequence[Take],
    take: Take,
    passage: Passage,
    *,
    alone: bool = False,
) -> None:
    """The gate is shut for this take: it waits for a person. `alone`: the generation's other takes don't."""
    if passage.new is not None:
        only = take.id if alone else None
        await open_hold(session, seal, generation, takes, passage.new, take_id=only, but=step.id)
    if take.state in {TakeState.QUEUED, TakeState.RUNNING}:
        await hold_takes(session, generation, takes, [take], but=step.id)


async def hold_instead(tools: Tools, work: TakeWork, passage: Passage, *, alone: bool = False) -> None:
    """The gate shut after the step had begun: the take is held and the step ends, or rests while its batch is paused. A
    cancel that came meanwhile wins."""
    async with tools.database.tenant(work.step.tenant_id) as session:
        generation, takes = await lock_take(session, work.step)
        take = one_take(takes, work.take.id)
        ending = _ending_instead(work.step, take, work.open_invocation)
        if take.state not in TERMINAL:
            if ending is not None and take.cancel_requested:
                await end_take(session, work.tenant.seal, generation, takes, take, ending)
            elif passage.paused:
                await requeue_take(session, work.step, take.id)
                await rest_with_batch(session, work.step, generation, take)
                return
            else:
                await _hold(
                    session, work.tenant.seal, work.step, generation, takes, take, passage, alone=alone
                )
        await end_step(session, work.step, trouble="held")
        await wake_dispatcher(session)


async def finish_with(tools: Tools, work: TakeWork, ending: Ending) -> None:
    """End the take and its step. A cancel that came meanwhile wins, and keeps what was billed. Where the production has
    another model for this, that one makes a take instead."""
    seal = work.tenant.seal
    async with tools.database.tenant(work.step.tenant_id) as session:
        generation, takes = await lock_take(session, work.step)
        take = one_take(takes, work.take.id)
        if take.state not in TERMINAL:
            if take.cancel_requested:
                ending = Ending(
                    TakeState.CANCELED,
                    ending.billed,
                    "canceled",
                    "Canceled while the model was at work; a call that was accepted is paid.",
                )
            instead = await _stand_in(tools, session, seal, generation, takes, take, ending.because)
            then: Then | None = None
            if instead is not None:
                then = partial(
                    make_instead,
                    session,
                    tools.catalogue,
                    seal,
                    generation=generation,
                    takes=takes,
                    old=take,
                    stand_in=instead,
                )
            await end_take(session, seal, generation, takes, take, ending, then=then)
        await end_step(session, work.step, trouble=ending.code)


async def _stand_in(
    tools: Tools,
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: Sequence[Take],
    take: Take,
    because: Because | None,
) -> StandIn | None:
    if because is None:
        return None
    return await find_stand_in(
        session,
        tools.catalogue,
        tools.packs,
        seal,
        generation=generation,
        takes=takes,
        take=take,
        because=because,
    )


async def has_stand_in(tools: Tools, work: TakeWork) -> bool:
    """Whether a take whose model is busy has waited long enough, and another model of the production's may be asked."""
    async with tools.database.tenant(work.step.tenant_id) as session:
        if not await waited_enough(session, work.take, tools.patience):
            return False
        generation, takes = await lock_take(session, work.step)
        take = one_take(takes, work.take.id)
        if take.state in TERMINAL or take.cancel_requested:
            return False
        found = await _stand_in(tools, session, work.tenant.seal, generation, takes, take, Because.THROTTLE)
        return found is not None


async def requeue_take(session: TenantSession, step: ClaimedStep, take_id: UUID) -> None:
    """Show a take whose step is put off as waiting again, as if it had never begun, unless a call may have been paid:
    then it goes on running, so that it can neither expire nor be canceled as if it had cost nothing."""
    _, takes = await lock_take(session, step)
    take = one_take(takes, take_id)
    if take.state == TakeState.RUNNING and await paid_so_far(session, take_id) is Billed.FALSE:
        take.state = TakeState.QUEUED.value
        take.started_at = None
        await session.flush()
