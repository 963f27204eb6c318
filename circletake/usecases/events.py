"""Events: written in the transaction that makes them true, with a delivery for every endpoint that asked."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update

from circletake.kit.ids import new_id
from circletake.records.events import Event, WebhookDelivery, WebhookEndpoint
from circletake.records.generations import Generation
from circletake.records.session import TenantSession
from circletake.records.steps import Step

STEPS_CHANNEL = "circletake_steps"
EVENTS_CHANNEL = "circletake_events"

_NOTIFY = text("select pg_notify(:channel, :payload)")


async def wake_dispatcher(session: TenantSession) -> None:
    """Once per transaction: a NOTIFY takes a lock that all commits share."""
    await session.execute(_NOTIFY, {"channel": STEPS_CHANNEL, "payload": ""})


async def wake_waiters(session: TenantSession, subject_id: UUID) -> None:
    """Let requests that wait for this generation, file, verification or endpoint look again after the commit."""
    await session.execute(_NOTIFY, {"channel": EVENTS_CHANNEL, "payload": str(subject_id)})


async def record_event(
    session: TenantSession,
    tenant_id: UUID,
    event_type: str,
    data: Mapping[str, Any],
    *,
    generation_id: UUID | None = None,
) -> UUID:
    """Append an event and queue its deliveries. A generation's row must already be locked by the caller.

    The caller wakes the dispatcher when it is done.
    """
    event_id = new_id()
    sequence = None
    if generation_id is not None:
        sequence = await session.scalar(
            update(Generation)
            .where(Generation.tenant_id == tenant_id, Generation.id == generation_id)
            .values(event_seq=Generation.event_seq + 1)
            .returning(Generation.event_seq)
            .execution_options(synchronize_session=False)
        )
        await wake_waiters(session, generation_id)
    await session.execute(
        insert(Event).values(
            id=event_id,
            tenant_id=tenant_id,
            generation_id=generation_id,
            seq=sequence,
            type=event_type,
            data=dict(data),
        )
    )
    await _queue_deliveries(session, tenant_id, event_id, event_type)
    return event_id


async def _queue_deliveries(session: TenantSession, tenant_id: UUID, event_id: UUID, event_type: str) -> None:
    endpoints = await session.scalars(
        select(WebhookEndpoint.id).where(
            WebhookEndpoint.tenant_id == tenant_id,
            WebhookEndpoint.state == "active",
            WebhookEndpoint.event_types.contains([event_type]),
        )
    )
    for endpoint_id in endpoints:
        await queue_delivery(session, tenant_id, endpoint_id, event_id)


async def queue_delivery(session: TenantSession, tenant_id: UUID, endpoint_id: UUID, event_id: UUID) -> UUID:
    """Insert a delivery and the step that makes its attempts; return the delivery's id."""
    delivery_id = new_id()
    await session.execute(
        insert(WebhookDelivery).values(
            id=delivery_id, tenant_id=tenant_id, endpoint_id=endpoint_id, event_id=event_id
        )
    )
    await session.execute(
        insert(Step).values(
            id=new_id(),
            tenant_id=tenant_id,
            kind="notify",
            lane="notify",
            capped_by=f"endpoint:{endpoint_id}",
            subject_id=delivery_id,
        )
    )
    return delivery_id
