"""Webhook endpoints as their owners keep them: create, edit, disable, enable, delete, rotate secrets, test.

An endpoint hears nothing until it has passed a challenge (`challenge_endpoint`, on a worker); a new URL or an
endpoint that is enabled again has to pass it anew.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, text, tuple_

from circletake.domain.errors import Conflict, Invalid, NotFound, TooManyRequests, invalid
from circletake.domain.pictures import Violation
from circletake.domain.webhooks import DEFAULT_EVENT_TYPES, unknown_event_types, url_problem
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.events import WebhookDelivery, WebhookEndpoint, WebhookSecret
from circletake.records.session import Database, TenantSession
from circletake.usecases.deliver_webhook import disable_endpoint
from circletake.usecases.events import queue_delivery, record_event, wake_dispatcher
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.steps import add_step
from circletake.usecases.webhook_secrets import NewSecrets, add_secrets, remove_secrets, retire_secrets

MAX_ENDPOINTS = 20
# a challenge is a post to an address that nobody has proved to be theirs
MAX_CREATED_PER_HOUR = 60
CHALLENGE_SPACING_SECONDS = 5.0

DELETED = "deleted"

_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || :tenant, 0))")
_BRING_FORWARD = text(
    "update steps set run_at = least(run_at, :at), attempt = 0 where tenant_id = :tenant and lane = 'notify'"
    " and capped_by = :capped_by and state = 'ready' and kind = 'challenge' returning id"
)


@dataclass(frozen=True, slots=True)
class UrlRules:
    """Which URLs may be registered. Loopback is for the embedded stack only."""

    allow_loopback: bool
    allowed_ports: Collection[int]


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint with the public keys that verify what it is sent, the newest first."""

    endpoint: WebhookEndpoint
    keys: Sequence[tuple[str, datetime | None]]  # public key, when it stops signing


async def create_endpoint(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    url: str,
    event_types: Sequence[str] | None,
    description: str | None,
    rules: UrlRules,
    claim: IdempotencyClaim | None,
    answer: Callable[[EndpointView, NewSecrets], Answer],
) -> Answer:
    """Record an unverified endpoint with its secrets and queue its challenge.

    Raises Invalid, Conflict at the limit of endpoints, and TooManyRequests when they come too fast.
    """
    _check_url(url, rules)
    wanted = sorted(DEFAULT_EVENT_TYPES) if event_types is None else _checked(event_types)
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await _check_room(session, tenant_id)
        endpoint = WebhookEndpoint(
            id=new_id(),
            tenant_id=tenant_id,
            url=url,
            description=description,
            event_types=wanted,
            state="unverified",
            version=1,
            failures=0,
            created_at=clock.now(),
        )
        session.add(endpoint)
        await session.flush()
        secrets = await add_secrets(session, seal, tenant_id, endpoint.id)
        await _queue_challenge(session, endpoint)
        reply = answer(EndpointView(endpoint, [(secrets.public_key, None)]), secrets)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def find_endpoint(
    session: TenantSession, tenant_id: UUID, endpoint_id: UUID, *, lock: bool = False
) -> WebhookEndpoint:
    """Return an endpoint that wasn't deleted. Raises NotFound."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.tenant_id == tenant_id, WebhookEndpoint.id == endpoint_id, _not_deleted()
    )
    endpoint = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if endpoint is None:
        raise NotFound("webhook endpoint")
    return endpoint


async def get_endpoint(database: Database, tenant_id: UUID, endpoint_id: UUID) -> EndpointView:
    """Return one endpoint. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id)
        return await _view(session, endpoint)


