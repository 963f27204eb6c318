"""Stage 9, tell: prepare, post, record. The payload is thin: ids, states and links, never content.

Lock order: the endpoint, its deliveries, the step. The endpoint is locked against edits only (`key_share`), so that
transactions which queue new deliveries for it never wait here.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select, text, update

from circletake.domain.webhooks import (
    FAILURES_TO_PAUSE,
    MAX_ATTEMPTS,
    Verdict,
    asks_to_slow_down,
    endpoint_pause,
    judge,
    seconds_until_next,
)
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import SigningSecret, WebhookBlocked, WebhookReply, WebhookUnreachable
from circletake.records.events import DeliveryAttempt, Event, WebhookDelivery, WebhookEndpoint
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools
from circletake.usecases.webhook_secrets import live_secrets

MAX_BODY_BYTES = 20_000  # Standard Webhooks, "Payload size"
_PROBE_MARGIN_SECONDS = 30.0  # a probe that was lost with its worker doesn't block the next one for longer
_UNVERIFIED_SECONDS = 3_600.0  # a passed challenge wakes what waits here

_PARK = text(
    "update steps set run_at = cast(:until as timestamptz) + random() * interval '5 seconds',"
    " trouble = 'endpoint_paused'"
    " where tenant_id = :tenant and lane = 'notify' and capped_by = :capped_by and state = 'ready'"
    " and kind = 'notify' and run_at < :until"
)
_WAKE_PARKED = text(
    "update steps set run_at = now() where tenant_id = :tenant and lane = 'notify' and capped_by = :capped_by"
    " and state = 'ready' and trouble in ('endpoint_paused', 'endpoint_unverified')"
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    delivery_id: UUID
    endpoint_id: UUID
    url: str
    message_id: str
    body: bytes
    secrets: Sequence[SigningSecret] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
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
) -> Outcome:
    """Sign and post once; whatever happens on the network is an outcome, not an exception."""
    try:
        reply = await tools.sender.post(
            url,
            message_id=message_id,
            body=body,
            secrets=secrets,
            timeout_seconds=tools.webhook_timeout_seconds,
        )
    except WebhookBlocked as blocked:
        return Outcome(None, str(blocked), hopeless=True)
    except WebhookUnreachable as unreachable:
        return Outcome(None, str(unreachable))
    return Outcome(reply)


def payload(event_type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body that is signed and sent (Standard Webhooks: type, timestamp, data)."""
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    document = {"type": event_type, "timestamp": timestamp, "data": dict(data)}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def told(event: Event) -> dict[str, Any]:
    """What an event says to its readers: the stored ids and states, its place in order, and links to look at."""
    data: dict[str, Any] = {**event.data, "event_id": str(event.id)}
    if event.generation_id is not None:
        data |= {"generation_id": str(event.generation_id), "sequence": event.seq}
    data["links"] = {"event": f"/v1/events/{event.id}"} | {
        name: f"/v1/{collection}/{data[key]}" for name, key, collection in _LINKS if data.get(key) is not None
    }
    return data


_LINKS = (
    ("generation", "generation_id", "generations"),
    ("take", "take_id", "takes"),
    ("batch", "batch_id", "generation-batches"),
    ("version", "version_id", "versions"),
    ("media", "media_id", "media"),
    ("sheet", "sheet_media_id", "media"),
    ("reference", "reference_id", "references"),
    ("reference_set", "reference_set_id", "reference-sets"),
    ("check", "check_id", "consistency-checks"),
    ("script_breakdown", "script_breakdown_id", "script-breakdowns"),
    ("shot_prompt", "shot_prompt_id", "shot-prompts"),
    ("consent", "consent_id", "consents"),
    ("performer", "performer_id", "performers"),
    ("cut", "cut_id", "cuts"),
    ("storyboard", "storyboard_id", "storyboards"),
    ("enforcement", "enforcement_id", "consistency-enforcements"),
    ("golden_run", "golden_run_id", "golden-runs"),
    ("endpoint", "endpoint_id", "webhook-endpoints"),
)


def event_body(event: Event) -> bytes:
    """The same bytes for every attempt at every endpoint."""
    data = told(event)
    body = payload(event.type, event.created_at, data)
    if len(body) < MAX_BODY_BYTES:
        return body
    kept = ("event_id", "generation_id", "take_id", "sequence", "links")
    return payload(event.type, event.created_at, {name: data[name] for name in kept if name in data})


