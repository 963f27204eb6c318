"""What a production's packs say of a request, and what is kept of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from circletake.domain.errors import Conflict
from circletake.domain.policy.evaluate import Evaluation, evaluate
from circletake.domain.policy.facts import Facts, stored
from circletake.domain.policy.packs import Outcome, Pack, PackReference
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.policies import PackSignature, PolicyPack, ProductionPack
from circletake.records.session import TenantSession
from circletake.usecases.policy.stored_packs import standing, text_place


@dataclass(frozen=True, slots=True)
class Consulted:
    """The packs that a production goes by now, read once for all requests of it."""

    packs: Sequence[Pack] = ()
    waiting: Sequence[PackReference] = ()  # chosen, and not signed as they stand

    def say(self, facts: Facts) -> Evaluation:
        """Ask the packs. Without any there is no rule."""
        if not self.packs and not self.waiting:
            return Evaluation(Outcome.NO_RULE_HIT, (), ())
        return evaluate(self.packs, facts, not_active=self.waiting)


async def evaluate_policies(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    tenant_id: UUID,
    production: Production,
    facts: Facts,
) -> Evaluation:
    """Ask the packs that the production chose and counsel signed. One query, and a second one when a text of theirs
    hasn't been read by this process yet."""
    consulted = await read_packs(session, seal, packs, tenant_id=tenant_id, production=production)
    return consulted.say(facts)


async def read_packs(
    session: TenantSession, seal: Seal, packs: PolicyShelf, *, tenant_id: UUID, production: Production
) -> Consulted:
    """Read the packs that the production chose and counsel signed."""
    rows = await session.execute(
        select(PolicyPack.id, PolicyPack.pack_id, PolicyPack.version, PolicyPack.sha256, PackSignature.sha256)
        .join(
            ProductionPack,
            and_(
                ProductionPack.tenant_id == PolicyPack.tenant_id,
                ProductionPack.policy_pack_id == PolicyPack.id,
            ),
        )
        .outerjoin(PackSignature, standing())
        .where(
            ProductionPack.tenant_id == tenant_id,
            ProductionPack.production_id == production.id,
            ProductionPack.dropped_at.is_(None),
        )
        .order_by(PolicyPack.pack_id)
    )
    active: dict[UUID, str] = {}
    waiting: list[PackReference] = []
    for row_id, pack_id, version, sha256, signed in rows:
        if signed == sha256:
            active[row_id] = sha256
        else:
            waiting.append(PackReference(pack_id, version, sha256))
    return Consulted(await _read(session, seal, packs, tenant_id, active) if active else (), waiting)


async def _read(
    session: TenantSession, seal: Seal, shelf: PolicyShelf, tenant_id: UUID, active: dict[UUID, str]
) -> list[Pack]:
    known = {row_id: shelf.known(sha256) for row_id, sha256 in active.items()}
    unread = [row_id for row_id, pack in known.items() if pack is None]
    if unread:
        texts = await session.execute(
            select(PolicyPack.id, PolicyPack.text).where(
                PolicyPack.tenant_id == tenant_id, PolicyPack.id.in_(unread)
            )
        )
        known |= {row_id: shelf.keep(seal.open(text, place=text_place(row_id))) for row_id, text in texts}
    return [pack for pack in known.values() if pack is not None]


def evaluation_row(
    *, tenant_id: UUID, production_id: UUID, generation_id: UUID, evaluation: Evaluation, facts: Facts
) -> dict[str, Any]:
    """Return what was evaluated as the row of `policy_evaluations` that freezes it."""
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "production_id": production_id,
        "generation_id": generation_id,
        "outcome": evaluation.outcome.value,
        "hits": [hit.stored() for hit in evaluation.hits],
        "packs": [pack.stored() for pack in evaluation.packs],
        "not_active": [pack.stored() for pack in evaluation.not_active],
        "facts": stored(facts),
    }


def prohibited(evaluation: Evaluation) -> Conflict:
    """409 `policy_prohibited`: every rule that forbids the request, and the sentence that says why."""
    hits = evaluation.of(Outcome.PROHIBITED)
    return Conflict(
        hits[0].says,
        code="policy_prohibited",
        rules=[hit.told() for hit in hits],
    )


def notice_data(evaluation: Evaluation) -> dict[str, Any]:
    """Return what the event `policy.notified` says beside what every event of a generation does: ids only."""
    return {"rules": [hit.name for hit in evaluation.of(Outcome.NOTIFY)]}
