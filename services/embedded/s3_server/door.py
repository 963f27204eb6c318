"""The ASGI application in front of ministack: decides who gets in and saves what was changed."""

import functools
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from services.embedded.s3_server.durability import save_state
from services.embedded.s3_server.modules import APIS, Ministack
from services.embedded.s3_server.principals import seed_users

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEALTH = "/_health"
_CREDENTIAL_SERVICE = re.compile(r"[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")
_KMS_CHANGES_NOTHING = re.compile(
    r"TrentService\.(Get|List|Describe|Encrypt|Decrypt|Sign|Verify|GenerateDataKey|GenerateMac|GenerateRandom)"
)
_BUCKET_QUERIES_ON_OBJECTS = {"delete"}  # POST /bucket?delete removes objects; the bucket's settings stay


def signed_for(headers: dict[bytes, bytes], query: dict[str, list[str]]) -> str | None:
    """Return the service a SigV4 signature names, in the header or in the query, or None."""
    credential = ""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    if authorization.startswith("AWS4-HMAC-SHA256"):
        credential = authorization.partition("Credential=")[2]
    elif not authorization:
        credential = query.get("X-Amz-Credential", [""])[0]
    found = _CREDENTIAL_SERVICE.match(credential)
    return found.group(1) if found else None


def changed_service(
    scope: Scope, headers: dict[bytes, bytes], query: dict[str, list[str]], api: str
) -> str | None:
    """Return the service whose settings this request may change, or None for reads and object traffic."""
    if api == "kms":
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        return None if _KMS_CHANGES_NOTHING.match(target) else "kms"
    if api == "iam":
        return "iam"
    bucket_level = scope["path"].strip("/").count("/") == 0
    changes = scope["method"] in {"PUT", "POST", "DELETE"} and not _BUCKET_QUERIES_ON_OBJECTS & query.keys()
    return "s3" if api == "s3" and bucket_level and changes else None


async def answer_error(send: Send, status: int, code: str, message: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Door:
    """The ASGI application in front of ministack: decides who gets in and saves what was changed."""

    def __init__(
        self,
        modules: Ministack,
        directory: Path,
        port: int,
        users: list[dict[str, Any]],
        names: Sequence[str] = (),
    ) -> None:
        self._modules = modules
        self._directory = directory
        self._users = users
        known = [f"127.0.0.1:{port}", f"localhost:{port}", *names]
        self._hosts = {name.encode() for name in known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._modules.app.app(scope, receive, functools.partial(self._seed_then_send, send))
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _seed_then_send(self, send: Send, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            seed_users(self._modules, self._users)
            save_state(self._modules, self._directory, "iam")
        await send(message)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        api = signed_for(headers, query)
        if headers.get(b"host", b"") not in self._hosts:
            await answer_error(send, 404, "NoSuchBucket", "This server does not go by that name.")
        elif scope["path"] == HEALTH:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["path"].startswith("/_"):
            await answer_error(send, 404, "NoSuchBucket", "There is no such path.")
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await self._modules.app.app(scope, receive, send)
        elif b"authorization" in headers or "Signature" in query or "X-Amz-Signature" in query:
            if api not in APIS or (api != "s3" and scope["path"] != "/"):
                await answer_error(
                    send, 400, "InvalidRequest", "Please use AWS4-HMAC-SHA256 for s3, sts, iam or kms."
                )
            else:
                await self._signed(scope, receive, send, changed_service(scope, headers, query, api))
        else:
            await answer_error(send, 403, "AccessDenied", "Anonymous access is off.")

    async def _signed(self, scope: Scope, receive: Receive, send: Send, changes: str | None) -> None:
        refused = False

        async def save_then_send(message: Message) -> None:
            nonlocal refused
            if refused:
                return
            if changes and message["type"] == "http.response.start" and message["status"] < 300:  # noqa: PLR2004
                try:
                    save_state(self._modules, self._directory, changes)
                except OSError as fault:
                    refused = True
                    print(f"{changes} settings not saved: {fault}", file=sys.stderr)
                    await answer_error(send, 500, "InternalError", "The change could not be written to disk.")
                    return
            await send(message)

        await self._modules.app.app(scope, receive, save_then_send)
