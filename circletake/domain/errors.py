"""What can go wrong with a request, as types with a stable code; the gateway turns them into RFC 9457 problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from circletake.domain.pictures import Violation


class Refused(Exception):
    """Base of every expected refusal. `code` is stable; `detail` says what to change and quotes no content."""

    status = 400
    code = "bad_request"
    title = "The request can't be accepted"

    def __init__(self, detail: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.extra: Mapping[str, Any] = extra


class Unauthenticated(Refused):
    status = 401
    code = "unauthenticated"
    title = "No valid API key or sign-in"


class Forbidden(Refused):
    status = 403
    code = "forbidden"
    title = "The caller may not do this"


class NotFound(Refused):
    status = 404
    code = "not_found"
    title = "There is nothing here"

    def __init__(self, what: str = "resource") -> None:
        super().__init__(f"This {what} doesn't exist, or isn't yours.")


class Conflict(Refused):
    status = 409
    code = "conflict"
    title = "The request doesn't fit the present state"


class PreconditionFailed(Refused):
    status = 412
    code = "precondition_failed"
    title = "Somebody else changed this meanwhile"


class PreconditionRequired(Refused):
    status = 428
    code = "precondition_required"
    title = "An If-Match header is needed"


class TooManyRequests(Refused):
    status = 429
    code = "rate_limited"
    title = "Too many requests"


class Unavailable(Refused):
    status = 503
    code = "unavailable"
    title = "Something this needs is down"


class Invalid(Refused):
    """A request that is understood and wrong; `violations` point into its body."""

    status = 422
    code = "invalid_request"
    title = "The request isn't valid"

    def __init__(self, violations: Sequence[Violation], *, code: str | None = None) -> None:
        super().__init__(violations[0].message if violations else "The request isn't valid.", code=code)
        self.violations = tuple(violations)


def invalid(pointer: str, code: str, message: str) -> Invalid:
    return Invalid([Violation(pointer, code, message)])
