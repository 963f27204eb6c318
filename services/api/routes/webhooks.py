"""Webhook endpoints, their secrets and their delivery log."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.kit import clock
from circletake.records.events import WebhookDelivery
from circletake.usecases import find_deliveries, keep_endpoints
from circletake.usecases.idempotency import Answer
from circletake.usecases.keep_endpoints import EndpointView, UrlRules
from circletake.usecases.redeliver import Recovery, recover, redeliver
from circletake.usecases.webhook_secrets import NewSecrets
from services.api.auth import WebhookKeeper, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import (
    Claim,
    Cursor,
    IfMatch,
    PageSize,
    Wait,
    etag,
    link_next,
    reply,
    require_match,
    until,
)
from services.api.schemas.common import Page
from services.api.schemas.webhooks import (
    DeliveryReply,
    DeliveryState,
    DeliveryWithAttempts,
    EndpointBody,
    EndpointEdit,
    EndpointReply,
    EndpointWithSecret,
    RecoverBody,
    RecoveryReply,
    RotateBody,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"], responses=ALWAYS)
deliveries = APIRouter(prefix="/v1/webhook-deliveries", tags=["webhooks"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _rules(desk: Gateway) -> UrlRules:
    settings = desk.settings.webhooks
    return UrlRules(settings.allow_loopback, settings.allowed_ports)


def _shown(view: EndpointView, response: Response) -> EndpointReply:
    response.headers["ETag"] = etag(view.endpoint.version)
    return EndpointReply.of(view)


def _queued(delivery: WebhookDelivery, event_type: str) -> Answer:
    body = DeliveryReply.of(delivery, event_type).model_dump_json().encode()
    return Answer(202, body, f"/v1/webhook-deliveries/{delivery.id}")


async def _settled(desk: Gateway, who: WebhookKeeper, endpoint_id: UUID, seconds: float) -> EndpointView:
    """Wait until the challenge has been answered, rightly or not, or the time is over."""

    async def look() -> EndpointView | None:
        view = await keep_endpoints.get_endpoint(desk.database, who.tenant_id, endpoint_id)
        return view if view.endpoint.state != "unverified" or view.endpoint.last_error else None

    found = await until(desk.live, str(endpoint_id), seconds, look)
    return found or await keep_endpoints.get_endpoint(desk.database, who.tenant_id, endpoint_id)


@router.post(
    "",
    status_code=202,
    response_model=EndpointWithSecret,
    responses={
        200: {
            "model": EndpointWithSecret,
            "description": "Challenged within the time of `Prefer: wait`: `state` and `last_error` say how it went",
        },
        202: {"description": "Accepted; a challenge is on its way to the URL"},
        **declared(409),
    },
)
async def create_endpoint(
    body: EndpointBody, who: WebhookKeeper, desk: Desk, claim: Claim, wait: Wait
) -> Response:
    """Register a URL. It gets a signed `endpoint.challenge` and hears of nothing else until it has repeated it.

    The secret is shown here only. With `Prefer: wait=N` the answer says how the first challenge went.
    """
    answer = await keep_endpoints.create_endpoint(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        url=body.url,
        event_types=body.event_types,
        description=body.description,
        rules=_rules(desk),
        claim=claim,
        answer=_made,
    )
    response = reply(answer)
    if wait:
        made = EndpointWithSecret.model_validate_json(answer.body)
        view = await _settled(desk, who, made.id, wait)
        now = EndpointWithSecret.made(view, NewSecrets(made.secret, ""))
        done = view.endpoint.state != "unverified" or view.endpoint.last_error is not None
        headers = dict(response.headers) | {"Preference-Applied": f"wait={int(wait)}"}
        headers.pop("content-length", None)
        response = Response(now.body(), 200 if done else 202, headers=headers)
    response.headers["ETag"] = etag(1)
    return response


def _made(view: EndpointView, secrets: NewSecrets) -> Answer:
    return Answer(
        202, EndpointWithSecret.made(view, secrets).body(), f"/v1/webhook-endpoints/{view.endpoint.id}"
    )


@router.get("", response_model=Page[EndpointReply])
async def list_endpoints(
    http: Request,
    response: Response,
    who: WebhookKeeper,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List webhook endpoints, newest first."""
    views = await keep_endpoints.list_endpoints(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "webhook-endpoints", cursor),
    )
    rows = [view.endpoint for view in views]
    following = next_cursor(desk.cursors, "webhook-endpoints", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[EndpointReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/{endpoint_id}")
async def get_endpoint(
    endpoint_id: UUID, response: Response, who: WebhookKeeper, desk: Desk
) -> EndpointReply:
    """Read one webhook endpoint."""
    return _shown(await keep_endpoints.get_endpoint(desk.database, who.tenant_id, endpoint_id), response)


@router.patch("/{endpoint_id}", responses=declared(412, 428))
async def edit_endpoint(
    endpoint_id: UUID, body: EndpointEdit, response: Response, who: WebhookKeeper, desk: Desk, match: IfMatch
) -> EndpointReply:
    """Change an endpoint by a JSON merge patch. Another URL is challenged before anything is sent there."""
    view = await keep_endpoints.edit_endpoint(
        desk.database,
        tenant_id=who.tenant_id,
        endpoint_id=endpoint_id,
        values=body.values(),
        rules=_rules(desk),
        expect=lambda version: require_match(match, version),
    )
    return _shown(view, response)


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: UUID, who: WebhookKeeper, desk: Desk) -> None:
    """Stop sending for good and forget the secrets. Deliveries can still be read by their ids."""
    await keep_endpoints.delete_endpoint(desk.database, tenant_id=who.tenant_id, endpoint_id=endpoint_id)


@router.post("/{endpoint_id}/challenge", status_code=202, responses=declared(409))
async def challenge_endpoint(
    endpoint_id: UUID, response: Response, who: WebhookKeeper, desk: Desk, wait: Wait
) -> EndpointReply:
    """Challenge an unverified endpoint once more; with `Prefer: wait=N`, and say how it went."""
    view = await keep_endpoints.challenge_again(
        desk.database, tenant_id=who.tenant_id, endpoint_id=endpoint_id
    )
    return _shown(await _settled(desk, who, endpoint_id, wait) if wait else view, response)


@router.post("/{endpoint_id}/disable")
async def disable_endpoint(
    endpoint_id: UUID, response: Response, who: WebhookKeeper, desk: Desk
) -> EndpointReply:
    """Stop sending. What was still to be sent is abandoned; `recover` can send it later."""
    view = await keep_endpoints.disable_by_owner(
        desk.database, tenant_id=who.tenant_id, endpoint_id=endpoint_id
    )
    return _shown(view, response)


@router.post("/{endpoint_id}/enable", status_code=202)
async def enable_endpoint(
    endpoint_id: UUID, response: Response, who: WebhookKeeper, desk: Desk, wait: Wait
) -> EndpointReply:
    """Challenge a disabled endpoint, so that it becomes active again."""
    view = await keep_endpoints.enable_endpoint(
        desk.database, tenant_id=who.tenant_id, endpoint_id=endpoint_id
    )
    return _shown(await _settled(desk, who, endpoint_id, wait) if wait else view, response)


@router.post(
    "/{endpoint_id}/rotate-secret",
    status_code=200,
    response_model=EndpointWithSecret,
    responses=declared(409),
)
async def rotate_secret(
    endpoint_id: UUID, who: WebhookKeeper, desk: Desk, claim: Claim, body: RotateBody | None = None
) -> Response:
    """Make a new secret and key; the old ones sign beside them for a while.

    While both live, every message carries the signatures of both. Rotating again in that time ends the oldest.
    """
    answer = await keep_endpoints.rotate_secrets(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        endpoint_id=endpoint_id,
        overlap=timedelta(seconds=(body or RotateBody()).overlap_seconds),
        claim=claim,
        answer=lambda view, secrets: Answer(200, EndpointWithSecret.made(view, secrets).body()),
    )
    return reply(answer)


@router.post("/{endpoint_id}/test", status_code=202, response_model=DeliveryReply, responses=declared(409))
async def send_test(endpoint_id: UUID, who: WebhookKeeper, desk: Desk, claim: Claim) -> Response:
    """Send this endpoint an `endpoint.test` event, whatever it asked for."""
    answer = await keep_endpoints.send_test(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        endpoint_id=endpoint_id,
        claim=claim,
        answer=_queued,
    )
    return reply(answer)


@router.get("/{endpoint_id}/deliveries", response_model=Page[DeliveryReply])
async def list_deliveries(
    endpoint_id: UUID,
    http: Request,
    response: Response,
    who: WebhookKeeper,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    state: DeliveryState | None = None,
) -> Any:
    """List an endpoint's deliveries, newest first."""
    purpose = f"webhook-deliveries:{endpoint_id}"
    views = await find_deliveries.list_deliveries(
        desk.database,
        who.tenant_id,
        endpoint_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        state=state,
    )
    following = next_cursor(desk.cursors, purpose, [view.delivery for view in views], limit)
    response.headers.update(link_next(http, following))
    shown = [DeliveryReply.of(view.delivery, view.event_type) for view in views[:limit]]
    return Page(data=shown, next_cursor=following)


@router.post("/{endpoint_id}/recover", status_code=202, response_model=RecoveryReply, responses=declared(409))
async def recover_endpoint(
    endpoint_id: UUID, body: RecoverBody, who: WebhookKeeper, desk: Desk, claim: Claim
) -> Response:
    """Send every event since a moment that the endpoint asks for and never got: failed, abandoned or missed."""

    def answer(found: Recovery) -> Answer:
        shown = RecoveryReply(queued=found.queued, more=found.more)
        return Answer(202, shown.model_dump_json().encode())

    return reply(
        await recover(
            desk.database,
            await seal_of(desk, who),
            tenant_id=who.tenant_id,
            endpoint_id=endpoint_id,
            since=body.since,
            now=clock.now(),
            claim=claim,
            answer=answer,
        )
    )


@deliveries.get("/{delivery_id}")
async def get_delivery(delivery_id: UUID, who: WebhookKeeper, desk: Desk) -> DeliveryWithAttempts:
    """Read one delivery with its attempts: status, time, error and the beginning of the answer."""
    seal = await seal_of(desk, who)
    view, attempts = await find_deliveries.get_delivery(desk.database, seal, who.tenant_id, delivery_id)
    return DeliveryWithAttempts.of_view(view, list(attempts))


@deliveries.post(
    "/{delivery_id}/redeliver", status_code=202, response_model=DeliveryReply, responses=declared(409)
)
async def redeliver_delivery(delivery_id: UUID, who: WebhookKeeper, desk: Desk, claim: Claim) -> Response:
    """Send the same event again, with the same webhook-id, as a new delivery."""
    answer = await redeliver(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        delivery_id=delivery_id,
        claim=claim,
        answer=_queued,
    )
    return reply(answer)
