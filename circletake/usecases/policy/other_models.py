"""Models that come into question after a request was accepted: an enforcement may not climb past the packs."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.facts import from_stored
from circletake.domain.policy.packs import Outcome
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.generations import Generation
from circletake.records.policies import PolicyEvaluation
from circletake.records.session import TenantSession
from circletake.usecases.policy.evaluate import evaluate_policies
from circletake.usecases.policy.facts_of import of_models


async def require_models_allowed(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    generation: Generation,
    cards: Collection[ModelCard],
) -> None:
    """Refuse models that make a rule hit which the generation wasn't held or cleared for. A generation that was
    accepted without packs is free of them.

    Raises Conflict `policy_prohibited` with the rules.
    """
    frozen = await _frozen(session, generation.tenant_id, generation.id)
    if frozen is None or not cards:
        return
    production = await session.get_one(Production, generation.production_id)
    facts = replace(from_stored(frozen.facts), **of_models(cards))
    evaluation = await evaluate_policies(
        session, seal, packs, tenant_id=generation.tenant_id, production=production, facts=facts
    )
    before = {(hit["pack_id"], hit["rule"]) for hit in frozen.hits}
    new = [
        hit
        for hit in evaluation.hits
        if hit.outcome.weight > Outcome.NOTIFY.weight and (hit.pack, hit.rule) not in before
    ]
    if new:
        raise Conflict(
            f"It might ask a model that a rule speaks against: give other `rungs` or `other_models`. {new[0].says}",
            code="policy_prohibited",
            rules=[hit.told() for hit in new],
        )


async def _frozen(session: TenantSession, tenant_id: UUID, generation_id: UUID) -> PolicyEvaluation | None:
    found: PolicyEvaluation | None = await session.scalar(
        select(PolicyEvaluation)
        .where(PolicyEvaluation.tenant_id == tenant_id, PolicyEvaluation.generation_id == generation_id)
        .order_by(PolicyEvaluation.created_at.desc())
        .limit(1)
    )
    return found
