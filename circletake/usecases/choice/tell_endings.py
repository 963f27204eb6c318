"""The countdown to a model's end: every production that chose it, lists it or used it lately is told, mark by mark.

The dispatcher keeps whose turn it is, for it alone sees every studio; a worker looks, as that studio.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, union
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.cards import card_from
from circletake.domain.choice.choices import Choice
from circletake.domain.choice.endings import days_left, mark_reached
from circletake.domain.pictures import ModelCard
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue
from circletake.records.choice import ModelChoice, ModelEnding
from circletake.records.consistency import EvaluatorCall
from circletake.records.context import Production
from circletake.records.generations import Generation, Take
from circletake.records.language import LanguageRequest
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.choose_model import as_choice
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.steps import ClaimedStep, end_step
from circletake.usecases.tools import Tools

ENDINGS_HOUR = 5  # UTC
USED_LATELY = timedelta(days=90)

_NEW_STUDIOS = text(
    """
    insert into ending_turns (tenant_id, due_at)
    select id, :next from tenants where state = 'active'
    on conflict do nothing
    """
)
_QUEUE = text(
    """
    with due as (
        update ending_turns set due_at = :next where due_at <= :now returning tenant_id)
    insert into steps (id, tenant_id, kind, lane, state, capped_by, priority, attempt, crashes, crashes_alone,
                       fence, ring_no, details)
    select gen_random_uuid(), d.tenant_id, 'endings', 'notify', 'ready', '', 0, 0, 0, 0, 0, 0, '{}'::jsonb
    from due d join tenants t on t.id = d.tenant_id where t.state = 'active'
    """
)


def next_look(now: datetime) -> datetime:
    """Return the first ENDINGS_HOUR after `now`."""
    today = now.replace(hour=ENDINGS_HOUR, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


async def queue_endings(database: Database, *, now: datetime) -> None:
    """Queue the look at every studio whose turn it is, once a day each. Runs with the dispatcher's role."""
    values = {"now": now, "next": next_look(now)}
    async with database.role() as session:
        await session.execute(_NEW_STUDIOS, {"next": values["next"]})
        await session.execute(_QUEUE, values)


async def look_at_endings(tools: Tools, step: ClaimedStep) -> None:
    """Run an `endings` step."""
    async with tools.database.tenant(step.tenant_id) as session:
        await tell_endings(session, tools.catalogue, step.tenant_id, now=clock.now())
        await wake_dispatcher(session)
        await end_step(session, step)


async def tell_endings(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    *,
    now: datetime,
    production_id: UUID | None = None,
) -> None:
    """Record `model.ending` for each production and model that has come to a mark, once for each mark. The caller wakes
    the dispatcher. `production_id`: look at this one only."""
    choices = await _choices(session, tenant_id, production_id)
    ending = _ending(catalogue, choices, now)
    if not ending:
        return
    ties = await _ties(session, tenant_id, choices, ending, now, production_id)
    references = await _references(session, tenant_id, {production for production, _ in ties})
    for (production, model), how in sorted(ties.items(), key=lambda tie: (str(tie[0][0]), tie[0][1])):
        card = ending[model]
        if card.eol_on is None or not await _first(session, tenant_id, production, card, now):
            continue
        await record_event(
            session,
            tenant_id,
            "model.ending",
            {
                "production_id": str(production),
                "external_ref": references.get(production),
                "model": model,
                "eol_on": card.eol_on.isoformat(),
                "days_left": days_left(card.eol_on, now.date()),
                "successor": card.successor,
                "how": sorted(how),
            },
        )


async def _choices(
    session: TenantSession, tenant_id: UUID, production_id: UUID | None
) -> list[tuple[UUID, Choice]]:
    query = select(ModelChoice).where(ModelChoice.tenant_id == tenant_id, ModelChoice.superseded_at.is_(None))
    if production_id is not None:
        query = query.where(ModelChoice.production_id == production_id)
    return [(row.production_id, as_choice(row)) for row in await session.scalars(query)]


def _ending(
    catalogue: ModelCatalogue, choices: list[tuple[UUID, Choice]], now: datetime
) -> Mapping[str, ModelCard]:
    """The models that have come to a mark, with the catalogue's newest date, or the kept one of a model that left it."""
    kept = {
        model: card_from(document)
        for _, choice in choices
        for model, document in choice.cards.items()
        if catalogue.get(model) is None
    }
    cards = [*catalogue.all(), *kept.values()]
    return {
        card.id: card
        for card in cards
        if card.eol_on is not None and mark_reached(card.eol_on, now.date()) is not None
    }


async def _ties(
    session: TenantSession,
    tenant_id: UUID,
    choices: list[tuple[UUID, Choice]],
    ending: Mapping[str, ModelCard],
    now: datetime,
    production_id: UUID | None,
) -> dict[tuple[UUID, str], set[str]]:
    """How each production hangs on each model that ends: chosen or locked, allowed, fallback, used."""
    found: defaultdict[tuple[UUID, str], set[str]] = defaultdict(set)
    for production, choice in choices:
        named = [("locked" if choice.locked else "chosen", choice.model)]
        named += [("allowed", model) for model in choice.allowed]
        named += [("fallback", model) for model in choice.fallback.order]
        for how, model in named:
            if model in ending:
                found[production, model].add(how)
    for production, model in await _used(session, tenant_id, list(ending), now - USED_LATELY, production_id):
        found[production, model].add("used")
    return dict(found)


async def _used(
    session: TenantSession,
    tenant_id: UUID,
    models: list[str],
    since: datetime,
    production_id: UUID | None,
) -> list[tuple[UUID, str]]:
    """What was asked of these models lately, by production: as it was requested, by a take of its own, to judge, to
    write."""
    own = Take.changes["model_id"].astext
    asked = [
        select(record.production_id, record.model_id).where(
            record.tenant_id == tenant_id, record.created_at > since, record.model_id.in_(models)
        )
        for record in (Generation, LanguageRequest, EvaluatorCall)
    ]
    taken = (
        select(Generation.production_id, own)
        .join(Take, (Take.tenant_id == Generation.tenant_id) & (Take.generation_id == Generation.id))
        .where(Take.tenant_id == tenant_id, Take.created_at > since, own.in_(models))
    )
    rows = await session.execute(union(*asked, taken))
    return [
        (production, model)
        for production, model in rows
        if production is not None and production_id in {None, production}
    ]


async def _references(session: TenantSession, tenant_id: UUID, productions: set[UUID]) -> Mapping[UUID, Any]:
    rows = await session.execute(
        select(Production.id, Production.external_ref).where(
            Production.tenant_id == tenant_id, Production.id.in_(productions)
        )
    )
    return {row.id: row.external_ref for row in rows}


async def _first(
    session: TenantSession, tenant_id: UUID, production: UUID, card: ModelCard, now: datetime
) -> bool:
    """Whether nobody has told this mark yet; from now on somebody has."""
    if card.eol_on is None:
        return False
    told = await session.scalar(
        upsert(ModelEnding)
        .values(
            id=new_id(),
            tenant_id=tenant_id,
            production_id=production,
            model_id=card.id,
            eol_on=card.eol_on,
            mark=mark_reached(card.eol_on, now.date()),
        )
        .on_conflict_do_nothing()
        .returning(ModelEnding.id)
    )
    return told is not None
