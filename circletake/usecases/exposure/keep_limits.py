"""Limits on small doses: set, listed and ended by a production manager, on the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound, invalid
from circletake.domain.exposure.limits import LimitAction, Metric
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Sequence as ShotSequence
from circletake.records.context import Shot
from circletake.records.exposure import ExposureLimit
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry

MAX_LIMITS = 200  # of a production: each is read at every request in its scope


@dataclass(frozen=True, slots=True)
class LimitWish:
    """What somebody wants to limit. At most one of `sequence_id` and `shot_id`."""

    production_id: UUID
    metric: Metric
    value: Decimal
    action: LimitAction
    sequence_id: UUID | None = None
    shot_id: UUID | None = None


async def set_limit(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    wish: LimitWish,
    actor: Actor,
    claim: IdempotencyClaim | None,
    answer: Callable[[ExposureLimit], Answer],
) -> Answer:
    """Set a limit. Raises NotFound or Invalid."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await find_production(session, tenant_id, wish.production_id)
        await _check(session, tenant_id, wish)
        limit = ExposureLimit(
            id=new_id(),
            tenant_id=tenant_id,
            production_id=wish.production_id,
            sequence_id=wish.sequence_id,
            shot_id=wish.shot_id,
            metric=wish.metric.value,
            value=wish.value,
            action=wish.action.value,
            set_by=actor.person_id,
        )
        session.add(limit)
        await session.flush()
        await _on_record(session, seal, limit, "exposure_limit.set", actor)
        reply = answer(limit)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _check(session: TenantSession, tenant_id: UUID, wish: LimitWish) -> None:
    if wish.sequence_id is not None and wish.shot_id is not None:
        raise invalid("/shot_id", "two_scopes", "Limit a sequence or a shot, not both at once.")
    if wish.shot_id is not None and wish.metric is Metric.SHARE_OF_SHOTS:
        raise invalid(
            "/metric", "metric_of_one_shot", "One shot has no share of shots: limit its screen time."
        )
    for record, identifier, pointer, what in (
        (ShotSequence, wish.sequence_id, "/sequence_id", "sequence"),
        (Shot, wish.shot_id, "/shot_id", "shot"),
    ):
        if identifier is None:
            continue
        found = await session.scalar(
            select(record.id).where(
                record.tenant_id == tenant_id,
                record.production_id == wish.production_id,
                record.id == identifier,
            )
        )
        if found is None:
            raise invalid(pointer, f"unknown_{what}", f"There is no such {what} in this production.")
    known = await list_limits(session, tenant_id, wish.production_id)
    if len(known) >= MAX_LIMITS:
        raise invalid("", "too_many_limits", f"A production has at most {MAX_LIMITS} limits: end one.")


async def list_limits(
    session: TenantSession, tenant_id: UUID, production_id: UUID
) -> Sequence[ExposureLimit]:
    """Return the limits that hold, oldest first."""
    rows = await session.scalars(
        select(ExposureLimit)
        .where(
            ExposureLimit.tenant_id == tenant_id,
            ExposureLimit.production_id == production_id,
            ExposureLimit.ended_at.is_(None),
        )
        .order_by(ExposureLimit.id)
    )
    return rows.all()


async def get_limits(database: Database, tenant_id: UUID, production_id: UUID) -> Sequence[ExposureLimit]:
    """Return a production's limits. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return await list_limits(session, tenant_id, production_id)


async def end_limit(database: Database, seal: Seal, *, tenant_id: UUID, limit_id: UUID, actor: Actor) -> None:
    """End a limit; what it held stays held until a person releases it. Raises NotFound, too for an ended one."""
    async with database.tenant(tenant_id) as session:
        limit = await session.scalar(
            select(ExposureLimit)
            .where(
                ExposureLimit.tenant_id == tenant_id,
                ExposureLimit.id == limit_id,
                ExposureLimit.ended_at.is_(None),
            )
            .with_for_update()
        )
        if limit is None:
            raise NotFound("exposure limit")
        limit.ended_at = clock.now()
        await session.flush()
        await _on_record(session, seal, limit, "exposure_limit.ended", actor)


async def _on_record(
    session: TenantSession, seal: Seal, limit: ExposureLimit, kind: str, actor: Actor
) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=limit.tenant_id,
        kind=kind,
        subject_id=limit.id,
        body={
            "production": str(limit.production_id),
            "sequence": str(limit.sequence_id) if limit.sequence_id else None,
            "shot": str(limit.shot_id) if limit.shot_id else None,
            "metric": limit.metric,
            "value": str(limit.value.normalize()),
            "action": limit.action,
            **actor.for_ledger(),
        },
    )
