"""Reads of enforcements. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.takes import TERMINAL
from circletake.records.consistency import Enforcement, EnforcementAttempt
from circletake.records.generations import Generation, Take
from circletake.records.session import Database
from circletake.usecases.attempt_values import at_most, charged
from circletake.usecases.enforcement_costs import judging_cost


@dataclass(frozen=True, slots=True)
class EnforcementView:
    """An enforcement with its attempts. `charged` is owed for certain, `at_most` adds what is in flight or unknown;
    both with what the models that judge cost."""

    enforcement: Enforcement
    production_id: UUID
    attempts: Sequence[tuple[EnforcementAttempt, Take]]
    charged: Decimal
    at_most: Decimal
    judging: Decimal

    @property
    def in_flight(self) -> int:
        """Takes that are being made or judged."""
        running = self.enforcement.state == "running"
        return sum(
            take.state not in TERMINAL
            or (running and take.state == "succeeded" and attempt.judged_at is None)
            for attempt, take in self.attempts
        )


async def get_enforcement(database: Database, tenant_id: UUID, enforcement_id: UUID) -> EnforcementView:
    """Return one enforcement. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        found = (
            await session.execute(
                select(Enforcement, Generation.production_id)
                .join(Generation, Generation.id == Enforcement.generation_id)
                .where(Enforcement.tenant_id == tenant_id, Enforcement.id == enforcement_id)
            )
        ).one_or_none()
        if found is None:
            raise NotFound("enforcement")
        rows = await session.execute(
            select(EnforcementAttempt, Take)
            .join(Take, Take.id == EnforcementAttempt.take_id)
            .where(
                EnforcementAttempt.tenant_id == tenant_id, EnforcementAttempt.enforcement_id == enforcement_id
            )
            .order_by(EnforcementAttempt.number)
        )
        attempts = [(attempt, take) for attempt, take in rows]
        judging = await judging_cost(session, found.Enforcement)
    return EnforcementView(
        found.Enforcement,
        found.production_id,
        attempts,
        charged(take for _, take in attempts) + judging,
        sum((at_most(take) for _, take in attempts), Decimal(0)) + judging,
        judging,
    )


async def list_enforcements(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    generation_id: UUID | None = None,
    state: str | None = None,
) -> Sequence[Enforcement]:
    """Return at most `limit` enforcements, newest first, older than `before` (created_at, id)."""
    query = select(Enforcement).where(Enforcement.tenant_id == tenant_id)
    if production_id is not None:
        query = query.join(Generation, Generation.id == Enforcement.generation_id).where(
            Generation.tenant_id == tenant_id, Generation.production_id == production_id
        )
    if generation_id is not None:
        query = query.where(Enforcement.generation_id == generation_id)
    if state is not None:
        query = query.where(Enforcement.state == state)
    if before is not None:
        query = query.where(tuple_(Enforcement.created_at, Enforcement.id) < before)
    query = query.order_by(Enforcement.created_at.desc(), Enforcement.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))
