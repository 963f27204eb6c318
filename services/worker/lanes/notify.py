"""Webhook deliveries and challenges, the daily digest, the ends of models, of consents and of what is held."""

from collections.abc import Mapping

from circletake.usecases.batches.run_cancel import run_cancel
from circletake.usecases.call_model import PaidCall
from circletake.usecases.challenge_endpoint import challenge_endpoint
from circletake.usecases.choice.tell_endings import look_at_endings
from circletake.usecases.deliver_webhook import deliver_webhook
from circletake.usecases.golden.watch import watch_golden
from circletake.usecases.permission.expire_held import expire_held
from circletake.usecases.permission.watch_consents import watch_consent
from circletake.usecases.review.digest import send_digest
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def notify(step: ClaimedStep, _: PaidCall) -> None:
        await deliver_webhook(tools, step)

    async def challenge(step: ClaimedStep, _: PaidCall) -> None:
        await challenge_endpoint(tools, step)

    async def digest(step: ClaimedStep, _: PaidCall) -> None:
        await send_digest(tools.database, step)

    async def endings(step: ClaimedStep, _: PaidCall) -> None:
        await look_at_endings(tools, step)

    async def golden_watch(step: ClaimedStep, _: PaidCall) -> None:
        await watch_golden(tools.database, tools.catalogue, step)

    async def consent(step: ClaimedStep, _: PaidCall) -> None:
        await watch_consent(tools, step)

    async def expire(step: ClaimedStep, _: PaidCall) -> None:
        await expire_held(tools, step)

    async def cancel(step: ClaimedStep, _: PaidCall) -> None:
        await run_cancel(tools, step)

    return {
        "notify": notify,
        "cancel_batch": cancel,
        "expire": expire,
        "challenge": challenge,
        "digest": digest,
        "endings": endings,
        "golden_watch": golden_watch,
        "consent": consent,
    }
