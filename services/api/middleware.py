"""What surrounds every request: a support id, the access log, security headers, the rate limit's headers."""

import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from circletake.kit import logs
from services.api import metrics

log = logs.logger(__name__)

_TRACE = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Surroundings:
    """Pure ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-support-id", b"").decode("latin-1")
        support_id = given if _TRACE.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._extra(scope, message, support_id)]
            await send(message)

        with logs.bound(support_id=support_id):
            try:
                await self._app(scope, receive, answer)
            finally:
                self._account(scope, status, time.perf_counter() - started)

    @staticmethod
    def _extra(scope: Scope, message: Message, support_id: str) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in message["headers"]}
        extra = [(b"x-support-id", support_id.encode())]
        extra += [pair for pair in _SECURITY if pair[0] not in present]
        limit = scope["state"].get("rate_limit") or {}
        extra += [(name.lower().encode(), value.encode()) for name, value in limit.items()]
        return extra

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        metrics.REQUESTS.labels(self._service, scope["method"], route, str(status)).inc()
        metrics.REQUEST_SECONDS.labels(self._service, scope["method"], route).observe(seconds)
        key_id, person_id = scope["state"].get("api_key_id"), scope["state"].get("person_id")
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            seconds=round(seconds, 4),
            api_key_id=str(key_id) if key_id else None,
            person_id=str(person_id) if person_id else None,
        )


def choose(paths: dict[str, ASGIApp], default: ASGIApp) -> ASGIApp:
    """Send a request to the application that owns its path's beginning."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await default(scope, receive, send)
            return
        for prefix, target in paths.items():
            if scope["path"] == prefix or scope["path"].startswith(prefix + "/"):
                await target(scope, receive, send)
                return
        await default(scope, receive, send)

    return app