async def list_endpoints(
    database: Database, tenant_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None = None
) -> Sequence[EndpointView]:
    """Return at most `limit` endpoints, newest first, older than `before` (created_at, id)."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.tenant_id == tenant_id, _not_deleted())
    if before is not None:
        query = query.where(tuple_(WebhookEndpoint.created_at, WebhookEndpoint.id) < before)
    query = query.order_by(WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        endpoints = list(await session.scalars(query))
        keys = await _keys(session, tenant_id, [endpoint.id for endpoint in endpoints])
    return [EndpointView(endpoint, keys.get(endpoint.id, ())) for endpoint in endpoints]


async def edit_endpoint(
    database: Database,
    *,
    tenant_id: UUID,
    endpoint_id: UUID,
    values: Mapping[str, Any],
    rules: UrlRules,
    expect: Callable[[int], None],
) -> EndpointView:
    """Change url, event_types or description; another URL has to pass the challenge before anything is sent there.

    Raises NotFound, Invalid, or what `expect` raises when the edit was made from another version.
    """
    changes = dict(values)
    if "url" in changes:
        _check_url(changes["url"], rules)
    if "event_types" in changes:
        changes["event_types"] = _checked(changes["event_types"])
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        expect(endpoint.version)
        moved = "url" in changes and changes["url"] != endpoint.url
        for name, value in changes.items():
            setattr(endpoint, name, value)
        endpoint.version += 1
        if moved:
            _forgive(endpoint)
            if endpoint.state != "disabled":
                await _queue_challenge(session, endpoint)
        await session.flush()
        await wake_dispatcher(session)
        return await _view(session, endpoint)


async def challenge_again(database: Database, *, tenant_id: UUID, endpoint_id: UUID) -> EndpointView:
    """Challenge an unverified endpoint once more. Raises NotFound or Conflict."""
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        if endpoint.state != "unverified":
            raise Conflict(
                f"This endpoint is {endpoint.state}: only an unverified one is challenged.",
                code="endpoint_not_unverified",
            )
        await _queue_challenge(session, endpoint)
        await wake_dispatcher(session)
        return await _view(session, endpoint)


async def disable_by_owner(database: Database, *, tenant_id: UUID, endpoint_id: UUID) -> EndpointView:
    """Stop sending to an endpoint; what was still to be sent is given up. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        await disable_endpoint(session, endpoint, "by_request")
        await wake_dispatcher(session)
        return await _view(session, endpoint)


async def enable_endpoint(database: Database, *, tenant_id: UUID, endpoint_id: UUID) -> EndpointView:
    """Challenge a disabled endpoint, so that it becomes active again. Nothing happens to others. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        if endpoint.state == "disabled":
            _forgive(endpoint)
            await _queue_challenge(session, endpoint)
            await wake_dispatcher(session)
        return await _view(session, endpoint)


async def delete_endpoint(database: Database, *, tenant_id: UUID, endpoint_id: UUID) -> None:
    """Stop sending and forget the secrets; the delivery log stays. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        await disable_endpoint(session, endpoint, DELETED)
        endpoint.disabled_reason = DELETED
        await session.flush()
        await remove_secrets(session, tenant_id, endpoint_id)
        await wake_dispatcher(session)


