"""Retry: a take that ended without a result is made again as a new take that says whose retry it is."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from circletake.domain.availability import refusal
from circletake.domain.controls import SEED_MAX, SEED_MIN
from circletake.domain.errors import Conflict, Invalid
from circletake.domain.people import Actor
from circletake.domain.takes import RETRIABLE, TakeState, generation_state
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.generations import Generation, Take
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import announce_take
from circletake.usecases.choice.cards import card_of
from circletake.usecases.effective_take import TakeView, controls_of, kind_of
from circletake.usecases.end_take import one_take
from circletake.usecases.enforce_consistency import running_enforcement
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_take
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.reservations import budget_hold, reserve_takes
from circletake.usecases.permission.gate import depicted, gate_take
from circletake.usecases.permission.open_holds import hold_takes, open_hold, queue_takes
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.permission.screening import Screening, screening_needed
from circletake.usecases.policy.ask_again import require_allowed_again
from circletake.usecases.steps import lock_generation, lock_takes
from circletake.usecases.take_steps import screen_step

MAX_TAKES_WITH_RETRIES = 200


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
        new_take_id = new_id()
        row: dict[str, Any] = {
            "id": new_take_id,
            "tenant_id": tenant_id,
            "created_at": now,
            "generation_id": generation.id,
            "number": max(take.number for take in takes) + 1,
            "state": TakeState.QUEUED.value,
            "seed": _new_seed(old),
            "retry_of": old.id,
            **({"changes": old.changes} if old.changes else {}),
            "estimate_usd": old.estimate_usd,
            "circled": False,
            "rejected": False,
            "cancel_requested": False,
        }
        await session.execute(insert(Take).values(row))
        take = (await session.scalars(select(Take).where(Take.id == new_take_id))).one()
        takes.append(take)
        generation.state = generation_state(TakeState(each.state) for each in takes).value
        generation.finished_at = None
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
                "seed": row["seed"],
            },
        )
        await session.flush()
        await _queue_or_hold(session, catalogue, seal, generation, takes, take, now)
        reply = answer(TakeView(generation, take))
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def _queue_or_hold(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    take: Take,
    now: datetime,
) -> None:
    """A retry passes the gate like a request: without its consents it is refused, else it may have to wait."""
    passage = await gate_take(session, generation, take, at=now)
    if passage.missing is not None:
        raise consent_required(passage.missing)
    screening = await _screening(session, generation, take)
    if screening.outcome == "needed":
        await session.execute(insert(Step).values(screen_step(generation.tenant_id, generation.id)))
    if passage.new is not None:
        await open_hold(session, seal, generation, takes, passage.new)
    elif screening.hold is not None:
        await open_hold(session, seal, generation, takes, screening.hold)
    elif passage.held:
        await hold_takes(session, generation, takes, [take])
    else:
        room = await reserve_takes(session, generation, [take])
        if not room.room:
            await open_hold(session, seal, generation, takes, budget_hold(room), take_id=take.id)
            return
        await queue_takes(session, catalogue, generation, [take], now=now)
        await session.flush()
        await announce_take(session, generation, take, "take.queued")


async def _screening(session: TenantSession, generation: Generation, take: Take) -> Screening:
    """A take that was canceled before anybody had looked at its pictures isn't made without that."""
    return await screening_needed(
        session,
        tenant_id=generation.tenant_id,
        kind=kind_of(generation, take),
        inputs=await inputs_of(session, generation, take),
        characters=depicted(generation.depicts),
        controls=controls_of(generation, take),
        generation_id=generation.id,
    )


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
    if old.state == TakeState.FILTERED:
        return secrets.randbelow(SEED_MAX - SEED_MIN + 1) + SEED_MIN
    return old.seed
