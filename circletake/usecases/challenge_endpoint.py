"""Make sure that whoever registered a webhook endpoint also owns it: the receiver repeats a random value.

Without this, a studio's key could make us post to anybody's address for ever.
"""

import json
import random
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from circletake.domain.webhooks import Verdict, judge
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import SigningSecret
from circletake.records.events import WebhookEndpoint
from circletake.usecases.deliver_webhook import Outcome, payload, post, wake_parked
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools
from circletake.usecases.webhook_secrets import live_secrets

# after these many seconds it is tried again; then it is the owner's turn
RETRY_SECONDS = (5, 30, 300)

_NO_ECHO = (
    "The endpoint answered, but its answer doesn't repeat the challenge: answer with the value of data.challenge,"
    ' as plain text or as JSON {"challenge": …}.'
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    endpoint_id: UUID
    url: str
    secrets: list[SigningSecret] = field(repr=False)


async def challenge_endpoint(tools: Tools, step: ClaimedStep) -> None:
    """Run a `challenge` step: one signed post; the right echo makes the endpoint active."""
    tenant = await tools.tenant(step.tenant_id)
    prepared = await _prepare(tools, tenant, step)
    if prepared is None:
        return
    value = secrets.token_urlsafe(24)
    data = {
        "endpoint_id": str(prepared.endpoint_id),
        "challenge": value,
        "links": {"endpoint": f"/v1/webhook-endpoints/{prepared.endpoint_id}"},
    }
    # each try is a message of its own: a receiver that skips ids it has seen must still answer this one
    body = payload("endpoint.challenge", clock.now(), data)
    outcome = await post(tools, prepared.url, str(new_id()), body, prepared.secrets)
    await _record(tools, step, prepared, outcome, problem=_problem(outcome, value))


def echoes(excerpt: bytes, value: str) -> bool:
    """Say whether an answer repeats the challenge: as plain text, or as JSON `{"challenge": value}`."""
    answer = excerpt.decode(errors="replace").strip()
    if answer == value:
        return True
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return bool(document == value or (isinstance(document, dict) and document.get("challenge") == value))


def _problem(outcome: Outcome, value: str) -> str | None:
    if outcome.reply is None:
        return outcome.error
    if judge(outcome.reply.status) is not Verdict.DELIVERED:
        return f"The endpoint answered {outcome.reply.status}; the challenge wants a 2xx status."
    return None if echoes(outcome.reply.excerpt, value) else _NO_ECHO


async def _prepare(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> _Prepared | None:
    """None: there is nothing to challenge any more, and the step is ended."""
    async with tools.database.tenant(step.tenant_id) as session:
        endpoint = await session.scalar(
            select(WebhookEndpoint)
            .where(WebhookEndpoint.tenant_id == step.tenant_id, WebhookEndpoint.id == step.subject_id)
            .with_for_update(key_share=True)
        )
        if endpoint is None or endpoint.state != "unverified":
            await end_step(session, step)
            return None
        endpoint.challenged_at = clock.now()
        await session.flush()
        await hold_fence(session, step)
        secrets = await live_secrets(session, tenant.seal, step.tenant_id, endpoint.id)
    return _Prepared(endpoint.id, endpoint.url, secrets)


async def _record(
    tools: Tools, step: ClaimedStep, prepared: _Prepared, outcome: Outcome, *, problem: str | None
) -> None:
    async with tools.database.tenant(step.tenant_id) as session:
        endpoint = await session.scalar(
            select(WebhookEndpoint)
            .where(WebhookEndpoint.tenant_id == step.tenant_id, WebhookEndpoint.id == prepared.endpoint_id)
            .with_for_update(key_share=True)
        )
        await hold_fence(session, step)
        if endpoint is None or endpoint.state != "unverified" or endpoint.url != prepared.url:
            await end_step(session, step)  # an edit while we asked has queued a challenge of its own
            return
        endpoint.last_error = problem
        if problem is None:
            endpoint.state, endpoint.failing_since = "active", None
            endpoint.failures, endpoint.paused_until = 0, None
            await session.flush()
            await end_step(session, step)
            await wake_parked(session, step.tenant_id, endpoint.id)
        elif outcome.hopeless or step.attempt > len(RETRY_SECONDS):
            await end_step(session, step, trouble="challenge_failed")
        else:
            wait = RETRY_SECONDS[step.attempt - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - spreads retries
            await put_off(session, step, seconds=wait, trouble="challenge_failed")
        await wake_waiters(session, endpoint.id)
        await wake_dispatcher(session)
