"""What a request would cost and how it would be sent: a dry run of the same checks. Nothing is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.pictures import ModelCard
from circletake.ports import ModelCatalogue
from circletake.records.session import Database
from circletake.usecases.money.budgets import BudgetAnswer, budget_room
from circletake.usecases.plan_enforcement import EnforcementPlan
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation

Purpose = Literal["takes", "more_takes", "judging"]


@dataclass(frozen=True, slots=True)
class Quoted:
    """The plan that a request would be accepted with, its enforcement's when it asks for one, and what the budgets
    would say. `prices`: every model that it may come to call, and for what."""

    plan: Plan
    enforcing: EnforcementPlan | None
    room: BudgetAnswer
    prices: Sequence[tuple[ModelCard, Purpose]]


async def quote_generation(
    database: Database,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> Quoted:
    """Price a request. Raises Invalid, exactly as the request would."""
    async with database.tenant(tenant_id) as session:
        plan = await plan_generation(session, catalogue, tenant_id, request, now=now)
        enforcing = await plan_consistency(session, catalogue, rules, request, plan, now=now)
        room = await budget_room(
            session,
            tenant_id=tenant_id,
            production_id=request.production_id,
            shot_id=request.shot_id,
            amount=plan.quote.total,
        )
    return Quoted(plan, enforcing, room, _prices(catalogue, rules, plan, enforcing))


def _prices(
    catalogue: ModelCatalogue, rules: JudgingRules, plan: Plan, enforcing: EnforcementPlan | None
) -> list[tuple[ModelCard, Purpose]]:
    asked: dict[tuple[str, Purpose], None] = {(plan.card.id, "takes"): None}
    if enforcing is not None:
        asked |= {(rung.step.model, "more_takes"): None for rung in enforcing.ladder.rungs}
        judges = [model for each, model in rules.models.items() if str(each) in enforcing.rules.evaluators]
        opinion = enforcing.rules.second_opinion
        asked |= {(model, "judging"): None for model in (*judges, *([opinion] if opinion else []))}
    found = ((catalogue.get(model), purpose) for model, purpose in asked)
    return [(card, purpose) for card, purpose in found if card is not None]
