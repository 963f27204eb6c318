"""What leaves for somebody else: bells and webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


class Doorbell(Protocol):
    """Wakes somebody up; carries ids only, and nothing depends on it arriving."""

    async def ring(self, lane: str, bells: Sequence[tuple[UUID, UUID, int]]) -> None:
        """Ring for (tenant_id, step_id, ring_no)."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookReply:
    status: int
    excerpt: bytes  # the first KiB
    retry_after_seconds: float | None
    seconds: float


class WebhookBlocked(Exception):
    """The target may not be reached: private address, plain http, a port that isn't allowed, a redirect."""


class WebhookUnreachable(Exception):
    """No answer: DNS, connect, TLS, timeout. The message is safe to show to the endpoint's owner."""


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """`whsec_` + base64 signs v1 (HMAC-SHA-256); `whsk_` + base64 signs v1a (ed25519). Two live ones rotate."""

    value: str = field(repr=False)


class WebhookSender(Protocol):
    """Signs as Standard Webhooks says, from the exact bytes sent, and posts. Follows no redirect."""

    async def post(
        self,
        url: str,
        *,
        message_id: str,
        body: bytes,
        secrets: Sequence[SigningSecret],
        timeout_seconds: float = 20.0,
    ) -> WebhookReply: ...
