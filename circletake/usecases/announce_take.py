"""What is told of a take, and what its end means for its generation. The caller holds the generation's lock."""

from collections.abc import Sequence
from typing import Any

from circletake.domain.takes import TERMINAL, GenerationState, TakeState, generation_state
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event
from circletake.usecases.generation_events import event_data
from circletake.usecases.steps import add_step


async def announce_take(session: TenantSession, generation: Generation, take: Take, event_type: str) -> None:
    """Record an event about one take; ids and states only."""
    await record_event(
        session, generation.tenant_id, event_type, take_data(generation, take), generation_id=generation.id
    )


def take_data(generation: Generation, take: Take) -> dict[str, Any]:
    """What every event about a take carries."""
    return event_data(
        generation,
        take_id=str(take.id),
        take_number=take.number,
        state=take.state,
        code=take.failure_code,
        media_id=str(take.media_id) if take.media_id else None,
    )


async def settle_generation(
    session: TenantSession, generation: Generation, takes: Sequence[Take], *, enforced: bool = False
) -> None:
    """Derive the generation's state; when its last take has ended, have the contact sheet drawn.

    `enforced`: an enforcement is at work and may still make takes, so nothing is at its end yet.
    `generation.finished` is told by the step that draws the sheet, so that whoever hears it finds the sheet.
    """
    states = [TakeState(take.state) for take in takes]
    ended = all(each in TERMINAL for each in states)
    at_work = enforced and ended and generation.finished_at is None
    state = GenerationState.RUNNING if at_work else generation_state(states)
    if state.value != generation.state:
        generation.state = state.value
    if ended and not enforced and generation.finished_at is None:
        await add_step(
            session,
            generation.tenant_id,
            kind="sheet",
            lane="finish",
            generation_id=generation.id,
            priority=1,
        )
    await session.flush()