async def _prepare(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> _Prepared | None:
    """T5. None: nothing is to be sent now, and the step is ended or put off."""
    async with tools.database.tenant(step.tenant_id) as session:
        row = (
            await session.execute(
                select(WebhookDelivery, WebhookEndpoint, Event)
                .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
                .join(Event, Event.id == WebhookDelivery.event_id)
                .where(
                    WebhookDelivery.tenant_id == step.tenant_id,
                    WebhookDelivery.id == step.subject_id,
                    WebhookEndpoint.tenant_id == step.tenant_id,
                    Event.tenant_id == step.tenant_id,
                )
            )
        ).one_or_none()
        if row is None or row[0].state != "pending":
            await end_step(session, step)
            return None
        delivery, endpoint, event = row
        wait = await _wait_for_endpoint(tools, session, endpoint)
        if wait is not None:
            await _wait(session, step, delivery, *wait)
            return None
        await hold_fence(session, step)
        secrets = await live_secrets(session, tenant.seal, step.tenant_id, endpoint.id)
    return _Prepared(delivery.id, endpoint.id, endpoint.url, str(event.id), event_body(event), secrets)


async def _wait_for_endpoint(
    tools: Tools, session: TenantSession, endpoint: WebhookEndpoint
) -> tuple[str, float] | None:
    """Say why an endpoint gets nothing now and how long to wait; None when this attempt may be made.

    A failing endpoint gets one attempt at a time: whoever moves `paused_until` on makes it.
    """
    if endpoint.state == "disabled":
        return "endpoint_disabled", 0.0
    if endpoint.state != "active":
        return "endpoint_unverified", _UNVERIFIED_SECONDS
    now = clock.now()
    if endpoint.paused_until is not None and endpoint.paused_until > now:
        return "endpoint_paused", (endpoint.paused_until - now).total_seconds()
    if endpoint.failures < FAILURES_TO_PAUSE:
        return None
    probe_seconds = tools.webhook_timeout_seconds + _PROBE_MARGIN_SECONDS
    won = await session.scalar(
        update(WebhookEndpoint)
        .where(
            WebhookEndpoint.tenant_id == endpoint.tenant_id,
            WebhookEndpoint.id == endpoint.id,
            or_(WebhookEndpoint.paused_until.is_(None), WebhookEndpoint.paused_until <= now),
        )
        .values(paused_until=now + timedelta(seconds=probe_seconds))
        .returning(WebhookEndpoint.id)
        .execution_options(synchronize_session=False)
    )
    return None if won is not None else ("endpoint_paused", probe_seconds)


async def _wait(
    session: TenantSession, step: ClaimedStep, delivery: WebhookDelivery, reason: str, seconds: float
) -> None:
    """Put the delivery off without counting an attempt; that of a disabled endpoint is given up."""
    if reason == "endpoint_disabled":
        delivery.state, delivery.finished_at, delivery.next_at = "abandoned", clock.now(), None
        await session.flush()
        await end_step(session, step, trouble=reason)
        return
    seconds += random.uniform(0, 5)  # noqa: S311 - spreads what waits for the same endpoint
    delivery.next_at = clock.now() + timedelta(seconds=seconds)
    await session.flush()
    await put_off(session, step, seconds=seconds, trouble=reason, counted=False)


async def _record(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, prepared: _Prepared, outcome: Outcome
) -> None:
    """T6: the attempt, and what follows from it."""
    async with tools.database.tenant(step.tenant_id) as session:
        endpoint = (
            await session.scalars(
                select(WebhookEndpoint)
                .where(
                    WebhookEndpoint.tenant_id == step.tenant_id, WebhookEndpoint.id == prepared.endpoint_id
                )
                .with_for_update(key_share=True)
            )
        ).one()
        delivery = (
            await session.scalars(
                select(WebhookDelivery)
                .where(
                    WebhookDelivery.tenant_id == step.tenant_id, WebhookDelivery.id == prepared.delivery_id
                )
                .with_for_update(key_share=True)
            )
        ).one()
        await hold_fence(session, step)
        delivery.attempts += 1
        await _log_attempt(session, tenant, delivery, outcome)
        if judge(outcome.reply.status if outcome.reply else None) is Verdict.DELIVERED:
            await _succeed(session, step, endpoint, delivery)
        else:
            await _fail(tools, session, step, endpoint, delivery, prepared, outcome)
        await wake_dispatcher(session)


async def _succeed(
    session: TenantSession, step: ClaimedStep, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    delivery.state, delivery.finished_at, delivery.next_at = "delivered", clock.now(), None
    recovered = endpoint.failures >= FAILURES_TO_PAUSE or endpoint.paused_until is not None
    endpoint.failing_since, endpoint.failures, endpoint.paused_until = None, 0, None
    endpoint.last_error = None
    await session.flush()
    await end_step(session, step)
    if recovered:
        await wake_parked(session, step.tenant_id, endpoint.id)


async def _fail(
    tools: Tools,
    session: TenantSession,
    step: ClaimedStep,
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
    prepared: _Prepared,
    outcome: Outcome,
) -> None:
    if endpoint.state == "active" and endpoint.url == prepared.url:
        await _blame(tools, session, endpoint, outcome)
    retry_after = outcome.reply.retry_after_seconds if outcome.reply else None
    wait = seconds_until_next(
        delivery.attempts,
        jitter=random.random(),  # noqa: S311 - spreads retries
        retry_after=retry_after,
    )
    given_up = delivery.state != "pending"  # while it was under way
    if wait is None or outcome.hopeless or endpoint.state == "disabled" or given_up:
        if not given_up:
            delivery.state, delivery.finished_at, delivery.next_at = "failed", clock.now(), None
        await session.flush()
        await end_step(session, step, trouble="webhook_failed")
        return
    if endpoint.paused_until is not None:
        wait = max(wait, (endpoint.paused_until - clock.now()).total_seconds())
    delivery.next_at = clock.now() + timedelta(seconds=wait)
    await session.flush()
    await put_off(session, step, seconds=wait, trouble="webhook_failed")


async def _blame(tools: Tools, session: TenantSession, endpoint: WebhookEndpoint, outcome: Outcome) -> None:
    """Count the failure against the endpoint: pause it, or disable it when it is gone or has failed for days."""
    now = clock.now()
    status = outcome.reply.status if outcome.reply else None
    endpoint.failures += 1
    endpoint.last_error = outcome.error or f"The endpoint answered {status}."
    endpoint.failing_since = endpoint.failing_since or now
    lasting = endpoint.failures >= MAX_ATTEMPTS and now - endpoint.failing_since > timedelta(
        hours=tools.webhook_disable_after_hours
    )
    if judge(status) is Verdict.DISABLE or lasting:
        await disable_endpoint(session, endpoint, "failing" if lasting else "gone")
        return
    pause = endpoint_pause(
        endpoint.failures,
        slow_down=asks_to_slow_down(status),
        retry_after=outcome.reply.retry_after_seconds if outcome.reply else None,
    )
    if pause is None:
        return
    until = now + timedelta(seconds=pause)
    if endpoint.failures >= FAILURES_TO_PAUSE:  # a probe's claim on the endpoint ends with it
        endpoint.paused_until = until
    else:
        endpoint.paused_until = max(until, endpoint.paused_until or until)
    await session.flush()
    await session.execute(
        _PARK,
        {
            "tenant": endpoint.tenant_id,
            "capped_by": f"endpoint:{endpoint.id}",
            "until": endpoint.paused_until,
        },
    )


async def wake_parked(session: TenantSession, tenant_id: UUID, endpoint_id: UUID) -> None:
    """Let everything run now that waited for the endpoint. The caller wakes the dispatcher."""
    await session.execute(_WAKE_PARKED, {"tenant": tenant_id, "capped_by": f"endpoint:{endpoint_id}"})


async def _log_attempt(
    session: TenantSession, tenant: TenantAtWork, delivery: WebhookDelivery, outcome: Outcome
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
            reply=tenant.seal.close(excerpt, place=reply_place(attempt_id)) if excerpt else None,
        )
    )


def reply_place(attempt_id: UUID) -> str:
    """Where the seal of a stored answer belongs."""
    return f"delivery_attempts.reply:{attempt_id}"


async def disable_endpoint(session: TenantSession, endpoint: WebhookEndpoint, reason: str) -> None:
    """Stop sending to an endpoint, give up what was still to be sent, and tell the tenant's other endpoints."""
    if endpoint.state == "disabled":
        return
    endpoint.state, endpoint.disabled_reason = "disabled", reason
    endpoint.paused_until = None
    await session.flush()
    await session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.tenant_id == endpoint.tenant_id,
            WebhookDelivery.endpoint_id == endpoint.id,
            WebhookDelivery.state == "pending",
        )
        .values(state="abandoned", finished_at=func.now(), next_at=None)
        .execution_options(synchronize_session=False)
    )
    await record_event(
        session,
        endpoint.tenant_id,
        "endpoint.disabled",
        {"endpoint_id": str(endpoint.id), "reason": reason},
    )
