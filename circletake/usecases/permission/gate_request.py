"""The gate at the request: rights, consents, policies, exposure and labour action, before anything is written.

What is forbidden is refused here; what needs a person is accepted and held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from circletake.domain.permission.holds import NewHold
from circletake.ports import Seal
from circletake.records.session import TenantSession
from circletake.usecases.permission.consent_gate import depictions, permission_for
from circletake.usecases.permission.gate import LABOUR, relied_on, use_in
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.plan_generation import GenerationRequest, Plan


@dataclass(frozen=True, slots=True)
class Permit:
    """What a request that isn't refused is given: whom it depicts, what it relies on, what it waits for."""

    depicts: Sequence[Mapping[str, Any]]
    relied_on: Mapping[str, Any]
    holds: Sequence[NewHold] = ()
    screen: bool = False  # its pictures have to be looked at before its takes begin
    rows: Sequence[Any] = field(default=())  # what is recorded with it


async def gate_request(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    plan: Plan,
    judged: Sequence[UUID],
    now: datetime,
) -> Permit:
    """Say what a planned request may do. `judged`: the characters that an enforcement compares its takes with.

    Raises Conflict `consent_required`, `policy_prohibited` or `exposure_limit`; Invalid for what it names wrongly.
    """
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
    holds = []
    if plan.production.labour_action_since is not None:
        holds.append(LABOUR)
    return Permit(
        [
            {
                "character": str(each.character_id),
                "look": str(each.look_id) if each.look_id else None,
                "how": each.how,
            }
            for each in found
        ],
        relied_on(permission),
        holds,
    )
