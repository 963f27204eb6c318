"""What requests have in common: Idempotency-Key, Prefer: wait, cursors, ETags."""

import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from circletake.domain.errors import Invalid, PreconditionFailed, PreconditionRequired
from circletake.domain.pictures import Violation
from circletake.usecases.idempotency import Answer, IdempotencyClaim
from services.api.live import LiveEvents, wait_changed

MAX_WAIT_SECONDS = 30
CSV = "text/csv"


def wants_csv(accept: str | None) -> bool:
    """Whoever names CSV, and names no JSON before it, gets CSV."""
    kinds = [each.split(";")[0].strip().lower() for each in (accept or "").split(",")]
    return CSV in kinds and "application/json" not in kinds[: kinds.index(CSV)]


async def refuse_unknown_parameters(request: Request) -> None:
    """A misspelt filter would list everything: nothing that was asked for is dropped silently."""
    route = request.scope.get("route")
    # pages and their assets carry a version in the query
    called = request.scope["path"].startswith(("/v1/", "/admin/v1/"))
    if not called or not request.query_params or not isinstance(route, APIRoute):
        return
    known = _query_names(route.dependant)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there_are = f"there are: {', '.join(sorted(known))}" if known else "there are none"
        raise Invalid(
            [
                Violation(
                    f"query.{name}"[:100], "unknown_parameter", f"There is no such parameter; {there_are}."
                )
                for name in unknown[:20]
            ]
        )


def _query_names(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*(_query_names(each) for each in dependant.dependencies))


_PREFER_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*([0-9]{1,6})\s*(?:,|;|$)")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


KeyHeader = Annotated[
    str | None,
    Header(
        description="1 to 255 visible ASCII characters. The same key and body give the same answer for seven days."
    ),
]


# FastAPI sends a plain function to a thread, which costs more than all that these do
async def read_key(idempotency_key: KeyHeader = None) -> str | None:
    """Read the key: a structured-field string in quotes, or bare."""
    if idempotency_key is None:
        return None
    key = idempotency_key.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise Invalid(
            [
                Violation(
                    "header.Idempotency-Key",
                    "bad_idempotency_key",
                    "Use 1 to 255 visible ASCII characters, for example a UUID.",
                )
            ]
        )
    return key


def claim_of(request: Request, key: str, body_hash: bytes) -> IdempotencyClaim:
    return IdempotencyClaim(key, f"{request.method} {request.scope['path']}", body_hash)


async def idempotency_claim(
    request: Request, key: Annotated[str | None, Depends(read_key)]
) -> IdempotencyClaim | None:
    """Bind the key to the route and the body."""
    if key is None:
        return None
    return claim_of(request, key, json_hash(await request.body()))


def json_hash(body: bytes) -> bytes:
    """Hash a JSON document whatever its spacing; what isn't JSON, as it is."""
    with suppress(ValueError, RecursionError):  # the latter: nested past every depth
        body = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(body).digest()


Claim = Annotated[IdempotencyClaim | None, Depends(idempotency_claim)]


async def wait_seconds(
    prefer: Annotated[
        str | None,
        Header(
            description=f"`wait=N`: answer when it is done, or after N seconds (at most {MAX_WAIT_SECONDS})"
        ),
    ] = None,
) -> float:
    """RFC 7240 `Prefer: wait=N`, capped."""
    match = _PREFER_WAIT.search(prefer or "")
    return float(min(int(match[1]), MAX_WAIT_SECONDS)) if match else 0.0


Wait = Annotated[float, Depends(wait_seconds)]
PageSize = Annotated[int, Query(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before")]


T = TypeVar("T")


async def until(
    live: LiveEvents, subject: str, seconds: float, look: Callable[[], Awaitable[T | None]]
) -> T | None:
    """Look until there is an answer or the time is over. No connection is held in between."""
    end = time.monotonic() + seconds
    async with live.changed(subject) as event:
        while True:
            found = await look()
            left = end - time.monotonic()
            if found is not None or left <= 0:
                return found
            await wait_changed(event, left)


def reply(answer: Answer) -> Response:
    headers = {}
    if answer.location:
        headers["Location"] = answer.location
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.body, answer.status, headers=headers, media_type="application/json")


def etag(version: int) -> str:
    return f'"{version}"'


async def if_match(
    if_match: Annotated[
        str | None, Header(description="The ETag that the resource had when it was read")
    ] = None,
) -> str:
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag you read, so that nobody's edit is lost.")
    return if_match


IfMatch = Annotated[str, Depends(if_match)]


def require_match(given: str, version: int) -> None:
    """Raise PreconditionFailed unless the ETag (or `*`) fits the version."""
    offered = [each.strip().removeprefix("W/") for each in given.split(",")]
    if "*" not in offered and etag(version) not in offered:
        raise PreconditionFailed("It changed since you read it: read it again, then edit.")


def link_next(request: Request, cursor: str | None) -> dict[str, str]:
    """RFC 8288 Link to the next page."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
