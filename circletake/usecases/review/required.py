"""Which consultations a production's policy packs want before a version of a take is approved."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.policy.packs import Record
from circletake.records.policies import PolicyEvaluation, PolicyPack, ProductionPack
from circletake.records.session import TenantSession

_CONSULTATION = re.compile(rf"{Record.CONSULTATION.value}\((\w+)\)")


async def required_consultations(
    session: TenantSession, *, tenant_id: UUID, production_id: UUID, generation_id: UUID
) -> Sequence[str]:
    """Return the roles whose counsel the packs missed when the takes were asked for. Letting such a request run is one
    decision, approving what came of it another: by then the consultation is on record. A pack that the production has
    dropped since asks for nothing."""
    hits = await session.scalars(
        select(PolicyEvaluation.hits).where(
            PolicyEvaluation.tenant_id == tenant_id, PolicyEvaluation.generation_id == generation_id
        )
    )
    asked = [(hit["pack_id"], role) for found in hits for hit in found for role in _roles(hit)]
    if not asked:
        return ()
    chosen = set(
        await session.scalars(
            select(PolicyPack.pack_id)
            .join(
                ProductionPack,
                (ProductionPack.tenant_id == PolicyPack.tenant_id)
                & (ProductionPack.policy_pack_id == PolicyPack.id),
            )
            .where(
                ProductionPack.tenant_id == tenant_id,
                ProductionPack.production_id == production_id,
                ProductionPack.dropped_at.is_(None),
            )
        )
    )
    return tuple(dict.fromkeys(role for pack_id, role in asked if pack_id in chosen))


def _roles(hit: dict[str, Any]) -> list[str]:
    return [found[1] for each in hit.get("requires", ()) if (found := _CONSULTATION.fullmatch(each))]
