"""Looking at pictures - references, material of checks and their conclusion, people nobody declared - and asking
language models."""

from collections.abc import Mapping

from circletake.usecases.call_model import PaidCall
from circletake.usecases.conclude_check import conclude_check
from circletake.usecases.golden.run_golden import run_golden
from circletake.usecases.inspect_reference import inspect_reference
from circletake.usecases.judge_material import judge_material
from circletake.usecases.language.ask_language_model import ask_language_model
from circletake.usecases.permission.screen_inputs import screen_inputs
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def judge(step: ClaimedStep, paid: PaidCall) -> None:
        await judge_material(tools, step, paid)

    async def conclude(step: ClaimedStep, _: PaidCall) -> None:
        await conclude_check(tools, step)

    async def reference(step: ClaimedStep, _: PaidCall) -> None:
        await inspect_reference(tools, step)

    async def screen(step: ClaimedStep, _: PaidCall) -> None:
        await screen_inputs(tools, step)

    async def language(step: ClaimedStep, paid: PaidCall) -> None:
        await ask_language_model(tools, step, paid)

    async def golden(step: ClaimedStep, _: PaidCall) -> None:
        await run_golden(tools, step)

    return {
        "golden": golden,
        "reference": reference,
        "judge": judge,
        "conclude": conclude,
        "screen": screen,
        "language": language,
    }
