"""What makes golden runs begin by themselves: the catalogue's models changed, or a schedule is due.

The dispatcher notices (`notice_changes`); a worker then looks, as that studio. A version that a provider swaps behind
the same id shows in no catalogue: only the schedule finds it.
"""

from uuid import UUID

from sqlalchemy import select

from circletake.kit import clock
from circletake.ports import ModelCatalogue
from circletake.records.golden import GoldenRules, GoldenShot
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.golden.notice_changes import catalogue_digest
from circletake.usecases.golden.plan_run import RunScope
from circletake.usecases.golden.start_run import queue_run
from circletake.usecases.steps import ClaimedStep, end_step, put_off

_ELSEWHERE_SECONDS = 60.0  # until the other processes read the same catalogue


async def watch_golden(database: Database, catalogue: ModelCatalogue, step: ClaimedStep) -> None:
    """Run a `golden_watch` step: `subject_id` is the production. Each change begins one run, and a day of the schedule
    too."""
    assert step.subject_id is not None
    wanted = step.details.get("catalogue")
    async with database.tenant(step.tenant_id) as session:
        if wanted is not None and wanted != catalogue_digest(catalogue):
            # a roll-out is under way; whoever reads the other catalogue says so when all read one
            if step.attempt == 1:
                await put_off(session, step, seconds=_ELSEWHERE_SECONDS, trouble="another_catalogue")
                return
            await _forget(session, step.tenant_id, step.subject_id)
        elif wanted is not None:
            await _of_catalogue(session, catalogue, step.tenant_id, step.subject_id)
        else:
            await queue_run(
                session,
                tenant_id=step.tenant_id,
                production_id=step.subject_id,
                because="scheduled",
                change_key=f"day:{step.details['scheduled']}",
                scope=RunScope(),
                now=clock.now(),
            )
        await end_step(session, step)
        await wake_dispatcher(session)


async def _of_catalogue(
    session: TenantSession, catalogue: ModelCatalogue, tenant_id: UUID, production_id: UUID
) -> None:
    """Begin a run for every model that isn't any more what made golden shots of this production."""
    made_by = await session.execute(
        select(GoldenShot.model_id, GoldenShot.fingerprint)
        .where(
            GoldenShot.tenant_id == tenant_id,
            GoldenShot.production_id == production_id,
            GoldenShot.retired_at.is_(None),
        )
        .distinct()
    )
    changed = {}
    for model, fingerprint in made_by:
        card = catalogue.get(model)
        if card is not None and fingerprint and card.fingerprint != fingerprint:
            changed[model] = card.fingerprint
    for model, fingerprint in sorted(changed.items()):
        await queue_run(
            session,
            tenant_id=tenant_id,
            production_id=production_id,
            because="catalogue_changed",
            change_key=f"catalogue:{model}:{fingerprint}",
            scope=RunScope(only_models=[model]),
            now=clock.now(),
        )


async def _forget(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    """Nothing was looked at: the dispatcher asks again at its next round."""
    row = await session.scalar(
        select(GoldenRules).where(
            GoldenRules.tenant_id == tenant_id, GoldenRules.production_id == production_id
        )
    )
    if row is not None:
        row.seen_catalogue = None
