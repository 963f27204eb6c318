"""What a studio was told, read as its pipeline would read it."""

import asyncio
from typing import Any

from tests.gateway import Client

_SECONDS = 20
_PAUSE = (
    0.05  # a list may be a moment behind: it waits for every transaction that could still commit in between
)


async def told(studio: Client, *, at_least: int = 1, event_type: str = "", **data: str) -> list[Any]:
    """Return the events whose data has all of these, in their order, once there are so many. Other tests' events stand
    between them: every page is read."""
    found: list[Any] = []
    after = ""
    async with asyncio.timeout(_SECONDS):
        while True:
            page = (await studio.get(f"/v1/events?limit=200{after}")).json
            found += [
                each
                for each in page["data"]
                if event_type in {"", each["type"]}
                and all(each["data"].get(name) == value for name, value in data.items())
            ]
            after = f"&after={page['after']}" if page["after"] else after
            if page["more"]:
                continue
            if len(found) >= at_least:
                return found
            await asyncio.sleep(_PAUSE)
