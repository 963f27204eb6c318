"""Stage 2, gate and record: everything a generation is, in one transaction, before the 202 leaves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.exc import IntegrityError

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.people import Actor
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.choice import ModelChoice
from circletake.records.context import Production
from circletake.records.language import AiText
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.choose_model import ProductionModels
from circletake.usecases.events import record_event
from circletake.usecases.finish_circled import require_still_circled
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
from circletake.usecases.language.ai_text import with_ai_text
from circletake.usecases.money.budgets import reserve
from circletake.usecases.money.reservations import budget_hold
from circletake.usecases.permission.gate_request import GateAsked, Permit, gate_request
from circletake.usecases.plan_enforcement import EnforcementPlan
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation
from circletake.usecases.record_generations import record_generations

_OWN = and_(Production.tenant_id == bindparam("of_tenant"), Production.id == bindparam("production"))
# The production, and whether there is anything to read of what most have none of: no more is asked then.
_CONTEXT = (
    Production,
    exists()
    .where(
        ModelChoice.tenant_id == bindparam("of_tenant"),
        ModelChoice.production_id == bindparam("production"),
        ModelChoice.superseded_at.is_(None),
    )
    .label("has_choices"),
    exists().where(AiText.tenant_id == bindparam("of_tenant")).label("has_ai_texts"),
)
_LOOK = LOOK.add_columns(*_CONTEXT).outerjoin(Production, _OWN)  # all in one round trip
_PRODUCTION = select(*_CONTEXT).where(_OWN)


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
        values = {"of_tenant": tenant_id, "production": request.production_id}
        found: Any
        if claim is None:
            found = (await session.execute(_PRODUCTION, values)).one_or_none()
        else:
            looked = (await session.execute(_LOOK, {**look_values(tenant_id, claim), **values})).one()
            remembered = replayed(seal, claim, looked)
            if remembered is not None:
                return remembered
            found = looked
        if request.finish_of is not None:
            await require_still_circled(session, tenant_id, request.finish_of)
        if found is None or found.has_ai_texts:
            [request] = await with_ai_text(session, seal, tenant_id, [request])
        plan = await plan_generation(
            session,
            catalogue,
            tenant_id,
            request,
            now=now,
            production=found.Production if found else None,
            models=ProductionModels() if found and not found.has_choices else None,
        )
        enforcing = await plan_consistency(session, catalogue, rules, request, plan, now=now)
        permit = await gate_request(
            session,
            seal,
            packs,
            tenant_id=tenant_id,
            asked=gate_asked(request, plan, enforcing),
            now=now,
        )
        permit = await _with_room(session, tenant_id, request, plan, permit)
        rows = generation_rows(seal, tenant_id, actor, request, plan, permit, now)
        if enforcing is not None:
            rows = with_enforcement(seal, tenant_id, actor, rows, enforcing, now)
        reply = answer(rows.view(request))
        remembers = [] if claim is None else [answer_row(seal, tenant_id, claim, reply)]
        await _record(session, tenant_id, rows, remembers)
        for event_type, data in permit.events:
            await record_event(session, tenant_id, event_type, data)
    return reply


def gate_asked(request: GenerationRequest, plan: Plan, enforcing: EnforcementPlan | None) -> GateAsked:
    """A planned request as the gate asks about it."""
    if enforcing is None:
        return GateAsked(request, plan)
    judged = [each.character_id for each in enforcing.request.subjects]
    return GateAsked(request, plan, judged, enforcing.ladder.cards)


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


async def _record(
    session: TenantSession, tenant_id: UUID, rows: GenerationRows, remembers: Sequence[dict[str, Any]]
) -> None:
    try:
        await record_generations(session, tenant_id, [rows], remembers)
    except IntegrityError as error:
        if remembers and "idempotency_keys" in str(error.orig):
            raise in_flight() from error
        raise
