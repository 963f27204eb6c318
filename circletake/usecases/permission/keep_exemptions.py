"""Exemptions: a person states, with the reason in writing, that an alteration of a recording needs no consent.

They stand beside the consents, never in their place for a replica: see `exempts`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import Invalid, NotFound, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import ExemptionReason
from circletake.domain.pictures import Violation
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Shot
from circletake.records.performers import ConsentExemption, Portrayal
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_characters import find_character
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_performers import Position
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class ExemptionView:
    exemption: ConsentExemption
    explanation: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewExemption:
    """What a person states. Without shots it holds for every shot of the production."""

    performer_id: UUID
    kinds: Collection[str]
    shot_ids: Collection[UUID]
    reason: ExemptionReason
    explanation: str = field(repr=False)
    until: date


def _place(exemption_id: UUID) -> str:
    return f"consent_exemptions.explanation:{exemption_id}"


def exemption_view(seal: Seal, exemption: ConsentExemption) -> ExemptionView:
    opened = open_text(seal, exemption.explanation, _place(exemption.id))
    return ExemptionView(exemption, opened or "")


async def record_exemption(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    character_id: UUID,
    stated: NewExemption,
    claim: IdempotencyClaim | None,
    answer: Callable[[ExemptionView], Answer],
) -> Answer:
    """Put an exemption on record, from now on. Raises NotFound, or Invalid for a performer who doesn't portray the
    character or a shot that isn't in its production."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        character = await find_character(session, tenant_id, character_id, lock="share")
        await _check(session, tenant_id, character_id, character.production_id, stated)
        exemption = ConsentExemption(
            id=new_id(),
            tenant_id=tenant_id,
            production_id=character.production_id,
            character_id=character_id,
            performer_id=stated.performer_id,
            kinds=sorted(stated.kinds),
            shot_ids=sorted(stated.shot_ids),
            reason=stated.reason.value,
            until=stated.until,
            recorded_at=clock.now(),
            recorded_by=actor.person_id,
        )
        exemption.explanation = seal.close(stated.explanation, place=_place(exemption.id))
        session.add(exemption)
        await session.flush()
        await _record(session, seal, actor, exemption, "exemption.recorded")
        reply = answer(exemption_view(seal, exemption))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def end_exemption(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, exemption_id: UUID
) -> ExemptionView:
    """Take an exemption back; an ended one is returned as it is. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        exemption = await _find(session, tenant_id, exemption_id, lock=True)
        if exemption.ended_at is None:
            exemption.ended_at, exemption.ended_by = clock.now(), actor.person_id
            await _record(session, seal, actor, exemption, "exemption.ended")
        return exemption_view(seal, exemption)


async def get_exemption(database: Database, seal: Seal, tenant_id: UUID, exemption_id: UUID) -> ExemptionView:
    async with database.tenant(tenant_id) as session:
        return exemption_view(seal, await _find(session, tenant_id, exemption_id))


async def list_exemptions(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    character_id: UUID | None = None,
) -> Sequence[ConsentExemption]:
    """Return a production's exemptions, newest first, ended ones too; explanations stay sealed. Raises NotFound."""
    query = select(ConsentExemption).where(
        ConsentExemption.tenant_id == tenant_id, ConsentExemption.production_id == production_id
    )
    if character_id is not None:
        query = query.where(ConsentExemption.character_id == character_id)
    if before is not None:
        query = query.where(tuple_(ConsentExemption.created_at, ConsentExemption.id) < before)
    query = query.order_by(ConsentExemption.created_at.desc(), ConsentExemption.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query))


async def _find(
    session: TenantSession, tenant_id: UUID, exemption_id: UUID, *, lock: bool = False
) -> ConsentExemption:
    query = select(ConsentExemption).where(
        ConsentExemption.tenant_id == tenant_id, ConsentExemption.id == exemption_id
    )
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("exemption")
    return found


async def _check(
    session: TenantSession, tenant_id: UUID, character_id: UUID, production_id: UUID, stated: NewExemption
) -> None:
    portrays = await session.scalar(
        select(Portrayal.id).where(
            Portrayal.tenant_id == tenant_id,
            Portrayal.character_id == character_id,
            Portrayal.performer_id == stated.performer_id,
            Portrayal.ended_at.is_(None),
        )
    )
    if portrays is None:
        raise invalid("/performer_id", "unknown_performer", "No such performer stands for this character.")
    known = set(
        await session.scalars(
            select(Shot.id).where(
                Shot.tenant_id == tenant_id,
                Shot.production_id == production_id,
                Shot.id.in_(stated.shot_ids),
            )
        )
    )
    unknown = [
        Violation(f"/shot_ids/{index}", "unknown_shot", "There is no such shot in this production.")
        for index, each in enumerate(stated.shot_ids)
        if each not in known
    ]
    if unknown:
        raise Invalid(unknown[:20])


async def _record(
    session: TenantSession, seal: Seal, actor: Actor, exemption: ConsentExemption, kind: str
) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=exemption.tenant_id,
        kind=kind,
        subject_id=exemption.id,
        body={
            "character": str(exemption.character_id),
            "performer": str(exemption.performer_id),
            "kinds": list(exemption.kinds),
            "shots": [str(each) for each in exemption.shot_ids],
            "reason": exemption.reason,
            "explanation_hash": seal.keyed_hash(exemption_view(seal, exemption).explanation.encode()),
            "until": exemption.until.isoformat(),
            **actor.for_ledger(),
        },
    )
