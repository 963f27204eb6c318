"""A held request's deadline: what a person hasn't decided by then expires, and costs nothing."""

from circletake.domain.kinds import Billed
from circletake.domain.takes import TakeState
from circletake.usecases.end_take import Ending, end_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.paid_calls import paid_so_far
from circletake.usecases.permission.open_holds import lift_idle_holds
from circletake.usecases.steps import ClaimedStep, end_step
from circletake.usecases.take_work import lock_take
from circletake.usecases.tools import Tools

_EXPIRED = Ending(
    TakeState.EXPIRED, Billed.FALSE, "expired", "Its deadline passed while it waited for a person."
)


async def expire_held(tools: Tools, step: ClaimedStep) -> None:
    """Run an `expire` step. What a model was paid for goes on waiting: its result is there."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        generation, takes = await lock_take(session, step)
        for take in list(takes):
            if take.state == TakeState.HELD and await paid_so_far(session, take.id) is Billed.FALSE:
                await end_take(session, tenant.seal, generation, takes, take, _EXPIRED)
        await lift_idle_holds(session, tenant.seal, generation, takes)
        await end_step(session, step)
        await wake_dispatcher(session)
