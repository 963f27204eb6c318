"""How large a body may be, by path: refused before it is read where its length is told, else while it comes in."""

import hashlib
from collections.abc import Mapping
from typing import IO

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.problems import too_large


class BodyLimit:
    """Pure ASGI. `larger`: paths that take more than the rest, in bytes; `*` stands for one part of a path."""

    def __init__(self, app: ASGIApp, *, most: int, larger: Mapping[str, int]) -> None:
        self._app, self._most = app, most
        self._larger = [(path.split("/"), limit) for path, limit in larger.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._limit(scope["path"])
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > most:
            await too_large(most)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)

    def _limit(self, path: str) -> int:
        parts = path.split("/")
        for named, limit in self._larger:
            if len(named) == len(parts) and all(a in {"*", b} for a, b in zip(named, parts, strict=True)):
                return limit
        return self._most


async def spool(http: Request, target: IO[bytes], limit: int) -> tuple[bytes, int]:
    """Write the body to the disk as it comes; return its SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > limit:
            raise HTTPException(413)
        digest.update(chunk)
        target.write(chunk)
    target.flush()
    return digest.digest(), size
