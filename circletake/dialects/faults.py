"""What an error of Bedrock means for a take: which fault it is, and whether somebody has to pay.

Codes and statuses: the botocore 1.44.5 service model of bedrock-runtime and the user guide's "Troubleshooting
Amazon Bedrock API error codes". Texts: the user guide where it gives them, else as other clients recorded them.

Who pays. Prices are per image or per second and no answer names a cost, so a call counts as paid when the model
accepted it:

- a picture: paid;
- a filter's refusal or an "Inference error" inside an HTTP 200: accepted without a picture. No page says whether
  that is billed, so nobody knows;
- an error answered instead of a result: not paid, with three exceptions where the model may have worked all the
  same. 408 ModelTimeout (it ran out of time at work), 502 and 504 (a gateway gave up on what stood behind it);
- no answer at all: not paid if the connection was never made, otherwise nobody knows.
"""

from collections.abc import Mapping
from typing import Literal

from circletake.dialects.refusals import filtered_by
from circletake.domain.kinds import Billed
from circletake.domain.pictures import Answer, FaultKind, Filtered, ModelFault, Pictures

Operation = Literal["invoke", "converse", "start_async", "poll_async"]

_AGREEMENT_WAIT_SECONDS = 900.0  # the user guide: try again after 15 minutes
_SERVER_ERROR = 500

_BY_CODE: dict[str, FaultKind] = {
    "accessdenied": "access_denied",
    "accessdeniedexception": "access_denied",
    "expiredtoken": "access_denied",
    "expiredtokenexception": "access_denied",
    "incompletesignature": "access_denied",
    "invalidclienttokenid": "access_denied",
    "invalidsignatureexception": "access_denied",
    "requestexpired": "access_denied",
    "signaturedoesnotmatch": "access_denied",
    "unrecognizedclientexception": "access_denied",
    "conflictexception": "conflict",
    "ftuformnotfilled": "access_denied",
    "internalserverexception": "unavailable",
    "modelerrorexception": "model_error",
    "modelnotreadyexception": "not_ready",
    "modelstreamerrorexception": "model_error",
    "modeltimeoutexception": "timeout",
    "mpagreementbeingcreated": "not_ready",
    "overloaded_error": "throttled",
    "resourcenotfoundexception": "not_found",
    "servicequotaexceededexception": "quota",
    "serviceunavailableexception": "unavailable",
    "throttlingexception": "throttled",
    "toomanyrequestsexception": "throttled",
    "validationexception": "invalid_request",
}
_BY_STATUS: dict[int, FaultKind] = {
    400: "invalid_request",
    401: "access_denied",
    403: "access_denied",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "invalid_request",
    424: "model_error",
    429: "throttled",
    529: "throttled",
}
# What is written of a model that ended, or ended for whoever stopped using it. Lower case.
_ENDED = ("end of its life", "end of life", "end-of-life", "marked by provider as legacy", "been deprecated")
# A ValidationException is also how an id that can't be called is answered.
_NO_SUCH_MODEL = ("model identifier is invalid", "with on-demand throughput")
_UNKNOWN_BILL = frozenset({408, 502, 504})


def fault_from(
    code: str,
    status: int | None,
    message: str,
    *,
    operation: Operation = "invoke",
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ModelFault:
    """Return the fault of an answered error.

    `code` may carry a namespace or a `:uri` suffix, or be the bare status. `headers` in lower case.
    """
    name = code.rsplit("#", 1)[-1].split(":", 1)[0]
    kind = _kind(name, status, message)
    retry_after = retry_after_seconds(headers or {})
    if name.casefold() == "mpagreementbeingcreated" and retry_after is None:
        retry_after = _AGREEMENT_WAIT_SECONDS
    return ModelFault(
        kind,
        message,
        code=name,
        status=status,
        request_id=request_id,
        retry_after_seconds=retry_after,
        billed=_billed(kind, status, operation),
    )


def _kind(name: str, status: int | None, message: str) -> FaultKind:
    kind = _BY_CODE.get(name.casefold())
    if kind is None:
        number = int(name) if name.isascii() and name.isdigit() else status
        kind = _BY_STATUS.get(number) if number is not None else None
        if kind is None:
            kind = "unavailable" if number is None or number >= _SERVER_ERROR else "invalid_request"
    text = message.casefold()
    if kind in {"invalid_request", "model_error"} and filtered_by(message) is not None:
        return "filtered"
    if kind in {"invalid_request", "not_found", "access_denied"} and any(words in text for words in _ENDED):
        return "ended"
    if kind == "invalid_request" and any(words in text for words in _NO_SUCH_MODEL):
        return "not_found"
    return kind


def _billed(kind: FaultKind, status: int | None, operation: Operation) -> Billed:
    if operation == "poll_async":
        return Billed.UNKNOWN  # the invocation was accepted earlier; this answer says nothing about it
    if kind == "conflict":
        return Billed.UNKNOWN  # there is an invocation with this token
    if kind == "timeout" or status is None or status in _UNKNOWN_BILL:
        return Billed.UNKNOWN
    return Billed.FALSE


def never_sent(message: str, *, kind: FaultKind = "connection", code: str = "") -> ModelFault:
    """Return the fault of a call that did not leave: no connection, no session, no credentials."""
    return ModelFault(kind, message, code=code, billed=Billed.FALSE)


def never_answered(message: str, *, timed_out: bool, code: str = "") -> ModelFault:
    """Return the fault of a call that was sent, in whole or in part, and whose answer is lost."""
    kind: FaultKind = "timeout" if timed_out else "connection"
    return ModelFault(kind, message, code=code, billed=Billed.UNKNOWN)


def filtered_from(fault: ModelFault) -> Filtered:
    """Return the refusal in a fault of kind `filtered`, in the form that filtered answers have."""
    return filtered_by(fault.provider_message) or Filtered("unknown", fault.provider_message)


def billed_for(answer: Answer) -> Billed:
    """Say whether an answered call is paid: a picture is; nobody knows of an accepted call without one."""
    return Billed.TRUE if isinstance(answer, Pictures) else Billed.UNKNOWN


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long the server asks to wait: `x-amz-retry-after` in milliseconds, else `retry-after` in seconds.

    A date in `retry-after` is left out: it would need the clock, and our own backoff is there.
    """
    for name, unit in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdigit():
            return int(text) * unit
    return None
