"""Picture work after the model: composite, sign, publish; contact sheets, previews."""

from collections.abc import Mapping

from circletake.usecases.call_model import PaidCall
from circletake.usecases.draw_matte import draw_matte
from circletake.usecases.draw_sheet import draw_sheet
from circletake.usecases.finish_take import finish_take
from circletake.usecases.review.draw_preview import draw_preview
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.storyboards.draw_storyboard import draw_storyboard
from circletake.usecases.storyboards.make_animatic import make_animatic
from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def finish(step: ClaimedStep, _: PaidCall) -> None:
        await finish_take(tools, step)

    async def sheet(step: ClaimedStep, _: PaidCall) -> None:
        await draw_sheet(tools, step)

    async def matte(step: ClaimedStep, _: PaidCall) -> None:
        await draw_matte(tools, step)

    async def preview(step: ClaimedStep, _: PaidCall) -> None:
        await draw_preview(tools, step)

    async def storyboard(step: ClaimedStep, _: PaidCall) -> None:
        await draw_storyboard(tools, step)

    async def animatic(step: ClaimedStep, _: PaidCall) -> None:
        await make_animatic(tools, step)

    return {
        "finish": finish,
        "sheet": sheet,
        "matte": matte,
        "preview": preview,
        "storyboard": storyboard,
        "animatic": animatic,
    }
