"""Send again what an endpoint has missed: one delivery, or everything since a moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, exists, func, insert, or_, select, update

from circletake.domain.errors import NotFound, invalid
from circletake.domain.webhooks import UNFILTERED_EVENT_TYPES
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.events import Event, WebhookDelivery, WebhookEndpoint
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.usecases.events import queue_delivery, wake_dispatcher
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.keep_endpoints import find_endpoint, require_active

MAX_RECOVERED = 500
LONGEST_RECOVERY = timedelta(days=30)
_RECOVERY_PRIORITY = -1  # what happens now goes first


@dataclass(frozen=True, slots=True)
class Recovery:
    """How many deliveries were queued, and whether the same request would find more."""

    queued: int
    more: bool


async def redeliver(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    delivery_id: UUID,
    claim: IdempotencyClaim | None,
    answer: Callable[[WebhookDelivery, str], Answer],
) -> Answer:
    """Queue a new delivery of the same event; one that is still being tried is given up for it.

    The receiver sees the same webhook-id. Raises NotFound, and Conflict while the endpoint isn't active.
    """
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        row = (
            await session.execute(
                select(WebhookDelivery.endpoint_id, WebhookDelivery.event_id, Event.type)
                .join(Event, Event.id == WebhookDelivery.event_id)
                .where(
                    WebhookDelivery.tenant_id == tenant_id,
                    WebhookDelivery.id == delivery_id,
                    Event.tenant_id == tenant_id,
                )
            )
        ).one_or_none()
        if row is None:
            raise NotFound("webhook delivery")
        endpoint_id, event_id, event_type = row
        require_active(await find_endpoint(session, tenant_id, endpoint_id, lock=True))
        await session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.tenant_id == tenant_id,
                WebhookDelivery.endpoint_id == endpoint_id,
                WebhookDelivery.event_id == event_id,
                WebhookDelivery.state == "pending",
            )
            .values(state="abandoned", finished_at=func.now(), next_at=None)
            .execution_options(synchronize_session=False)
        )
        made = await queue_delivery(session, tenant_id, endpoint_id, event_id)
        reply = answer(await session.get_one(WebhookDelivery, made), event_type)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def recover(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    endpoint_id: UUID,
    since: datetime,
    now: datetime,
    claim: IdempotencyClaim | None,
    answer: Callable[[Recovery], Answer],
) -> Answer:
    """Queue every event since then that the endpoint asks for and never got.

    The oldest MAX_RECOVERED at once; `more` says to ask again. They don't arrive in order. Raises NotFound, Invalid, or Conflict while the endpoint
    isn't active.
    """
    if not now - LONGEST_RECOVERY <= since <= now:
        raise invalid("/since", "out_of_range", "Give a moment of the past 30 days.")
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        require_active(endpoint)
        missed = await _missed(session, endpoint, since)
        await _queue(session, endpoint, missed[:MAX_RECOVERED])
        found = Recovery(min(len(missed), MAX_RECOVERED), len(missed) > MAX_RECOVERED)
        reply = answer(found)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def _missed(session: TenantSession, endpoint: WebhookEndpoint, since: datetime) -> Sequence[UUID]:
    """Events since then without a delivery that arrived or is still being tried; one more than may be queued."""
    of_endpoint = and_(
        WebhookDelivery.tenant_id == endpoint.tenant_id,
        WebhookDelivery.event_id == Event.id,
        WebhookDelivery.endpoint_id == endpoint.id,
    )
    query = (
        select(Event.id)
        .where(
            Event.tenant_id == endpoint.tenant_id,
            Event.id >= _first_id(since),
            Event.created_at >= since,
            Event.type.not_in(UNFILTERED_EVENT_TYPES),
            or_(Event.type.in_(endpoint.event_types), exists().where(of_endpoint)),
            ~exists().where(of_endpoint, WebhookDelivery.state.in_(("pending", "delivered"))),
        )
        .order_by(Event.id)
        .limit(MAX_RECOVERED + 1)
    )
    return list(await session.scalars(query))


def _first_id(since: datetime) -> UUID:
    """The smallest time-ordered id of that moment, some minutes early: clocks of processes differ a little."""
    millis = int((since - timedelta(minutes=5)).timestamp() * 1000)
    return UUID(int=max(millis, 0) << 80)


async def _queue(session: TenantSession, endpoint: WebhookEndpoint, event_ids: Sequence[UUID]) -> None:
    if not event_ids:
        return
    pairs = [(new_id(), event_id) for event_id in event_ids]
    await session.execute(
        insert(WebhookDelivery),
        [
            {
                "id": delivery_id,
                "tenant_id": endpoint.tenant_id,
                "endpoint_id": endpoint.id,
                "event_id": event_id,
            }
            for delivery_id, event_id in pairs
        ],
    )
    await session.execute(
        insert(Step),
        [
            {
                "id": new_id(),
                "tenant_id": endpoint.tenant_id,
                "kind": "notify",
                "lane": "notify",
                "capped_by": f"endpoint:{endpoint.id}",
                "priority": _RECOVERY_PRIORITY,
                "subject_id": delivery_id,
            }
            for delivery_id, _ in pairs
        ],
    )
