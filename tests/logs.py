"""What the gateway logged: a request's line is written after its answer has left."""

import asyncio
import contextlib

from services.embedded.stack import Stack


async def in_the_log(stack: Stack, words: str) -> bool:
    """Whether the gateway's log says it within 10 seconds: its line follows the answer, so it may come after it."""
    log = stack.home.logs / "api.log"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while words not in log.read_text():  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(0.05)
            return True
    return False
