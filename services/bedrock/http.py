"""Requests and answers at the ASGI border. The path stays as it came: `%3A` and `%2F` are part of an identifier."""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.bedrock import clock
from services.bedrock.errors import BedrockFault
from services.bedrock.sigv4 import SignedRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 25_000_000
_MAX_READ = 4 * MAX_BODY


@dataclass(frozen=True, slots=True)
class Request:
    """`body` is None when it was longer than MAX_BODY; its hash is of all of it all the same.

    `arrived_at` is when its head had come in, before the body was read.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    body_sha256: str
    client: str
    request_id: str
    arrived_at: datetime

    @property
    def signed(self) -> SignedRequest:
        return SignedRequest(self.method, self.path, self.query, self.headers, self.body_sha256)


@dataclass(frozen=True, slots=True)
class Answer:
    """`cut`: send half of the body and then drop the connection."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class ClientGone(Exception):
    """The client left, or sends without end, before the request was complete."""


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read the whole request. A body past the limit is read on and dropped, so that the refusal can be heard."""
    arrived_at = clock.now()
    digest, chunks, size = hashlib.sha256(), [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MAX_READ:
            raise ClientGone
        digest.update(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            break
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1").partition("?")[0],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=b"".join(chunks) if size <= MAX_BODY else None,
        body_sha256=digest.hexdigest(),
        client=client[0] if client else "",
        request_id=new_request_id(),
        arrived_at=arrived_at,
    )


def new_request_id() -> str:
    text = secrets.token_hex(16)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def json_answer(document: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"content-type": "application/json"})


def fault_answer(fault: BedrockFault) -> Answer:
    """Bedrock's error shape: the code in `x-amzn-ErrorType`, the text in `message`."""
    body = json.dumps({"message": fault.message, **fault.extra}).encode()
    headers = {"content-type": "application/json", "x-amzn-errortype": fault.code, **fault.headers}
    return Answer(fault.status, body, headers)


async def send_answer(send: Send, answer: Answer, request_id: str) -> None:
    """Send it. A `cut` answer ends without its second half, whereupon the server closes the connection."""
    headers = {**answer.headers, "content-length": str(len(answer.body)), "x-amzn-requestid": request_id}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": answer.cut})
