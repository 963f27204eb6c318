"""Retry: a take that ended without a result is made again as a new take that says whose retry it is."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from circletake.domain.availability import refusal
from circletake.domain.errors import Conflict, Invalid
from circletake.domain.people import Actor
from circletake.domain.takes import RETRIABLE, TakeState
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.generations import Take
from circletake.records.session import Database
from circletake.usecases.choice.another_take import (
    MAX_TAKES_WITH_RETRIES,
    add_take,
    fresh_seed,
    queue_or_hold,
)
from circletake.usecases.choice.cards import card_of
from circletake.usecases.effective_take import TakeView, kind_of
from circletake.usecases.end_take import one_take
from circletake.usecases.enforce_consistency import running_enforcement
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_take
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.ask_again import require_allowed_again
from circletake.usecases.steps import lock_generation, lock_takes


async def retry_take(
    database: Database,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    take_id: UUID,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[TakeView], Answer],
) -> Answer:
    """Add the new take and its step. Raises NotFound, Conflict when the take can't be retried or the production's packs
    speak against it, Invalid when its model has ended meanwhile."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        found = await find_take(session, tenant_id, take_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        takes = await lock_takes(session, tenant_id, generation.id)
        old = one_take(takes, take_id)
        _require_retriable(old, takes)
        if await running_enforcement(session, generation) is not None:
            raise Conflict(
                "An enforcement is at work on this generation and makes takes by itself: wait for its end, or"
                " cancel it.",
                code="enforcement_running",
            )
        card = await card_of(session, catalogue, generation, old)
        refused = refusal(card, kind_of(generation, old), now.date()) if card else None
        if card is None or refused is not None:
            raise Invalid([refused] if refused else [], code="model_ended")
        await require_allowed_again(session, seal, packs, generation=generation, cards=[card], take_id=old.id)
        take = await add_take(
            session,
            generation,
            takes,
            old,
            seed=_new_seed(old),
            changes=old.changes,
            estimate=old.estimate_usd,
            now=now,
        )
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="take.retried",
            subject_id=take.id,
            body={
                "generation": str(generation.id),
                "retry_of": str(old.id),
                "requested_by": str(actor.api_key_id) if actor.api_key_id else None,
                "requested_by_person": str(actor.person_id) if actor.person_id else None,
                "seed": take.seed,
            },
        )
        await queue_or_hold(session, catalogue, seal, generation, takes, take, now=now, asked=True)
        reply = answer(TakeView(generation, take))
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


def _require_retriable(old: Take, takes: list[Take]) -> None:
    if old.state not in RETRIABLE:
        raise Conflict(
            f"This take is {old.state}; only a failed, filtered, canceled or expired take can be retried.",
            code="take_not_retriable",
        )
    if len(takes) >= MAX_TAKES_WITH_RETRIES:
        raise Conflict("This generation has too many takes: make a new generation.", code="too_many_takes")


def _new_seed(old: Take) -> int | None:
    """A filtered take would be filtered again with the same seed; a failed one keeps its own."""
    if old.seed is None:
        return None
    return fresh_seed() if old.state == TakeState.FILTERED else old.seed
