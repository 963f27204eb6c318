"""The delivery log of webhook endpoints, and single events. Every query names the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound
from circletake.ports import Seal
from circletake.records.events import DeliveryAttempt, Event, WebhookDelivery
from circletake.records.session import Database
from circletake.usecases.deliver_webhook import reply_place
from circletake.usecases.keep_endpoints import find_endpoint


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with the type of its event."""

    delivery: WebhookDelivery
    event_type: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One HTTP try; `reply` is the first KiB of what was answered, as text."""

    attempt: DeliveryAttempt
    reply: str | None


async def list_deliveries(
    database: Database,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    state: str | None = None,
) -> Sequence[DeliveryView]:
    """Return at most `limit` deliveries of an endpoint, newest first. Raises NotFound."""
    query = (
        select(WebhookDelivery, Event.type)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .where(
            WebhookDelivery.tenant_id == tenant_id,
            WebhookDelivery.endpoint_id == endpoint_id,
            Event.tenant_id == tenant_id,
        )
    )
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        query = query.where(tuple_(WebhookDelivery.created_at, WebhookDelivery.id) < before)
    query = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_endpoint(session, tenant_id, endpoint_id)
        return [DeliveryView(delivery, event_type) for delivery, event_type in await session.execute(query)]


async def get_delivery(
    database: Database, seal: Seal, tenant_id: UUID, delivery_id: UUID
) -> tuple[DeliveryView, Sequence[AttemptView]]:
    """Return one delivery with its attempts in order. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        row = (
            await session.execute(
                select(WebhookDelivery, Event.type)
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
        attempts = list(
            await session.scalars(
                select(DeliveryAttempt)
                .where(DeliveryAttempt.tenant_id == tenant_id, DeliveryAttempt.delivery_id == delivery_id)
                .order_by(DeliveryAttempt.number)
            )
        )
    return DeliveryView(row[0], row[1]), [
        AttemptView(attempt, _reply_text(seal, attempt)) for attempt in attempts
    ]


def _reply_text(seal: Seal, attempt: DeliveryAttempt) -> str | None:
    """The excerpt may end inside a character, and needn't be text at all."""
    if attempt.reply is None:
        return None
    return seal.open(attempt.reply, place=reply_place(attempt.id)).decode(errors="replace")


async def get_event(database: Database, tenant_id: UUID, event_id: UUID) -> Event:
    """Return one event. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        event = await session.scalar(select(Event).where(Event.tenant_id == tenant_id, Event.id == event_id))
    if event is None:
        raise NotFound("event")
    return event
