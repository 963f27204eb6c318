"""What the packs said of a generation when it was accepted, with the sentences of the versions that said it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.policy.evaluate import Evaluation, Hit
from circletake.domain.policy.facts import Facts, from_stored
from circletake.domain.policy.packs import Outcome, Pack, PackReference, Requirement
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.policies import PolicyEvaluation, PolicyPack
from circletake.records.session import Database
from circletake.usecases.policy.stored_packs import pack_of


@dataclass(frozen=True, slots=True)
class FrozenEvaluation:
    evaluation: Evaluation
    facts: Facts
    evaluated_at: datetime


async def get_evaluation(
    database: Database, seal: Seal, shelf: PolicyShelf, tenant_id: UUID, generation_id: UUID
) -> FrozenEvaluation:
    """Return what was frozen with a generation. Raises NotFound, also for one that was accepted without packs."""
    async with database.tenant(tenant_id) as session:
        row = await session.scalar(
            select(PolicyEvaluation)
            .where(PolicyEvaluation.tenant_id == tenant_id, PolicyEvaluation.generation_id == generation_id)
            .order_by(PolicyEvaluation.created_at)
            .limit(1)
        )
        if row is None:
            raise NotFound("policy evaluation")
        asked = _references(row.packs)
        rows = await session.scalars(
            select(PolicyPack).where(
                PolicyPack.tenant_id == tenant_id,
                tuple_(PolicyPack.pack_id, PolicyPack.version).in_(
                    [(each.id, each.version) for each in asked]
                ),
            )
        )
        packs = {(each.pack_id, each.version): pack_of(shelf, seal, each) for each in rows}
    hits = tuple(_hit(stored, packs[stored["pack_id"], stored["version"]]) for stored in row.hits)
    evaluation = Evaluation(Outcome(row.outcome), hits, asked, _references(row.not_active))
    return FrozenEvaluation(evaluation, from_stored(row.facts), row.created_at)


def _references(stored: Sequence[Mapping[str, Any]]) -> tuple[PackReference, ...]:
    return tuple(PackReference(each["pack_id"], each["version"], each["sha256"]) for each in stored)


def _hit(stored: Mapping[str, Any], pack: Pack) -> Hit:
    """A hit with the words of its rule; what was missing is what was frozen."""
    rule = next(each for each in pack.rules if each.id == stored["rule"])
    return Hit(
        rule=rule.id,
        pack=pack.id,
        version=pack.version,
        outcome=rule.outcome,
        says=rule.says,
        source=rule.source,
        released_by=rule.released_by,
        requires=tuple(Requirement.of(each) for each in stored["requires"]),
    )
