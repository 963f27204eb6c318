"""What the operator sees of models and webhooks: caps and what is in flight, endpoints and what they owe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update

from circletake.domain.errors import NotFound
from circletake.kit import logs
from circletake.records.session import Database
from circletake.records.steps import ModelQuota, Step

log = logs.logger(__name__)

IN_FLIGHT = ("rung", "running", "external")


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """`cap` moves between 1 and `max_running` with throttling; `in_flight` is what counts against it."""

    max_running: int
    cap: float
    throttled_at: datetime | None
    in_flight: int


async def model_loads(database: Database) -> Mapping[str, ModelLoad]:
    """Return, by model id, what is in flight; a model that no dispatcher has seen yet isn't there."""
    flight = (
        select(Step.capped_by, func.count().label("n"))
        .where(Step.state.in_(IN_FLIGHT))
        .group_by(Step.capped_by)
        .subquery()
    )
    query = select(ModelQuota, func.coalesce(flight.c.n, 0)).outerjoin(
        flight, flight.c.capped_by == ModelQuota.model_id
    )
    async with database.role() as session:
        rows = (await session.execute(query)).all()
    return {
        quota.model_id: ModelLoad(quota.max_running, quota.cap, quota.throttled_at, count)
        for quota, count in rows
    }


async def set_ceiling(database: Database, model_id: str, max_running: int) -> None:
    """Move a model's ceiling; its cap is lowered at once and climbs as it does after throttling. Raises NotFound."""
    async with database.role() as session:
        found = await session.scalar(
            update(ModelQuota)
            .where(ModelQuota.model_id == model_id)
            .values(max_running=max_running, cap=func.least(ModelQuota.cap, max_running))
            .returning(ModelQuota.model_id)
        )
    if found is None:
        raise NotFound("model")
    log.info("model_ceiling_set", model_id=model_id, limit=max_running)


@dataclass(frozen=True, slots=True)
class WebhookHealth:
    """One tenant's endpoints by state, and what is still to be delivered to them."""

    tenant_id: UUID
    slug: str
    active: int
    unverified: int
    disabled: int
    failing: int
    failing_since: datetime | None
    pending: int
    oldest_pending_at: datetime | None


_HEALTH = text(
    """
    with page as (
        select t.id, t.slug from tenants t
        where exists (select from webhook_endpoints e where e.tenant_id = t.id)
          and (cast(:after as uuid) is null or t.id > cast(:after as uuid))
        order by t.id limit :limit),
    endpoints as (
        select e.tenant_id, count(*) filter (where e.state = 'active') as active,
               count(*) filter (where e.state = 'unverified') as unverified,
               count(*) filter (where e.state = 'disabled') as disabled,
               count(e.failing_since) as failing, min(e.failing_since) as failing_since
        from webhook_endpoints e where e.tenant_id in (select id from page) group by e.tenant_id),
    owed as (
        select d.tenant_id, count(*) as pending, min(d.created_at) as oldest_pending_at
        from webhook_deliveries d
        where d.state = 'pending' and d.tenant_id in (select id from page) group by d.tenant_id)
    select p.id as tenant_id, p.slug, e.active, e.unverified, e.disabled, e.failing, e.failing_since,
           coalesce(o.pending, 0) as pending, o.oldest_pending_at
    from page p join endpoints e on e.tenant_id = p.id left join owed o on o.tenant_id = p.id
    order by p.id
    """
)


async def webhook_health(
    database: Database, *, limit: int, after: UUID | None = None
) -> Sequence[WebhookHealth]:
    """Return tenants that have endpoints, by id."""
    async with database.role() as session:
        rows = (await session.execute(_HEALTH, {"limit": limit, "after": after})).all()
    return [WebhookHealth(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
