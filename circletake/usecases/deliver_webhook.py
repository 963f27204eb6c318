"""Stage 9, tell: prepare, post, record. The payload is thin: ids, states and links, never content."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select

from circletake.domain.webhooks import Verdict, judge, seconds_until_next
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import SigningSecret, WebhookBlocked, WebhookReply, WebhookUnreachable
from circletake.records.events import (
    DeliveryAttempt,
    Event,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools


@dataclass(frozen=True, slots=True)
class _Prepared:
    delivery_id: UUID
    endpoint_id: UUID
    url: str
    message_id: str
    body: bytes
    secrets: Sequence[SigningSecret] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one attempt came to; `error` is safe to show to the endpoint's owner."""

    reply: WebhookReply | None
    error: str | None = None
    hopeless: bool = False  # the address may not be called: trying again changes nothing


async def deliver_webhook(tools: Tools, step: ClaimedStep) -> None:
    """Run a `notify` step: one attempt."""
    tenant = await tools.tenant(step.tenant_id)
    prepared = await _prepare(tools, tenant, step)
    if prepared is None:
        return
    outcome = await post(tools, prepared.url, prepared.message_id, prepared.body, prepared.secrets)
    await _record(tools, tenant, step, prepared, outcome)


async def post(
    tools: Tools, url: str, message_id: str, body: bytes, secrets: Sequence[SigningSecret]
) -> _Outcome:
    try:
        reply = await tools.sender.post(
            url,
            message_id=message_id,
            body=body,
            secrets=secrets,
            timeout_seconds=tools.webhook_timeout_seconds,
        )
    except WebhookBlocked as blocked:
        return _Outcome(None, str(blocked), hopeless=True)
    except WebhookUnreachable as unreachable:
        return _Outcome(None, str(unreachable))
    return _Outcome(reply)


def payload(event_type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body that is signed and sent (Standard Webhooks: type, timestamp, data)."""
    document = {"type": event_type, "timestamp": at.isoformat(), "data": dict(data)}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


async def _prepare(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> _Prepared | None:
    """T5. None: nothing is to be sent any more, and the step is ended."""
    async with tools.database.tenant(step.tenant_id) as session:
        await hold_fence(session, step)
        row = (
            await session.execute(
                select(WebhookDelivery, WebhookEndpoint, Event)
                .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
                .join(Event, Event.id == WebhookDelivery.event_id)
                .where(WebhookDelivery.id == step.subject_id)
            )
        ).one_or_none()
        if row is None or row[0].state != "pending" or row[1].state == "disabled":
            if row is not None and row[0].state == "pending":
                row[0].state, row[0].finished_at = "abandoned", clock.now()
            await end_step(session, step)
            return None
        delivery, endpoint, event = row
        secrets = await live_secrets(session, tenant, endpoint.id)
    data = {"generation_id": str(event.generation_id) if event.generation_id else None, **event.data}
    if event.seq is not None:
        data["sequence"] = event.seq
    return _Prepared(
        delivery.id,
        endpoint.id,
        endpoint.url,
        str(event.id),
        payload(event.type, event.created_at, data),
        secrets,
    )


async def live_secrets(
    session: TenantSession, tenant: TenantAtWork, endpoint_id: UUID
) -> list[SigningSecret]:
    """The endpoint's secrets, opened, the newest first."""
    rows = await session.scalars(
        select(WebhookSecret)
        .where(
            WebhookSecret.endpoint_id == endpoint_id,
            or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.now()),
        )
        .order_by(WebhookSecret.id.desc())
    )
    return [
        SigningSecret(tenant.seal.open(row.value, place=f"webhook_secrets.value:{row.id}").decode())
        for row in rows
    ]


async def _record(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, prepared: _Prepared, outcome: _Outcome
) -> None:
    """T6: the attempt, and what follows from it."""
    now = clock.now()
    async with tools.database.tenant(step.tenant_id) as session:
        endpoint = (
            await session.scalars(
                select(WebhookEndpoint).where(WebhookEndpoint.id == prepared.endpoint_id).with_for_update()
            )
        ).one_or_none()
        delivery = (
            await session.scalars(
                select(WebhookDelivery).where(WebhookDelivery.id == prepared.delivery_id).with_for_update()
            )
        ).one_or_none()
        await hold_fence(session, step)
        if endpoint is None or delivery is None:
            await end_step(session, step)
            return
        delivery.attempts += 1
        await _log_attempt(session, tenant, delivery, outcome)
        status = outcome.reply.status if outcome.reply else None
        verdict = judge(status)
        if verdict is Verdict.DELIVERED:
            delivery.state, delivery.finished_at, delivery.next_at = "delivered", now, None
            endpoint.failing_since = None
            await end_step(session, step)
            return
        endpoint.failing_since = endpoint.failing_since or now
        lasting = now - endpoint.failing_since > timedelta(hours=tools.webhook_disable_after_hours)
        if verdict is Verdict.DISABLE or lasting:
            await disable_endpoint(session, endpoint, "gone" if verdict is Verdict.DISABLE else "failing")
        retry_after = outcome.reply.retry_after_seconds if outcome.reply else None
        wait = seconds_until_next(
            delivery.attempts,
            jitter=random.random(),  # noqa: S311 - spreads retries
            retry_after=retry_after,
        )
        if wait is None or outcome.hopeless or endpoint.state == "disabled":
            delivery.state, delivery.finished_at, delivery.next_at = "failed", now, None
            await end_step(session, step, trouble="webhook_failed")
            await wake_dispatcher(session)
            return
        delivery.next_at = now + timedelta(seconds=wait)
        await put_off(session, step, seconds=wait, trouble="webhook_failed")


async def _log_attempt(
    session: TenantSession, tenant: TenantAtWork, delivery: WebhookDelivery, outcome: _Outcome
) -> None:
    attempt_id = new_id()
    reply = outcome.reply
    excerpt = reply.excerpt if reply else b""
    await session.execute(
        insert(DeliveryAttempt).values(
            id=attempt_id,
            tenant_id=delivery.tenant_id,
            delivery_id=delivery.id,
            number=delivery.attempts,
            status=reply.status if reply else None,
            seconds=reply.seconds if reply else None,
            error=outcome.error,
            reply=tenant.seal.close(excerpt, place=f"delivery_attempts.reply:{attempt_id}")
            if excerpt
            else None,
        )
    )


async def disable_endpoint(session: TenantSession, endpoint: WebhookEndpoint, reason: str) -> None:
    """Stop sending to an endpoint, and tell the tenant's other endpoints."""
    if endpoint.state == "disabled":
        return
    endpoint.state, endpoint.disabled_reason = "disabled", reason
    endpoint.version += 1
    await session.flush()
    await record_event(
        session,
        endpoint.tenant_id,
        "endpoint.disabled",
        {"endpoint_id": str(endpoint.id), "reason": reason},
    )
