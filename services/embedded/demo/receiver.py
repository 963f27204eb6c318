"""The studio's own webhook receiver: a small HTTP server on loopback that believes nothing unsigned."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from services.embedded.demo import checks
from services.embedded.demo.checks import Message

_SECRET_SECONDS = 20.0


@dataclass(slots=True)
class Event:
    type: str
    data: dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """Use as an async context manager. `heard` is called for every event that was rightly signed."""

    heard: Callable[[Event], None]
    url: str = ""
    events: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _secrets: tuple[str, str] = ("", "")
    _armed: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/circletake", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/circletake"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def arm(self, secret: str, public_key: str) -> None:
        """Tell the receiver what to check signatures with."""
        self._secrets = (secret, public_key)
        self._armed.set()

    def wrong(self, message: Message) -> str | None:
        return checks.webhook(message, *self._secrets, time.time())

    async def wait_for(self, wanted: Counter[str], seconds: float) -> str | None:
        """Wait until at least these numbers of events, by type, have arrived; return what is missing."""

        def missing() -> Counter[str]:
            return wanted - Counter(event.type for event in self.events)

        async with self._arrived:
            try:
                await asyncio.wait_for(self._arrived.wait_for(lambda: not missing()), seconds)
            except TimeoutError:
                return "missing: " + ", ".join(f"{count} {name}" for name, count in missing().items())
        return None

    async def _take(self, request: web.Request) -> web.Response:
        message = Message(
            request.headers.get("webhook-id", ""),
            request.headers.get("webhook-timestamp", ""),
            request.headers.get("webhook-signature", ""),
            await request.read(),
        )
        # the challenge may come before the answer that holds the secret has been read
        await asyncio.wait_for(self._armed.wait(), _SECRET_SECONDS)
        wrong = self.wrong(message)
        if wrong is not None:
            self.problems.append(wrong)
            return web.Response(status=401)
        document = json.loads(message.body)
        if document["type"] == "endpoint.challenge":
            return web.json_response({"challenge": document["data"]["challenge"]})
        if message.id not in self._seen:
            self._seen.add(message.id)
            await self._keep(message, Event(document["type"], document["data"]))
        return web.Response(status=204)

    async def _keep(self, message: Message, event: Event) -> None:
        async with self._arrived:
            self.messages.append(message)
            self.events.append(event)
            self._arrived.notify_all()
        self.heard(event)
