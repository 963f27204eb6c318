"""What a production's packs would say of a request: a dry run. Writes nothing and calls nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.errors import Invalid
from circletake.domain.kinds import InputSlot
from circletake.domain.pictures import ModelCard, Violation
from circletake.domain.policy.evaluate import Evaluation
from circletake.domain.policy.facts import Facts
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.choose_model import choose_model, production_models
from circletake.usecases.permission.depictions import depictions
from circletake.usecases.plan_generation import GenerationRequest, plan_consistency, plan_generation
from circletake.usecases.policy.evaluate import evaluate_policies
from circletake.usecases.policy.facts_of import facts_of


async def try_policies(
    database: Database,
    seal: Seal,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    rules: JudgingRules,
    *,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> tuple[Evaluation, Facts]:
    """Evaluate a request that needn't be complete: what it doesn't say yet counts as not said.

    Raises Invalid for what it names and there isn't.
    """
    async with database.tenant(tenant_id) as session:
        production, shot, inputs = await _context(session, tenant_id, request)
        card = await _card(session, catalogue, tenant_id, request, now)
        judged = [each.character_id for each in request.consistency.subjects] if request.consistency else []
        found = await depictions(
            session,
            seal,
            tenant_id=tenant_id,
            production_id=production.id,
            declared=request.depicts,
            consistency=judged,
            media_ids=[file.id for file in inputs.values()],
            prompt=request.prompt,
        )
        facts = await facts_of(
            session,
            tenant_id=tenant_id,
            production=production,
            shot=shot,
            kind=request.kind,
            card=card,
            climbs_to=await _climbs_to(session, catalogue, rules, tenant_id, request, now),
            takes=request.takes,
            prompt_given=request.prompt is not None,
            inputs=inputs,
            use=request.use,
            characters={each.character_id for each in found},
        )
        evaluation = await evaluate_policies(
            session, seal, packs, tenant_id=tenant_id, production=production, facts=facts
        )
    return evaluation, facts


async def _climbs_to(
    session: TenantSession,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> Sequence[ModelCard]:
    """The models that its enforcement may climb to, as far as an incomplete request says it."""
    asked = request.consistency
    if asked is None:
        return []
    try:
        plan = await plan_generation(session, catalogue, tenant_id, request, now=now)
        enforcing = await plan_consistency(session, catalogue, rules, request, plan, now=now)
    except Invalid:
        return [card for each in asked.other_models or () if (card := catalogue.get(each)) is not None]
    return [] if enforcing is None else enforcing.ladder.cards


async def _card(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    request: GenerationRequest,
    now: datetime,
) -> ModelCard:
    """The model that the production would run it on. One that has ended is asked about all the same."""
    chosen = choose_model(
        catalogue,
        await production_models(session, tenant_id, request.production_id),
        kind=request.kind,
        asked=request.model,
        quality=request.quality,
        on=now.date(),
        slots=request.inputs.keys(),
        prompted=request.prompt is not None,
    )
    if chosen.card is None:
        raise Invalid(chosen.violations)
    return chosen.card


async def _context(
    session: TenantSession, tenant_id: UUID, request: GenerationRequest
) -> tuple[Production, Shot | None, Mapping[InputSlot, MediaFile]]:
    production = await session.scalar(
        select(Production).where(Production.tenant_id == tenant_id, Production.id == request.production_id)
    )
    if production is None:
        raise Invalid([Violation("/production_id", "unknown_production", "There is no such production.")])
    found: list[Violation] = []
    shot = None
    if request.shot_id is not None:
        shot = await session.scalar(
            select(Shot).where(
                Shot.tenant_id == tenant_id,
                Shot.id == request.shot_id,
                Shot.production_id == request.production_id,
            )
        )
        if shot is None:
            found.append(Violation("/shot_id", "unknown_shot", "There is no such shot in this production."))
    files: dict[UUID, MediaFile] = {}
    if request.inputs:
        rows = await session.scalars(
            select(MediaFile).where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.production_id == request.production_id,
                MediaFile.id.in_(set(request.inputs.values())),
            )
        )
        files = {file.id: file for file in rows}
    found += [
        Violation(f"/inputs/{slot}", "unknown_media", "There is no such media file in this production.")
        for slot, media_id in request.inputs.items()
        if media_id not in files
    ]
    if found:
        raise Invalid(found)
    return production, shot, {slot: files[media_id] for slot, media_id in request.inputs.items()}
