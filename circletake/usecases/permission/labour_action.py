"""The production's switch during a labour action: while it is on, nothing of it reaches a model."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound
from circletake.domain.people import Actor
from circletake.domain.permission.holds import HoldReason, HoldState
from circletake.ports import ModelCatalogue, Seal
from circletake.records.context import Production
from circletake.records.holds import Hold
from circletake.records.session import Database
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.language.announce import look_again
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.open_holds import end_hold, open_holds_of, resume_takes
from circletake.usecases.steps import lock_generation, lock_takes


async def switch_labour_action(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    production_id: UUID,
    on: bool,
    now: datetime,
) -> Production:
    """Switch on: what waits is held when its turn comes, what is with a model is held before it is published.

    Switch off: everything that is held for nothing else runs. Saying it again finishes what was cut off. Raises NotFound.
    """
    async with database.tenant(tenant_id) as session:
        production = await session.scalar(
            select(Production)
            .where(Production.tenant_id == tenant_id, Production.id == production_id)
            .with_for_update()
        )
        if production is None:
            raise NotFound("production")
        if (production.labour_action_since is not None) != on:
            production.labour_action_since = now if on else None
            production.version += 1
            if not on:
                await look_again(session, tenant_id, production_id)
            kind = "began" if on else "ended"
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind=f"labour_action.{kind}",
                subject_id=production.id,
                body=actor.for_ledger(),
            )
            await record_event(
                session,
                tenant_id,
                f"labour_action.{kind}",
                {"production_id": str(production.id), "external_ref": production.external_ref},
            )
            await wake_dispatcher(session)
    if not on:
        for generation_id in await _held(database, tenant_id, production_id):
            await _lift(database, catalogue, seal, tenant_id, generation_id, actor)
    return production


async def _held(database: Database, tenant_id: UUID, production_id: UUID) -> list[UUID]:
    async with database.tenant(tenant_id) as session:
        return list(
            await session.scalars(
                select(Hold.generation_id)
                .where(
                    Hold.tenant_id == tenant_id,
                    Hold.production_id == production_id,
                    Hold.state == HoldState.OPEN.value,
                    Hold.reason == HoldReason.LABOUR_ACTION.value,
                )
                .distinct()
            )
        )


async def _lift(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    tenant_id: UUID,
    generation_id: UUID,
    actor: Actor,
) -> None:
    """One generation, one transaction: a season's holds aren't one lock."""
    async with database.tenant(tenant_id) as session:
        generation = await lock_generation(session, tenant_id, generation_id)
        takes = await lock_takes(session, tenant_id, generation_id)
        for hold in await open_holds_of(session, generation):
            if hold.reason == HoldReason.LABOUR_ACTION:
                await end_hold(session, seal, generation, hold, HoldState.LIFTED, actor)
        await resume_takes(session, catalogue, seal, generation, takes)
        await wake_dispatcher(session)
