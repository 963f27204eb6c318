"""Every refusal as an RFC 9457 problem: a stable `type` and `code`, pointers, what to change, and a support id.

Nothing a client sent is echoed: the prompt may be in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from circletake.domain.errors import Invalid, Refused, TooManyRequests
from circletake.domain.pictures import Violation
from circletake.kit import logs
from circletake.kit.paging import BadCursor
from circletake.ports import StorageFault

log = logs.logger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemError(BaseModel):
    pointer: str = Field(description="RFC 6901 pointer into the request body, or the parameter's name")
    code: str
    message: str = Field(description="What is wrong and what to change")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(description="Stable: `urn:circletake:problem:<code>`")
    title: str
    status: int
    code: str
    detail: str
    support_id: str | None = Field(default=None, description="Quote it to support: it finds the log lines")
    errors: list[ProblemError] = []


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[Violation] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {
        "type": f"urn:circletake:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "support_id": logs.current().get("support_id"),
        "errors": [{"pointer": each.pointer, "code": each.code, "message": each.message} for each in errors],
        **(extra or {}),
    }
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def too_large(most: int) -> JSONResponse:
    return problem(
        413,
        "body_too_large",
        "The body is too large",
        f"Send at most {most} bytes here: split the file, or upload pictures with POST /v1/media.",
    )


_WHAT = {
    400: "The request can't be read.",
    401: "Send a valid API key, or the token of a person who signed in, as `Authorization: Bearer …`.",
    403: "This key or person may not do this.",
    404: "It doesn't exist, or isn't yours.",
    409: "It doesn't fit the present state.",
    412: "Somebody else changed it meanwhile (ETag).",
    413: "The body is too large.",
    415: "Send the content type that the operation names.",
    422: "The request is understood and wrong; `errors` points into it.",
    428: "An If-Match header is needed.",
    429: "Too many requests; see Retry-After.",
    503: "Something this needs is down.",
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an operation, for its OpenAPI description."""
    return {
        status: {
            "description": _WHAT[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


ALWAYS = declared(400, 401, 403, 404, 413, 415, 422, 429, 503)


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BadCursor, _bad_cursor)
    app.add_exception_handler(StorageFault, _storage)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(_: Request, refused: Exception) -> JSONResponse:
    assert isinstance(refused, Refused)
    headers: dict[str, str] = {}
    if refused.status == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refused, TooManyRequests):
        headers["Retry-After"] = str(refused.extra.get("retry_after", 1))
    violations = refused.violations if isinstance(refused, Invalid) else ()
    return problem(
        refused.status,
        refused.code,
        refused.title,
        refused.detail,
        errors=violations,
        headers=headers,
        extra={name: value for name, value in refused.extra.items() if name != "retry_after"},
    )


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [_violation(each) for each in error.errors()]
    if any(each.code == "json_invalid" for each in found):
        return problem(
            400, "malformed_json", "The body isn't JSON", "Send one JSON document.", errors=found[:1]
        )
    return problem(
        422, "invalid_request", "The request isn't valid", found[0].message if found else "", errors=found
    )


def _violation(error: Mapping[str, Any]) -> Violation:
    where, *path = error["loc"]
    if where == "body":
        return violation_at(path, error)
    return replace(violation_at(path, error), pointer=".".join([where, *map(_step, path)]))


def _step(step: object) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def violation_at(path: Sequence[object], error: Mapping[str, Any]) -> Violation:
    """What pydantic says is wrong at this place of a document."""
    pointer = "".join(f"/{_step(step)}" for step in path)
    code = str(error["type"])
    message = {
        "extra_forbidden": "There is no such field: remove it, or check its spelling.",
        "missing": "This field is required.",
        "json_invalid": "The body isn't JSON.",
    }.get(code, str(error["msg"]))
    # pydantic quotes the input in the messages of our own validators only, and those don't quote it
    return Violation(pointer, code, message)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # noqa: PLR2004
        # on a thread: what it reads of may have to be made first
        headers["Allow"] = await run_in_threadpool(_allow, request, headers.get("Allow", ""))
    codes = {
        404: "not_found",
        405: "method_not_allowed",
        413: "body_too_large",
        415: "unsupported_media_type",
    }
    code = codes.get(error.status_code, "bad_request")
    details = {
        404: "There is no such path, or what it names isn't yours.",
        405: "This path doesn't take this method.",
        413: "The body is too large: split the file, or upload pictures with POST /v1/media.",
    }
    return problem(
        error.status_code,
        code,
        code.replace("_", " ").capitalize(),
        details.get(error.status_code, "The request can't be handled as it was sent."),
        headers=headers,
    )


def _allow(request: Request, of_one_route: str) -> str:
    """Name every method of the path: Starlette names those of the first route that fits."""
    named = {each.strip() for each in of_one_route.split(",") if each.strip()}
    return ", ".join(sorted(named.union(request.app.state.allowed(request.scope["path"]))))


async def _bad_cursor(_: Request, __: Exception) -> JSONResponse:
    found = Violation("query.cursor", "bad_cursor", "Use the next_cursor of this same list, unchanged.")
    return problem(422, "invalid_request", "The request isn't valid", found.message, errors=[found])


async def _storage(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, StorageFault)
    log.warning("storage_fault", code=fault.kind)
    return problem(
        503,
        "storage_unavailable",
        "The bucket can't be reached",
        "The bucket can't be reached just now: try again.",
        headers={"Retry-After": "2"},
    )


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    log.failure("request_failed", error)
    return problem(
        500, "internal", "Something broke here", "This is our fault: quote the support id to support."
    )
