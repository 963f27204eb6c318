"""Asking the packs again, for what a generation that was accepted is to make beside what was asked for: a retry, or
an enforcement that may climb to other models."""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.permission.holds import HoldReason, HoldState
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.declaration import UseDeclaration
from circletake.domain.policy.facts import Facts
from circletake.domain.policy.packs import Outcome
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, GenerationInput
from circletake.records.holds import Hold
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.policy.evaluate import evaluate_policies, prohibited
from circletake.usecases.policy.facts_of import facts_of


async def require_allowed_again(
    session: TenantSession,
    seal: Seal,
    packs: PolicyShelf,
    *,
    generation: Generation,
    cards: Collection[ModelCard],
    take_id: UUID | None = None,
) -> None:
    """Refuse what the production's packs, as they are now, say against takes of this generation by these models,
    beyond what people released for it or still have to; and all of it once a person has declined. `take_id`: the take
    that is made again.

    Raises Conflict `hold_declined`, `policy_prohibited` or `approval_needed`, the latter two with the rules.
    """
    holds = await _holds(session, generation)
    if any(hold.state == HoldState.DECLINED and hold.take_id in {None, take_id} for hold in holds):
        raise Conflict(
            "A person declined this: make a new generation, which is asked about anew.", code="hold_declined"
        )
    production = await session.get_one(Production, generation.production_id)
    facts = await _facts(session, generation, production, list(cards))
    found = await evaluate_policies(
        session, seal, packs, tenant_id=generation.tenant_id, production=production, facts=facts
    )
    if found.outcome is Outcome.PROHIBITED:
        raise prohibited(found)
    decided = _decided(holds)
    waiting = [hit for hit in found.of(Outcome.NEEDS_APPROVAL) if hit.name not in decided]
    if waiting:
        raise Conflict(
            f"A rule wants an approval that this generation doesn't have: {waiting[0].says} Make a new generation,"
            " or keep an enforcement to other `rungs` and `other_models`.",
            code="approval_needed",
            rules=[hit.told() for hit in waiting],
        )


async def _holds(session: TenantSession, generation: Generation) -> list[Hold]:
    found = await session.scalars(
        select(Hold).where(Hold.tenant_id == generation.tenant_id, Hold.generation_id == generation.id)
    )
    return list(found)


def _decided(holds: Iterable[Hold]) -> frozenset[str]:
    """The names of the rules that people released for all of it, or that hold all of it already."""
    stand = {HoldState.OPEN, HoldState.RELEASED}
    return frozenset(
        line["rule"]
        for hold in holds
        if hold.take_id is None and hold.reason == HoldReason.AWAITING_APPROVAL and hold.state in stand
        for line in hold.lines
    )


async def _facts(
    session: TenantSession, generation: Generation, production: Production, cards: list[ModelCard]
) -> Facts:
    shot = await session.get(Shot, generation.shot_id) if generation.shot_id else None
    inputs = await session.execute(
        select(GenerationInput.slot, MediaFile)
        .join(
            MediaFile,
            (MediaFile.tenant_id == GenerationInput.tenant_id) & (MediaFile.id == GenerationInput.media_id),
        )
        .where(
            GenerationInput.tenant_id == generation.tenant_id, GenerationInput.generation_id == generation.id
        )
    )
    return await facts_of(
        session,
        tenant_id=generation.tenant_id,
        production=production,
        shot=shot,
        kind=Kind(generation.kind),
        card=cards[0] if cards else None,
        climbs_to=cards[1:],
        prompt_given=generation.prompt is not None,
        inputs={InputSlot(slot): file for slot, file in inputs},
        use=UseDeclaration.of(generation.use),
        characters={UUID(each["character"]) for each in generation.depicts},
    )
