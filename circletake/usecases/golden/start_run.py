"""Golden runs begin here: asked for by somebody, or by themselves after a change. The worker makes them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.errors import Conflict, invalid
from circletake.domain.people import PLATFORM, Actor
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.golden import GoldenResult, GoldenRules, GoldenRun, GoldenShot
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_context import find_production
from circletake.usecases.golden.find_runs import RunView, view_of
from circletake.usecases.golden.plan_run import PlannedGolden, RunScope, plan_run, total
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import add_step

LANE = "judge"
Because = Literal["choice_changed", "catalogue_changed", "scheduled"]


@dataclass(frozen=True, slots=True)
class GoldenQuote:
    """What a run would make and cost; nothing of it is kept."""

    planned: Sequence[PlannedGolden]

    @property
    def total(self) -> Decimal:
        return total(self.planned)

    @property
    def unconfirmed(self) -> bool:
        return any(each.usd and not each.confirmed for each in self.planned)


async def quote_run(
    database: Database, catalogue: ModelCatalogue, *, tenant_id: UUID, production_id: UUID, scope: RunScope
) -> GoldenQuote:
    """Say what a run would cost. Raises NotFound, Invalid, or Conflict when there is nothing to make."""
    async with database.tenant(tenant_id) as session:
        return await _quoted(session, catalogue, tenant_id, production_id, scope, now=clock.now())


async def _quoted(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    production_id: UUID,
    scope: RunScope,
    *,
    now: datetime,
) -> GoldenQuote:
    await find_production(session, tenant_id, production_id)
    if scope.model is not None and catalogue.get(scope.model) is None:
        message = "There is no such model: GET /v1/models lists them."
        raise invalid("/model", "unknown_model", message)
    planned = await plan_run(session, catalogue, tenant_id, production_id, scope, now=now)
    if set(scope.golden_ids) - {each.golden.id for each in planned}:
        message = "One of these isn't a golden shot of this production and these kinds, or is retired."
        raise invalid("/golden_shot_ids", "unknown_golden_shot", message)
    if not planned:
        raise Conflict(
            "This production has no golden shots of that kind: make a take golden first.",
            code="no_golden_shots",
        )
    return GoldenQuote(planned)


async def start_run(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    production_id: UUID,
    scope: RunScope,
    max_usd: Decimal | None,
    claim: IdempotencyClaim | None,
    answer: Callable[[RunView], Answer],
) -> Answer:
    """Begin a run that somebody asked for. Raises NotFound, Invalid, or Conflict: there is nothing to make, nothing of it can be
    made now, or it would cost more than `max_usd`."""
    now = clock.now()
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        quote = await _quoted(session, catalogue, tenant_id, production_id, scope, now=now)
        _require_possible(quote, max_usd)
        run = GoldenRun(
            **_run_values(tenant_id, production_id, "requested", scope, now),
            state="queued",
            counts={},
            max_usd=max_usd,
            requested_by=actor.api_key_id,
            requested_by_person=actor.person_id,
        )
        session.add(run)
        await session.flush()
        await write_plan(session, run, quote.planned)
        await _enter(session, seal, run, actor)
        await add_step(session, tenant_id, kind="golden", lane=LANE, subject_id=run.id)
        reply = answer(await view_of(session, seal, run))
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


def _require_possible(quote: GoldenQuote, max_usd: Decimal | None) -> None:
    refused = [each.refused for each in quote.planned]
    if all(refused):
        first = refused[0]
        raise Conflict(
            f"None of the golden shots can be made now. {first.message if first else ''}".strip(),
            code="nothing_to_run",
        )
    if max_usd is not None and quote.total > max_usd:
        raise Conflict(
            f"This run would cost ${quote.total:.2f}, more than max_usd: raise it, or choose fewer shots.",
            code="over_cap",
            total=str(quote.total),
        )


async def write_plan(session: TenantSession, run: GoldenRun, planned: Sequence[PlannedGolden]) -> None:
    """Write what the run is of. What its cap leaves no room for, or can't be made now, has failed already."""
    room = run.max_usd
    kept = Decimal(0)
    for position, each in enumerate(planned):
        code, detail = (each.refused.code, each.refused.message) if each.refused else (None, None)
        if code is None and room is not None and kept + each.usd > room:
            code, detail = "over_cap", "The run's cap leaves no room for this shot."
        kept += each.usd if code is None else 0
        session.add(
            GoldenResult(
                id=new_id(),
                tenant_id=run.tenant_id,
                run_id=run.id,
                golden_id=each.golden.id,
                position=position,
                model_id=each.model,
                fingerprint=each.card.fingerprint if each.card else None,
                seeded=each.seeded,
                estimate_usd=each.usd,
                scores={},
                reasons=[],
                verdict="failed" if code else None,
                failure_code=code,
                failure_detail=detail,
            )
        )
    run.estimate_usd = kept
    await session.flush()


