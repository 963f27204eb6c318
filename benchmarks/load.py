"""A load generator in a process of its own: reads a plan on standard input, prints what was answered.

It knows just enough of HTTP/1.1 to be no bottleneck beside a Python server: one request in flight per connection,
answers told apart by their Content-Length. Both sides of a comparison are sent the same bytes but for host and path.
"""

import asyncio
import json
import secrets
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop


@dataclass(frozen=True, slots=True)
class Plan:
    """`body` is sent as it is, each time under an Idempotency-Key of its own."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    body: str
    connections: int
    seconds: float


@dataclass(slots=True)
class Tally:
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered, until the end."""

    def __init__(self, plan: Plan, tally: Tally, end: float, done: "asyncio.Future[None]") -> None:
        self._tally, self._end, self._done = tally, end, done
        self._transport: asyncio.Transport | None = None
        self._answer = b""
        body = plan.body.encode()
        head = [f"POST {plan.path} HTTP/1.1", f"Host: {plan.host}:{plan.port}"]
        head += [f"{name}: {value}" for name, value in plan.headers.items()]
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Idempotency-Key: "]
        self._head, self._body = "\r\n".join(head).encode(), b"\r\n\r\n" + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        if self._transport is not None:
            self._transport.write(self._head + secrets.token_hex(16).encode() + self._body)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._answer = b""
        if time.monotonic() >= self._end:
            self._finish()
            return
        status = head[9:12].decode()
        self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
        self._send()

    def _finish(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.partition(b"\r\n")[0])


async def run(plan: Plan) -> Tally:
    loop = asyncio.get_running_loop()
    tally = Tally()
    begun, cpu = time.monotonic(), time.process_time()
    ends: list[asyncio.Future[None]] = []
    for _ in range(plan.connections):
        done: asyncio.Future[None] = loop.create_future()
        ends.append(done)
        await loop.create_connection(
            lambda done=done: _Connection(plan, tally, begun + plan.seconds, done),  # type: ignore[misc]
            plan.host,
            plan.port,
        )
    await asyncio.gather(*ends)
    tally.seconds, tally.cpu_seconds = plan.seconds, time.process_time() - cpu
    return tally


def main() -> None:
    plan = Plan(**cast("dict[str, Any]", json.load(sys.stdin)))
    tally = uvloop.run(run(plan))
    print(json.dumps(asdict(tally)))


if __name__ == "__main__":
    main()
