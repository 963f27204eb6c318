"""Cancel: what waits ends at once; what is with a model is asked to stop, and is paid if it was accepted."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select, update

from circletake.domain.errors import Conflict
from circletake.domain.kinds import Billed
from circletake.domain.takes import TERMINAL, TakeState
from circletake.ports import Seal
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import settle_generation
from circletake.usecases.effective_take import TakeView
from circletake.usecases.end_take import Ending, end_take, end_uncalled, one_take
from circletake.usecases.enforce_consistency import end_by_hand, running_enforcement
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_generation, find_take
from circletake.usecases.permission.open_holds import lift_idle_holds
from circletake.usecases.steps import lock_generation, lock_takes


async def cancel_take(database: Database, seal: Seal, tenant_id: UUID, take_id: UUID) -> TakeView:
    """Cancel one take. An enforcement at work goes on without it. Raises Conflict when it has ended already."""
    async with database.tenant(tenant_id) as session:
        found = await find_take(session, tenant_id, take_id)
        generation, takes = await _lock(session, tenant_id, found.generation_id)
        take = one_take(takes, take_id)
        if take.state in TERMINAL and take.state != TakeState.CANCELED:
            raise Conflict(f"This take has {take.state}: it can't be canceled.", code="take_ended")
        await _cancel(session, seal, generation, takes, take)
        await lift_idle_holds(session, seal, generation, takes)
        await wake_dispatcher(session)
        return TakeView(generation, take)


async def cancel_generation(database: Database, seal: Seal, tenant_id: UUID, generation_id: UUID) -> None:
    """Cancel every take of a generation that hasn't ended. Doing it twice is no error."""
    async with database.tenant(tenant_id) as session:
        await find_generation(session, tenant_id, generation_id)
        generation, takes = await _lock(session, tenant_id, generation_id)
        enforcement = await running_enforcement(session, generation)
        if enforcement is not None:
            await end_by_hand(session, seal, generation, takes, enforcement)
        quiet = all(take.state in TERMINAL for take in takes)
        await cancel_open_takes(session, seal, generation, takes)
        await lift_idle_holds(session, seal, generation, takes)
        if enforcement is not None and quiet:  # nothing else kept the generation from its end
            await settle_generation(session, generation, takes)
        await wake_dispatcher(session)


async def cancel_open_takes(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    only: Collection[UUID] | None = None,
) -> None:
    """Cancel the takes that haven't ended; the generation and they are locked. `only`: those of them."""
    chosen = [take for take in takes if only is None or take.id in only]
    await _cancel_uncalled(session, seal, generation, takes, chosen)
    for take in chosen:
        await _cancel(session, seal, generation, takes, take)


async def _cancel_uncalled(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], chosen: Collection[Take]
) -> None:
    """End what waits and never was with a model in a few statements. Where an enforcement is at work, each end decides
    what follows."""
    waiting = [take for take in chosen if take.state in {TakeState.QUEUED, TakeState.HELD}]
    if len(waiting) < 2 or await running_enforcement(session, generation) is not None:  # noqa: PLR2004
        return
    called = set(
        await session.scalars(
            select(Invocation.take_id).where(
                Invocation.tenant_id == generation.tenant_id,
                Invocation.take_id.in_([take.id for take in waiting]),
            )
        )
    )
    which = [take for take in waiting if take.id not in called]
    if not which:
        return
    for take in which:
        take.cancel_requested = True
    await end_uncalled(session, seal, generation, takes, which, _WAITED)
    await session.execute(
        update(Step)
        .where(
            Step.tenant_id == generation.tenant_id,
            Step.take_id.in_([take.id for take in which]),
            Step.state == "ready",
        )
        .values(state="done", finished_at=func.now(), trouble="canceled")
    )


_WAITED = Ending(TakeState.CANCELED, Billed.FALSE, "canceled", "Canceled while it waited for a model.")


async def _lock(
    session: TenantSession, tenant_id: UUID, generation_id: UUID
) -> tuple[Generation, list[Take]]:
    session.expunge_all()
    return (
        await lock_generation(session, tenant_id, generation_id),
        await lock_takes(session, tenant_id, generation_id),
    )


async def _cancel(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], take: Take
) -> None:
    if take.state in TERMINAL:
        return
    take.cancel_requested = True
    if take.state in {TakeState.QUEUED, TakeState.HELD}:
        # a step that was claimed in this moment finds the take ended, and ends itself
        await end_take(session, seal, generation, takes, take, _WAITED)
        await session.execute(
            update(Step)
            .where(Step.tenant_id == take.tenant_id, Step.take_id == take.id, Step.state == "ready")
            .values(state="done", finished_at=func.now(), trouble="canceled")
        )
    else:
        # whatever waits for its turn is run now, to find out: it calls no model any more, so no cap holds it up
        waiting = Step.tenant_id == take.tenant_id, Step.take_id == take.id
        await session.execute(
            update(Step).where(*waiting, Step.state == "external").values(run_at=func.now())
        )
        await session.execute(
            update(Step).where(*waiting, Step.state == "ready").values(run_at=func.now(), capped_by="")
        )
    await session.flush()
