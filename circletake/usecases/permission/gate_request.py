"""The gate at the request: rights, consents, policies, exposure and labour action, before anything is written.

What is forbidden is refused here; what needs a person is accepted and held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from circletake.domain.errors import Invalid
from circletake.domain.permission.holds import NewHold
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.evaluate import Evaluation
from circletake.domain.policy.facts import Facts
from circletake.domain.policy.packs import Outcome
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.session import TenantSession
from circletake.usecases.exposure.limits import exposure_gate
from circletake.usecases.permission.consent_gate import Depiction, depictions, permission_for
from circletake.usecases.permission.gate import LABOUR, relied_on, use_in
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.permission.rights import rights_records, rights_violations
from circletake.usecases.permission.screening import screening_needed
from circletake.usecases.plan_generation import GenerationRequest, Plan
from circletake.usecases.policy.evaluate import evaluate_policies, prohibited
from circletake.usecases.policy.facts_of import facts_of


@dataclass(frozen=True, slots=True)
class Policy:
    """What the production's packs say of the request, and what they looked at."""

    evaluation: Evaluation
    facts: Facts


@dataclass(frozen=True, slots=True)
class Permit:
    """What a request that isn't refused is given: whom it depicts, what it relies on, what it waits for."""

    depicts: Sequence[Depiction]
    relied_on: Mapping[str, Any]
    policy: Policy | None  # None: the production goes by no packs
    holds: Sequence[NewHold] = ()
    screen: bool = False  # its pictures have to be looked at before its takes begin

    @property
    def depicted(self) -> list[dict[str, Any]]:
        """What the generation's row keeps of whom it depicts."""
        return [
            {
                "character": str(each.character_id),
                "look": str(each.look_id) if each.look_id else None,
                "how": each.how,
            }
            for each in self.depicts
        ]


async def gate_request(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    plan: Plan,
    judged: Sequence[UUID],
    climbs_to: Sequence[ModelCard] = (),
    now: datetime,
) -> Permit:
    """Say what a planned request may do. `judged`: the characters that an enforcement compares its takes with;
    `climbs_to`: the models that it may ask.

    Raises Invalid for inputs without the rights for it and for what it names wrongly; Conflict `consent_required`,
    `policy_prohibited` or `exposure_limit`.
    """
    await _require_rights(session, tenant_id, request, plan, now)
    found = await depictions(
        session,
        seal,
        tenant_id=tenant_id,
        production_id=request.production_id,
        declared=request.depicts,
        consistency=judged,
        media_ids=[file.id for file in plan.inputs.values()],
        prompt=request.prompt,
    )
    characters = {each.character_id for each in found}
    permission = await permission_for(
        session,
        tenant_id=tenant_id,
        use=use_in(request.use.stored(), plan.production, plan.shot, request.kind, now),
        characters=characters,
    )
    if permission.missing:
        raise consent_required(permission)
    policy = await _policy(session, seal, packs, tenant_id, request, plan, characters, climbs_to)
    if policy is not None and policy.evaluation.outcome is Outcome.PROHIBITED:
        raise prohibited(policy.evaluation)
    holds = [] if policy is None else [*policy.evaluation.new_holds()]
    exposure = await exposure_gate(
        session,
        tenant_id=tenant_id,
        production=plan.production,
        shot=plan.shot,
        kind=request.kind,
        takes=request.takes,
    )
    holds += exposure.holds
    screening = await screening_needed(
        session,
        tenant_id=tenant_id,
        kind=request.kind,
        inputs=plan.inputs,
        characters=characters,
        controls=request.controls,
    )
    if screening.hold is not None:
        holds.append(screening.hold)
    if plan.production.labour_action_since is not None:
        holds.append(LABOUR)
    return Permit(found, relied_on(permission), policy, holds, screen=screening.outcome == "needed")


async def _require_rights(
    session: TenantSession, tenant_id: UUID, request: GenerationRequest, plan: Plan, now: datetime
) -> None:
    records = await rights_records(session, tenant_id, [file.id for file in plan.inputs.values()])
    today = now.astimezone(ZoneInfo(plan.production.time_zone)).date()
    violations = rights_violations(plan.production, request.kind, plan.inputs, records, today)
    if violations:
        raise Invalid(violations)


async def _policy(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    tenant_id: UUID,
    request: GenerationRequest,
    plan: Plan,
    characters: set[UUID],
    climbs_to: Sequence[ModelCard],
) -> Policy | None:
    if not await session.scalar(_HAS_PACKS, {"tenant": tenant_id, "production": plan.production.id}):
        return None
    facts = await facts_of(
        session,
        tenant_id=tenant_id,
        production=plan.production,
        shot=plan.shot,
        kind=request.kind,
        card=plan.card,
        climbs_to=climbs_to,
        takes=request.takes,
        prompt_given=request.prompt is not None,
        inputs=plan.inputs,
        use=request.use,
        characters=characters,
    )
    evaluation = await evaluate_policies(
        session, seal, packs, tenant_id=tenant_id, production=plan.production, facts=facts
    )
    return Policy(evaluation, facts)


_HAS_PACKS = text(
    """
    select exists (select from production_packs
                   where tenant_id = :tenant and production_id = :production and dropped_at is null)
    """
)
