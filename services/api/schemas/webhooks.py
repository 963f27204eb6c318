"""Webhook endpoints, their deliveries, and what they are sent, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.webhooks import DEFAULT_EVENT_TYPES, EVENT_TYPES, UNFILTERED_EVENT_TYPES
from circletake.records.events import WebhookDelivery
from circletake.usecases.find_deliveries import AttemptView, DeliveryView
from circletake.usecases.keep_endpoints import EndpointView
from circletake.usecases.webhook_secrets import NewSecrets
from services.api.schemas.common import Body, Moment, Reply, Text
from services.api.schemas.context import EditBody

DEFAULT_OVERLAP_SECONDS = 86_400
MAX_OVERLAP_SECONDS = 7 * 86_400

EndpointState = Literal["unverified", "active", "disabled"]
DeliveryState = Literal["pending", "delivered", "failed", "abandoned"]

SUBSCRIBABLE = sorted(set(EVENT_TYPES) - UNFILTERED_EVENT_TYPES)
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        description="https to a full name on the public internet; receives signed POSTs",
        examples=["https://pipeline.example.com/circletake"],
    ),
]
EventTypes = Annotated[
    list[Annotated[str, Field(max_length=64, json_schema_extra={"enum": SUBSCRIBABLE})]],
    Field(min_length=1, max_length=64, description=f"By default: {', '.join(sorted(DEFAULT_EVENT_TYPES))}"),
]
Description = Annotated[Text, Field(max_length=500)]


class EndpointBody(Body):
    url: Url
    event_types: EventTypes | None = None
    description: Description | None = None


class EndpointEdit(EditBody):
    url: Url = Field(default_factory=str)
    event_types: EventTypes = Field(default_factory=list)
    description: Description | None = None


class RotateBody(Body):
    overlap_seconds: int = Field(
        default=DEFAULT_OVERLAP_SECONDS,
        ge=0,
        le=MAX_OVERLAP_SECONDS,
        description="For so long the present secrets sign beside the new ones; 0 stops them at once",
    )


class RecoverBody(Body):
    since: Moment = Field(description="Of the past 30 days")


class PublicKey(Reply):
    public_key: str = Field(description="`whpk_…`, ed25519: verifies the `v1a` signatures")
    expires_at: datetime | None = Field(description="When it stops signing; null for the present one")


class EndpointReply(Reply):
    """Where events are sent. Only an active endpoint gets any."""

    id: UUID
    url: str
    description: str | None
    event_types: list[str]
    state: EndpointState = Field(description="Active once it has repeated its challenge")
    disabled_reason: str | None = Field(description="by_request, gone (it answered 410) or failing")
    last_error: str | None = Field(description="Of the challenge or the last failed attempt")
    failing_since: datetime | None
    paused_until: datetime | None = Field(description="It keeps failing: until then nothing is sent")
    public_keys: list[PublicKey]
    version: int = Field(description="In quotes it is the ETag, for If-Match; counts edits")
    created_at: datetime

    @classmethod
    def of(cls, view: EndpointView) -> "EndpointReply":
        return cls(**fields_of(view))

    def body(self) -> bytes:
        return self.model_dump_json().encode()


def fields_of(view: EndpointView) -> dict[str, Any]:
    endpoint = view.endpoint
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "last_error": endpoint.last_error,
        "failing_since": endpoint.failing_since,
        "paused_until": endpoint.paused_until,
        "public_keys": [PublicKey(public_key=key, expires_at=until) for key, until in view.keys],
        "version": endpoint.version,
        "created_at": endpoint.created_at,
    }


class EndpointWithSecret(EndpointReply):
    secret: str = Field(
        description="`whsec_…`: verifies the `v1` signatures. Shown here only; rotate it when it is lost"
    )

    @classmethod
    def made(cls, view: EndpointView, secrets: NewSecrets) -> "EndpointWithSecret":
        return cls(**fields_of(view), secret=secrets.secret)


class DeliveryReply(Reply):
    """One event for one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID = Field(description="The webhook-id of every attempt")
    event_type: str
    state: DeliveryState = Field(
        description="failed: refused for good or out of attempts; abandoned: its endpoint was disabled, or it was"
        " sent again as a new delivery"
    )
    attempts: int
    next_at: datetime | None = Field(description="The next attempt, while pending")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, delivery: WebhookDelivery, event_type: str) -> "DeliveryReply":
        return cls(**_delivery_fields(delivery, event_type))


class AttemptReply(Reply):
    number: int
    at: datetime
    status: int | None = Field(description="null when no answer came")
    seconds: float | None
    error: str | None
    reply: str | None = Field(description="The first KiB of the answer's body, as text")


class DeliveryWithAttempts(DeliveryReply):
    log: list[AttemptReply]

    @classmethod
    def of_view(cls, view: DeliveryView, attempts: list[AttemptView]) -> "DeliveryWithAttempts":
        log = [
            AttemptReply(
                number=each.attempt.number,
                at=each.attempt.created_at,
                status=each.attempt.status,
                seconds=each.attempt.seconds,
                error=each.attempt.error,
                reply=each.reply,
            )
            for each in attempts
        ]
        return cls(**_delivery_fields(view.delivery, view.event_type), log=log)


def _delivery_fields(delivery: WebhookDelivery, event_type: str) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "event_type": event_type,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_at": delivery.next_at,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }


class RecoveryReply(Reply):
    queued: int = Field(description="Deliveries queued, at most 500 a request")
    more: bool = Field(description="Whether the same request would find more")
