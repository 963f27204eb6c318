"""Accept an enforcement on a generation that is there already, and cancel one."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.errors import Conflict, Invalid, NotFound, invalid
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.people import Actor
from circletake.domain.takes import TERMINAL, TakeState
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.consistency import Enforcement, EnforcementAttempt
from circletake.records.context import Shot
from circletake.records.events import LedgerEntry
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.records.together import insert_together
from circletake.usecases.announce_take import settle_generation
from circletake.usecases.attempt_values import at_most
from circletake.usecases.cancel_takes import cancel_open_takes
from circletake.usecases.choice.cards import at_its_quality, card_kept
from circletake.usecases.enforce_consistency import advance, end_by_hand, queue_judging
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.permission.consent_gate import permission_for
from circletake.usecases.permission.gate import depicted, use_in
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.plan_enforcement import (
    Enforced,
    EnforcementPlan,
    EnforcementRequest,
    enforcement_rows,
    plan_enforcement,
)
from circletake.usecases.policy.ask_again import require_allowed_again
from circletake.usecases.sealed_text import open_text
from circletake.usecases.steps import lock_generation, lock_takes


async def request_enforcement(
    database: Database,
    rules: JudgingRules,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    generation_id: UUID,
    request: EnforcementRequest,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[Enforcement], Answer],
) -> Answer:
    """Have a generation's takes judged and made again until one passes. Its takes so far are attempts too.

    Raises Refused when it isn't accepted; then nothing has been written.
    """
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        known = await session.scalar(
            select(Generation.id).where(Generation.tenant_id == tenant_id, Generation.id == generation_id)
        )
        if known is None:
            raise invalid("/generation_id", "unknown_generation", "There is no such generation.")
        generation = await lock_generation(session, tenant_id, generation_id)
        takes = await lock_takes(session, tenant_id, generation_id)
        await _require_free(session, generation)
        enforced = await _enforced(session, catalogue, seal, generation, takes)
        plan = await plan_enforcement(session, rules, catalogue, request=request, enforced=enforced, now=now)
        await require_allowed_again(session, seal, packs, generation=generation, cards=plan.ladder.cards)
        await _depict(session, generation, plan, now)
        row, rows, entries = enforcement_rows(
            seal,
            plan,
            tenant_id=tenant_id,
            generation_id=generation_id,
            take_ids=[take.id for take in sorted(takes, key=lambda take: take.number)],
            actor=actor,
            now=now,
        )
        await insert_together(session, *rows, (LedgerEntry, entries))
        enforcement = await session.get_one(Enforcement, row["id"])
        await _begin(session, seal, generation, takes, enforcement)
        reply = answer(enforcement)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def _depict(
    session: TenantSession, generation: Generation, plan: EnforcementPlan, now: datetime
) -> None:
    """Whom takes have to show, they depict: from here on their consents are asked for. Raises Conflict
    `consent_required`."""
    known = depicted(generation.depicts)
    wanted = dict.fromkeys(each.character_id for each in plan.request.subjects)
    more = [each for each in wanted if each not in known]
    if not more:
        return
    shot = await session.get(Shot, generation.shot_id) if generation.shot_id else None
    use = use_in(generation.use, plan.check.production, shot, Kind(generation.kind), now)
    permission = await permission_for(
        session, tenant_id=generation.tenant_id, use=use, characters=[*known, *more]
    )
    if permission.missing:
        raise consent_required(permission)
    lines = [{"character": str(each), "look": None, "how": "consistency"} for each in more]
    generation.depicts = [*generation.depicts, *lines]
    await session.flush()


async def _require_free(session: TenantSession, generation: Generation) -> None:
    there = await session.scalar(
        select(Enforcement.id).where(
            Enforcement.tenant_id == generation.tenant_id, Enforcement.generation_id == generation.id
        )
    )
    if there is not None:
        raise Conflict(
            "This generation has an enforcement already: make a new generation for another one.",
            code="enforcement_exists",
            enforcement_id=str(there),
        )


async def _enforced(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
) -> Enforced:
    kept = await card_kept(
        session, catalogue, generation.tenant_id, generation.model_lock_id, generation.model_id
    )
    if kept is None:
        raise Invalid([], code="model_ended")
    card = at_its_quality(catalogue, generation, Kind(generation.kind), kept)
    inputs = await session.execute(
        select(GenerationInput.slot, MediaFile)
        .join(MediaFile, MediaFile.id == GenerationInput.media_id)
        .where(GenerationInput.generation_id == generation.id)
    )
    return Enforced(
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        kind=Kind(generation.kind),
        card=card,
        prompt=open_text(seal, generation.prompt, f"generations.prompt:{generation.id}"),
        negative_prompt=open_text(
            seal, generation.negative_prompt, f"generations.negative_prompt:{generation.id}"
        ),
        search_prompt=open_text(seal, generation.search_prompt, f"generations.search_prompt:{generation.id}"),
        controls=generation.controls,
        inputs={InputSlot(slot): file for slot, file in inputs},
        strict=generation.strict,
        takes=len(takes),
        spent=sum((at_most(take) for take in takes), Decimal(0)),
        generation_id=generation.id,
    )


async def _begin(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], enforcement: Enforcement
) -> None:
    """Have what is there judged; when nothing of it can be, go on at once."""
    for take in takes:
        if take.state == TakeState.SUCCEEDED:
            await queue_judging(session, enforcement, generation, take)
    if all(take.state in TERMINAL and take.state != TakeState.SUCCEEDED for take in takes):
        await advance(session, seal, generation, takes, enforcement)
    await settle_generation(session, generation, takes, enforced=enforcement.state == "running")


async def cancel_enforcement(database: Database, seal: Seal, tenant_id: UUID, enforcement_id: UUID) -> None:
    """Stop it: what waits ends at once, what is with a model is asked to stop, nothing more is judged or made.

    Doing it twice is no error. Raises NotFound, Conflict `enforcement_ended`.
    """
    async with database.tenant(tenant_id) as session:
        found = await session.scalar(
            select(Enforcement).where(Enforcement.tenant_id == tenant_id, Enforcement.id == enforcement_id)
        )
        if found is None:
            raise NotFound("enforcement")
        session.expunge_all()
        generation = await lock_generation(session, tenant_id, found.generation_id)
        takes = await lock_takes(session, tenant_id, found.generation_id)
        enforcement = await session.get_one(Enforcement, enforcement_id)
        if enforcement.state == "canceled":
            return
        if enforcement.state != "running":
            raise Conflict("This enforcement has ended already.", code="enforcement_ended")
        own = set(
            await session.scalars(
                select(EnforcementAttempt.take_id).where(EnforcementAttempt.enforcement_id == enforcement_id)
            )
        )
        await end_by_hand(session, seal, generation, takes, enforcement)
        quiet = all(take.state in TERMINAL for take in takes)
        await cancel_open_takes(session, seal, generation, takes, only=own)
        if quiet:  # nothing else kept the generation from its end
            await settle_generation(session, generation, takes)
        await wake_dispatcher(session)