async def rotate_secrets(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    endpoint_id: UUID,
    overlap: timedelta,
    claim: IdempotencyClaim | None,
    answer: Callable[[EndpointView, NewSecrets], Answer],
) -> Answer:
    """Make new secrets; the present ones sign beside them for `overlap`, then stop.

    An overlap of an earlier rotation ends at once: two secrets live at most. Raises NotFound.
    """
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        if overlap:
            await retire_secrets(session, tenant_id, endpoint_id, expires_at=clock.now() + overlap)
        else:
            await remove_secrets(session, tenant_id, endpoint_id)
        secrets = await add_secrets(session, seal, tenant_id, endpoint_id)
        reply = answer(await _view(session, endpoint), secrets)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def send_test(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    endpoint_id: UUID,
    claim: IdempotencyClaim | None,
    answer: Callable[[WebhookDelivery, str], Answer],
) -> Answer:
    """Send this endpoint an `endpoint.test` event, whatever its filter. Raises NotFound or Conflict."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        endpoint = await find_endpoint(session, tenant_id, endpoint_id, lock=True)
        require_active(endpoint)
        event_id = await record_event(session, tenant_id, "endpoint.test", {"endpoint_id": str(endpoint_id)})
        delivery_id = await queue_delivery(session, tenant_id, endpoint_id, event_id)
        delivery = await session.get_one(WebhookDelivery, delivery_id)
        reply = answer(delivery, "endpoint.test")
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


def require_active(endpoint: WebhookEndpoint) -> None:
    """Raise Conflict unless events may be sent to this endpoint."""
    if endpoint.state != "active":
        raise Conflict(
            f"This endpoint is {endpoint.state}: it gets events once it has passed its challenge.",
            code="endpoint_not_active",
        )


def _not_deleted() -> Any:
    return or_(WebhookEndpoint.disabled_reason.is_(None), WebhookEndpoint.disabled_reason != DELETED)


def _check_url(url: str, rules: UrlRules) -> None:
    problem = url_problem(url, allow_loopback=rules.allow_loopback, allowed_ports=rules.allowed_ports)
    if problem is not None:
        raise invalid("/url", "bad_webhook_url", problem)


def _checked(event_types: Sequence[str]) -> list[str]:
    unknown = unknown_event_types(event_types)
    if unknown:
        raise Invalid(
            [
                Violation(
                    f"/event_types/{position}",
                    "unknown_event_type",
                    "There is no such event type to subscribe to.",
                )
                for position, name in enumerate(event_types)
                if name in unknown
            ]
        )
    return sorted(set(event_types))


async def _check_room(session: TenantSession, tenant_id: UUID) -> None:
    """Held until this transaction ends, so that two at once don't both take the last place."""
    await session.execute(_ONE_AT_A_TIME, {"tenant": str(tenant_id)})
    recently = WebhookEndpoint.created_at > clock.now() - timedelta(hours=1)
    kept, recent = (
        await session.execute(
            select(func.count().filter(_not_deleted()), func.count().filter(recently)).where(
                WebhookEndpoint.tenant_id == tenant_id
            )
        )
    ).one()
    if kept >= MAX_ENDPOINTS:
        raise Conflict(
            f"A studio keeps at most {MAX_ENDPOINTS} webhook endpoints: delete one first.",
            code="too_many_endpoints",
        )
    if recent >= MAX_CREATED_PER_HOUR:
        raise TooManyRequests(
            f"At most {MAX_CREATED_PER_HOUR} webhook endpoints are made in an hour.", retry_after=600
        )


def _forgive(endpoint: WebhookEndpoint) -> None:
    endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None


async def _queue_challenge(session: TenantSession, endpoint: WebhookEndpoint) -> None:
    """Queue a challenge, or bring the one forward that waits for its next try. The endpoint is locked, or new.

    Challenges of one endpoint keep their distance, however often they are asked for.
    """
    endpoint.state, endpoint.last_error, endpoint.disabled_reason = "unverified", None, None
    await session.flush()
    at = clock.now()
    if endpoint.challenged_at is not None:
        at = max(at, endpoint.challenged_at + timedelta(seconds=CHALLENGE_SPACING_SECONDS))
    capped_by = f"endpoint:{endpoint.id}"
    waiting = await session.execute(
        _BRING_FORWARD, {"at": at, "tenant": endpoint.tenant_id, "capped_by": capped_by}
    )
    if waiting.first() is None:
        await add_step(
            session,
            endpoint.tenant_id,
            kind="challenge",
            lane="notify",
            capped_by=capped_by,
            subject_id=endpoint.id,
            run_at=at,
            priority=10,  # somebody waits for it
        )


async def _view(session: TenantSession, endpoint: WebhookEndpoint) -> EndpointView:
    keys = await _keys(session, endpoint.tenant_id, [endpoint.id])
    return EndpointView(endpoint, keys.get(endpoint.id, ()))


async def _keys(
    session: TenantSession, tenant_id: UUID, endpoint_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[str, datetime | None]]]:
    rows = await session.execute(
        select(WebhookSecret.endpoint_id, WebhookSecret.public_key, WebhookSecret.expires_at)
        .where(
            WebhookSecret.tenant_id == tenant_id,
            WebhookSecret.endpoint_id.in_(endpoint_ids),
            WebhookSecret.public_key.is_not(None),
            or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.now()),
        )
        .order_by(WebhookSecret.id.desc())
    )
    keys: dict[UUID, list[tuple[str, datetime | None]]] = {}
    for endpoint_id, public_key, expires_at in rows:
        keys.setdefault(endpoint_id, []).append((public_key or "", expires_at))
    return keys
