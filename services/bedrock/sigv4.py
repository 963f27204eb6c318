"""AWS Signature Version 4, seen from the server.

Source: "Create a signed AWS API request" (AWS General Reference). Every service but S3 encodes the path of the
canonical request once more, so the raw path of the request line, already encoded, is encoded a second time.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from services.bedrock.errors import invalid_signature, missing_signature

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=5)

_UNRESERVED = "-_.~"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=([^/,\s]+)/(\d{{8}})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature covers. `headers` have lower-case names; `path` is undecoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Authorization:
    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)


def read_authorization(headers: Mapping[str, str]) -> Authorization:
    """Parse the Authorization header; raises MissingAuthenticationToken or InvalidSignature."""
    header = headers.get("authorization")
    if not header or not header.startswith("AWS4-"):
        raise missing_signature()
    match = _AUTHORIZATION.fullmatch(header.strip())
    if match is None:
        raise invalid_signature("Authorization header is not a complete AWS4-HMAC-SHA256 signature.")
    key_id, date, region, service, signed, signature = match.groups()
    return Authorization(key_id, date, region, service, tuple(signed.split(";")), signature)


def verify(
    request: SignedRequest,
    authorization: Authorization,
    secret: str,
    *,
    service: str,
    region: str | None,
    at: datetime,
) -> None:
    """Raise InvalidSignatureException unless the request was signed with `secret`, for here and for now."""
    if authorization.service != service:
        raise invalid_signature(f"Credential should be scoped to correct service: '{service}'.")
    if region is not None and authorization.region != region:
        raise invalid_signature("Credential should be scoped to a valid region.")
    stamp = request.headers.get("x-amz-date", "")
    _check_date(stamp, authorization.date, at)
    _check_coverage(request.headers, authorization.signed_headers)
    declared = request.headers.get("x-amz-content-sha256")
    if declared is not None and declared != request.body_sha256:
        raise invalid_signature(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    expected = _signature(request, authorization, secret, stamp)
    if not hmac.compare_digest(expected, authorization.signature):
        raise invalid_signature()


def _check_date(stamp: str, scope_date: str, at: datetime) -> None:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise invalid_signature(
            "Authorization header requires existence of a valid 'X-Amz-Date' header."
        ) from None
    if stamp[:8] != scope_date:
        raise invalid_signature(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 date: '{stamp}'."
        )
    earliest, latest = (f"{moment:%Y%m%dT%H%M%SZ}" for moment in (at - MAX_SKEW, at + MAX_SKEW))
    if signed_at < at - MAX_SKEW:
        raise invalid_signature(
            f"Signature expired: {stamp} is now earlier than {earliest} ({at:%Y%m%dT%H%M%SZ} - 5 min.)"
        )
    if signed_at > at + MAX_SKEW:
        raise invalid_signature(
            f"Signature not yet current: {stamp} is still later than {latest} ({at:%Y%m%dT%H%M%SZ} + 5 min.)"
        )


def _check_coverage(headers: Mapping[str, str], signed: tuple[str, ...]) -> None:
    """Host and every `x-amz-*` header that came must be under the signature, and every signed header must be there."""
    unsigned = {name for name in headers if name == "host" or name.startswith("x-amz-")} - set(signed)
    absent = set(signed) - set(headers)
    if "host" not in signed or unsigned or absent:
        raise invalid_signature()


def _signature(request: SignedRequest, authorization: Authorization, secret: str, stamp: str) -> str:
    names = authorization.signed_headers
    canonical = "\n".join(
        [
            request.method,
            quote(request.path or "/", safe="/" + _UNRESERVED),
            _canonical_query(request.query),
            "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names),
            ";".join(names),
            request.body_sha256,
        ]
    )
    scope = f"{authorization.date}/{authorization.region}/{authorization.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in (authorization.date, authorization.region, authorization.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _canonical_query(query: str) -> str:
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append((quote(unquote(name), safe=_UNRESERVED), quote(unquote(value), safe=_UNRESERVED)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
