"""Stage 2, gate and record: everything a generation is, in one transaction, before the 202 leaves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, insert
from sqlalchemy.exc import IntegrityError

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.people import Actor
from circletake.domain.policy.packs import Outcome
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.events import Event, IdempotencyRecord, LedgerEntry
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.holds import Hold
from circletake.records.policies import PolicyEvaluation
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together
from circletake.usecases.events import ENDPOINTS_ASKED, STEPS_CHANNEL, queue_deliveries, record_event
from circletake.usecases.finish_circled import require_still_circled
from circletake.usecases.generation_events import event_data
from circletake.usecases.generation_rows import (
    GenerationRows,
    GenerationView,
    generation_rows,
    with_enforcement,
)
from circletake.usecases.idempotency import (
    LOOK,
    Answer,
    IdempotencyClaim,
    answer_row,
    in_flight,
    look_values,
    replayed,
)
from circletake.usecases.money.budgets import reserve
from circletake.usecases.money.reservations import budget_hold
from circletake.usecases.permission.gate_request import Permit, gate_request
from circletake.usecases.permission.open_holds import hold_data
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation
from circletake.usecases.plan_ladder import ladder_models
from circletake.usecases.policy.evaluate import notice_data
from circletake.usecases.take_steps import expiry_step

_LOOK = LOOK.add_columns(Production).outerjoin(  # both in one round trip
    Production,
    and_(Production.tenant_id == bindparam("of_tenant"), Production.id == bindparam("production")),
)


async def request_generation(
    database: Database,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    packs: PolicyShelf,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    request: GenerationRequest,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[GenerationView], Answer],
) -> Answer:
    """Accept a request: T1. Raises Refused when it is not accepted; then nothing has been written.

    What needs a person first is accepted all the same, and held.
    """
    async with database.tenant(tenant_id) as session:
        production = None
        if claim is not None:
            values = {**look_values(tenant_id, claim), "production": request.production_id}
            found = (await session.execute(_LOOK, values)).one()
            remembered = replayed(seal, claim, found)
            if remembered is not None:
                return remembered
            production = found.Production
        if request.finish_of is not None:
            await require_still_circled(session, tenant_id, request.finish_of)
        plan = await plan_generation(session, catalogue, tenant_id, request, now=now, production=production)
        enforcing = await plan_consistency(session, catalogue, rules, request, plan, now=now)
        permit = await gate_request(
            session,
            seal,
            packs,
            tenant_id=tenant_id,
            request=request,
            plan=plan,
            judged=[] if enforcing is None else [each.character_id for each in enforcing.request.subjects],
            climbs_to=[] if enforcing is None else ladder_models(catalogue, enforcing.ladder),
            now=now,
        )
        permit = await _with_room(session, tenant_id, request, plan, permit)
        rows = generation_rows(seal, tenant_id, actor, request, plan, permit, now)
        if enforcing is not None:
            rows = with_enforcement(seal, tenant_id, actor, rows, enforcing, now)
        reply = answer(rows.view(request))
        remembers = [] if claim is None else [answer_row(seal, tenant_id, claim, reply)]
        await _record(session, tenant_id, rows, remembers)
        if permit.holds and request.deadline_at is not None:
            await session.execute(
                insert(Step).values(expiry_step(tenant_id, rows.record.id, request.deadline_at))
            )
        await _tell_notices(session, tenant_id, rows.record, permit)
    return reply


async def _with_room(
    session: TenantSession, tenant_id: UUID, request: GenerationRequest, plan: Plan, permit: Permit
) -> Permit:
    """Reserve what the takes may cost. What is held already reserves nothing until it is released."""
    if permit.holds:
        return permit
    room = await reserve(
        session,
        tenant_id=tenant_id,
        production_id=request.production_id,
        shot_id=request.shot_id,
        amount=plan.quote.total,
    )
    return permit if room.room else replace(permit, holds=[budget_hold(room)])


async def _tell_notices(
    session: TenantSession, tenant_id: UUID, generation: Generation, permit: Permit
) -> None:
    """What rules want told, without holding anything."""
    if permit.policy is not None and permit.policy.evaluation.of(Outcome.NOTIFY):
        await record_event(
            session,
            tenant_id,
            "policy.notified",
            event_data(generation, **notice_data(permit.policy.evaluation)),
            generation_id=generation.id,
        )


async def _record(
    session: TenantSession, tenant_id: UUID, rows: GenerationRows, remembers: Sequence[dict[str, Any]]
) -> None:
    try:
        written = await insert_together(
            session,
            (Generation, [rows.generation]),
            (GenerationInput, rows.inputs),
            (Take, rows.takes),
            (Step, rows.steps),
            *rows.enforcing,
            (Hold, rows.holds),
            (PolicyEvaluation, rows.evaluations),
            (LedgerEntry, [rows.entry, *rows.more_entries]),
            (Event, [rows.event]),
            (IdempotencyRecord, remembers),
            then=f"select {ENDPOINTS_ASKED}, pg_notify(:channel, '')",
            tenant_id=tenant_id,
            type=rows.event["type"],
            channel=STEPS_CHANNEL,
        )
    except IntegrityError as error:
        if remembers and "idempotency_keys" in str(error.orig):
            raise in_flight() from error
        raise
    await queue_deliveries(session, tenant_id, rows.event["id"], written.scalar_one())
    for row in rows.holds:
        await record_event(
            session, tenant_id, "hold.opened", hold_data(rows.record, row), generation_id=rows.record.id
        )
