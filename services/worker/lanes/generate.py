"""Synchronous model calls."""

from collections.abc import Mapping

from circletake.usecases.call_model import PaidCall, generate_take
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def generate(step: ClaimedStep, paid: PaidCall) -> None:
        await generate_take(tools, step, paid=paid)

    return {"generate": generate}
