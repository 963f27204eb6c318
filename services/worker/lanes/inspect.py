"""Uploads, verifications and cuts, and what is given up."""

from collections.abc import Mapping

from circletake.usecases.bury_step import bury_step
from circletake.usecases.call_model import PaidCall
from circletake.usecases.exposure.read_cut import read_cut
from circletake.usecases.inspect_media import inspect_media
from circletake.usecases.purge_media import purge_media
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools
from circletake.usecases.verify_file import verify_file
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:
    async def inspect(step: ClaimedStep, _: PaidCall) -> None:
        await inspect_media(tools, step)

    async def verify(step: ClaimedStep, _: PaidCall) -> None:
        await verify_file(tools, step)

    async def cut(step: ClaimedStep, _: PaidCall) -> None:
        await read_cut(tools, step)

    async def purge(step: ClaimedStep, _: PaidCall) -> None:
        await purge_media(tools, step)

    async def bury(step: ClaimedStep, _: PaidCall) -> None:
        await bury_step(tools, step)

    return {"inspect": inspect, "verify": verify, "cut": cut, "purge": purge, "bury": bury}
