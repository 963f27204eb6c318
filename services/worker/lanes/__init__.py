"""Which story runs which kind of step, lane by lane."""

from collections.abc import Mapping

from circletake.usecases.tools import Tools
from services.worker.lanes import asynchronous, finish, generate, inspect, judge, notify
from services.worker.runner import Handler

LANES = ("generate", "async", "finish", "judge", "notify", "inspect", "isolation")


def handlers(tools: Tools) -> Mapping[str, Handler]:
    """Every kind that a worker can run. The isolation lane runs them all, one at a time."""
    return {
        **generate.handlers(tools),
        **asynchronous.handlers(tools),
        **finish.handlers(tools),
        **judge.handlers(tools),
        **notify.handlers(tools),
        **inspect.handlers(tools),
    }
