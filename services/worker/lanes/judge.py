"""Consistency: looking at references, judging material, concluding checks."""

from collections.abc import Mapping

from circletake.usecases.tools import Tools
from services.worker.runner import Handler


def handlers(tools: Tools) -> Mapping[str, Handler]:  # noqa: ARG001
    return {}
