"""A studio's own webhook receiver: a real HTTP server on loopback that keeps what it was sent."""

import asyncio
import base64
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Answer = Callable[["Message"], web.Response]


@dataclass(frozen=True)
class Message:
    """One POST, as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split()

    def proved_by(self, public_key: str) -> bool:
        """Whether one of the v1a signatures fits this `whpk_` key."""
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        for version, _, encoded in (each.partition(",") for each in self.signatures):
            with contextlib.suppress(InvalidSignature):
                if version == "v1a":
                    key.verify(base64.b64decode(encoded), signed)
                    return True
        return False


def status(code: int, body: str = "", **headers: str) -> Answer:
    """Answer with this status; header names with `_` for `-`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=code, text=body, headers=fields)


def echo(message: Message) -> web.Response:
    """Answer a challenge as the documentation says."""
    return web.Response(text=message.json["data"]["challenge"])


@dataclass
class Receiver:
    """Answers challenges rightly and everything else with 204, unless `script` holds the next answers."""

    url: str = ""
    script: deque[Answer] = field(default_factory=deque)
    challenge: Answer = echo
    before_answering: Callable[[], Awaitable[None]] | None = None  # what happens in the middle of a delivery
    messages: list[Message] = field(default_factory=list)
    _arrived: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    @property
    def events(self) -> list[Message]:
        """What came, without challenges."""
        return [each for each in self.messages if each.json["type"] != "endpoint.challenge"]

    async def next(self, event_type: str, seconds: float = 30) -> Message:
        """Wait for the next message of this type."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self._arrived.get()
                if message.json["type"] == event_type:
                    return message

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Message(headers, await request.read())
        self.messages.append(message)
        self._arrived.put_nowait(message)
        if message.json["type"] == "endpoint.challenge":
            return self.challenge(message)
        if self.before_answering is not None:
            await self.before_answering()
        return self.script.popleft()(message) if self.script else web.Response(status=204)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.url = f"http://127.0.0.1:{port}/hook"
        yield receiver
    finally:
        await runner.cleanup()
