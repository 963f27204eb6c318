"""Events: written in the transaction that makes them true, with a delivery for every endpoint that asked."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, insert, text
from sqlalchemy.dialects.postgresql import JSONB

from circletake.kit.ids import new_id
from circletake.records.base import Record
from circletake.records.events import Event, WebhookDelivery
from circletake.records.generations import Generation
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together

STEPS_CHANNEL = "circletake_steps"
EVENTS_CHANNEL = "circletake_events"

_NOTIFY = text("select pg_notify(:channel, :payload)")

# who is told of a type of event, for a statement that has :tenant_id and :type
ENDPOINTS_ASKED = """
    array(select id from webhook_endpoints
          where tenant_id = :tenant_id and state = 'active' and event_types @> array[cast(:type as text)])
"""
# the same for several :types, each endpoint with all that it asked for
ENDPOINTS_BY_TYPE = """
    coalesce((select jsonb_agg(jsonb_build_array(id, event_types)) from webhook_endpoints
              where tenant_id = :tenant_id and state = 'active' and event_types && cast(:types as text[])), '[]')
"""
_IDS = (bindparam("id", type_=Uuid()), bindparam("tenant_id", type_=Uuid()), bindparam("data", type_=JSONB()))
_RECORD = text(
    f"""
    with numbered as (
        update generations set event_seq = event_seq + 1
        where tenant_id = :tenant_id and id = :generation_id returning event_seq),
    recorded as (
        insert into events (id, tenant_id, generation_id, seq, type, data)
        values (:id, :tenant_id, :generation_id, (select event_seq from numbered), :type, :data))
    select {ENDPOINTS_ASKED}, pg_notify(:channel, cast(:generation_id as text))
    """  # noqa: S608 - a constant
).bindparams(*_IDS, bindparam("generation_id", type_=Uuid()))
_RECORD_APART = text(
    f"""
    with recorded as (
        insert into events (id, tenant_id, type, data) values (:id, :tenant_id, :type, :data))
    select {ENDPOINTS_ASKED}
    """  # noqa: S608 - a constant
).bindparams(*_IDS)


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
    values = {"id": event_id, "tenant_id": tenant_id, "type": event_type, "data": dict(data)}
    if generation_id is None:
        endpoints = await session.scalar(_RECORD_APART, values)
    else:
        of_generation = {"generation_id": generation_id, "channel": EVENTS_CHANNEL}
        endpoints = await session.scalar(_RECORD, {**values, **of_generation})
    await queue_deliveries(session, tenant_id, event_id, endpoints or ())
    return event_id


_NUMBER = text(
    "update generations set event_seq = event_seq + :count where tenant_id = :tenant and id = :generation"
    " returning event_seq"
)


async def record_events(
    session: TenantSession,
    generation: Generation,
    told: Sequence[tuple[str, Mapping[str, Any]]],
    *beside: tuple[type[Record], Sequence[Mapping[str, Any]]],
) -> None:
    """Append several events of one generation, each its type and data, and queue their deliveries; `beside`: other rows
    of the same moment. The generation's row is locked by the caller, who wakes the dispatcher when it is done."""
    tenant_id, generation_id = generation.tenant_id, generation.id
    numbered = {"count": len(told), "tenant": tenant_id, "generation": generation_id}
    last: int = (await session.execute(_NUMBER, numbered)).scalar_one()
    events = [
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "generation_id": generation_id,
            "seq": number,
            "type": event_type,
            "data": dict(data),
        }
        for number, (event_type, data) in enumerate(told, start=last - len(told) + 1)
    ]
    written = await insert_together(
        session,
        (Event, events),
        *beside,
        then=f"select {ENDPOINTS_BY_TYPE}, pg_notify(:channel, :generation)",
        tenant_id=tenant_id,
        types=sorted({row["type"] for row in events}),
        channel=EVENTS_CHANNEL,
        generation=str(generation_id),
    )
    await deliver_events(session, tenant_id, events, written.scalar_one())


async def deliver_events(
    session: TenantSession,
    tenant_id: UUID,
    events: Sequence[Mapping[str, Any]],
    asked: Sequence[tuple[str, Sequence[str]]],
) -> None:
    """Queue the deliveries of events that are written already. `asked`: what ENDPOINTS_BY_TYPE found."""
    deliveries = [
        {"id": new_id(), "tenant_id": tenant_id, "endpoint_id": endpoint_id, "event_id": event["id"]}
        for event in events
        for endpoint_id, types in asked
        if event["type"] in types
    ]
    if deliveries:
        await insert_together(
            session,
            (WebhookDelivery, deliveries),
            (Step, [_delivery_step(tenant_id, row["endpoint_id"], row["id"]) for row in deliveries]),
            then="select 1",
        )


def _delivery_step(tenant_id: UUID, endpoint_id: UUID | str, delivery_id: UUID) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "notify",
        "lane": "notify",
        "capped_by": f"endpoint:{endpoint_id}",
        "subject_id": delivery_id,
    }


async def queue_deliveries(
    session: TenantSession, tenant_id: UUID, event_id: UUID, endpoints: Sequence[UUID]
) -> None:
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
    await session.execute(insert(Step).values(_delivery_step(tenant_id, endpoint_id, delivery_id)))
    return delivery_id