async def queue_run(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    because: Because,
    change_key: str,
    scope: RunScope,
    now: datetime,
) -> UUID | None:
    """Begin a run by itself, where the production's rules want one and there is something to make; None: it isn't wanted,
    or this change has its run already. The caller wakes the dispatcher.

    What it makes, within the rules' cap, is planned by the worker when it gets to it.
    """
    rules = await session.scalar(
        select(GoldenRules).where(
            GoldenRules.tenant_id == tenant_id, GoldenRules.production_id == production_id
        )
    )
    if rules is None or not (rules.every_days if because == "scheduled" else rules.on_change):
        return None
    if not await _any_shots(session, tenant_id, production_id, scope):
        return None
    run_id: UUID | None = await session.scalar(
        upsert(GoldenRun)
        .values(
            **_run_values(tenant_id, production_id, because, scope, now),
            change_key=change_key,
            state="queued",
            counts={},
            max_usd=rules.max_usd,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "production_id", "change_key"])
        .returning(GoldenRun.id)
    )
    if run_id is not None:
        await add_step(session, tenant_id, kind="golden", lane=LANE, subject_id=run_id)
    return run_id


async def _any_shots(session: TenantSession, tenant_id: UUID, production_id: UUID, scope: RunScope) -> bool:
    query = select(func.count()).where(
        GoldenShot.tenant_id == tenant_id,
        GoldenShot.production_id == production_id,
        GoldenShot.retired_at.is_(None),
    )
    for column, values in ((GoldenShot.kind, scope.kinds), (GoldenShot.model_id, scope.only_models)):
        if values:
            query = query.where(column.in_(list(values)))
    return bool(await session.scalar(query))


async def queue_run_for_choice(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    kind: str,
    model_id: str,
    fingerprint: str,
    choice_id: UUID,
    now: datetime,
) -> UUID | None:
    """Begin the run that a changed choice of a kind's model asks for: every golden shot of the kind, made by that model.
    None where the rules don't want one, or where every shot was made by this very model already.

    `fingerprint` is of the model as it was chosen; `choice_id` makes it one run for a choice.
    """
    others = await session.scalar(
        select(func.count()).where(
            GoldenShot.tenant_id == tenant_id,
            GoldenShot.production_id == production_id,
            GoldenShot.kind == kind,
            GoldenShot.retired_at.is_(None),
            (GoldenShot.model_id != model_id) | (GoldenShot.fingerprint != fingerprint),
        )
    )
    if not others:
        return None
    return await queue_run(
        session,
        tenant_id=tenant_id,
        production_id=production_id,
        because="choice_changed",
        change_key=f"choice:{choice_id}",
        scope=RunScope(model=model_id, kinds=[kind]),
        now=now,
    )


async def enter_automatic(session: TenantSession, seal: Seal, run: GoldenRun) -> None:
    """Put a run that began by itself on the ledger, once it is planned."""
    await _enter(session, seal, run, PLATFORM)


async def _enter(session: TenantSession, seal: Seal, run: GoldenRun, actor: Actor) -> None:
    shots: Collection[UUID] = (
        await session.scalars(
            select(GoldenResult.golden_id)
            .where(GoldenResult.tenant_id == run.tenant_id, GoldenResult.run_id == run.id)
            .order_by(GoldenResult.position)
        )
    ).all()
    await record_entry(
        session,
        seal,
        tenant_id=run.tenant_id,
        kind="golden_run.started",
        subject_id=run.id,
        body={
            "production": str(run.production_id),
            "reason": run.reason,
            "change": run.change_key,
            "model": run.model_id,
            "golden_shots": [str(each) for each in shots],
            "estimate_usd": str(run.estimate_usd),
            "max_usd": str(run.max_usd) if run.max_usd is not None else None,
            **actor.for_ledger(),
        },
    )


def _run_values(
    tenant_id: UUID, production_id: UUID, reason: str, scope: RunScope, now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": now,
        "production_id": production_id,
        "reason": reason,
        "model_id": scope.model,
        "kinds": sorted(scope.kinds),
        "only_models": sorted(scope.only_models),
    }
