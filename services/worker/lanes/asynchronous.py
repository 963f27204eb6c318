"""Asynchronous invocations: submit, and look now and again. Neither is a paid call that a shutdown must wait for:
a repeat finds the same invocation."""

from collections.abc import Mapping

from circletake.usecases.call_model import PaidCall
from circletake.usecases.run_async_take import poll_take, submit_take
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def submit(step: ClaimedStep, _: PaidCall) -> None:
        await submit_take(tools, step)

    async def poll(step: ClaimedStep, _: PaidCall) -> None:
        await poll_take(tools, step)

    return {"submit": submit, "poll": poll}
