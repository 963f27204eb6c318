"""What one call answered, reduced to what can be compared and shown: no content, no secret, no account."""

import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from botocore.exceptions import BotoCoreError, ClientError

# values of these are never kept, not even as a hash
_SECRET = frozenset({"credentials", "secretaccesskey", "sessiontoken", "accesskeyid", "assumedroleuser"})
_NOT_COMPARED = frozenset({"ResponseMetadata"})
_LONGEST_KEPT = 200
_LONGEST_LIST = 64
_LONGEST_MESSAGE = 400

_SCRUBS = (
    (re.compile(r"[?&](?:X-Amz-|AWSAccessKeyId|Signature|Expires)[^\s\"'<>]*"), "?<presigned>"),
    (re.compile(r"\b(?:AKIA|ASIA|LSIA|AROA|AIDA)[A-Z0-9]{8,}\b"), "<key>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"async-invoke/[a-z0-9]{12,}"), "async-invoke/<id>"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "<id>"),
    (re.compile(r"\b\d{12}\b"), "<account>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.:+Z-]*|\b\d{8}T\d{6}Z\b"), "<time>"),
)


@dataclass(frozen=True, slots=True)
class Observation:
    """`shape`: JSON path to type. `answer`: the document itself, redacted."""

    status: int | None
    error_type: str | None = None
    message: str | None = None
    headers: tuple[str, ...] = ()
    shape: Mapping[str, str] = field(default_factory=dict)
    answer: Any = None


class Scrubber:
    """Takes out what names a customer: known names first (bucket, role, account), then whatever looks like an id."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = sorted(
            ((name, f"<{what}>") for what, name in names.items() if name), key=lambda each: -len(each[0])
        )

    def text(self, text: str) -> str:
        for name, what in self._names:
            text = text.replace(name, what)
        for pattern, what in _SCRUBS:
            text = pattern.sub(what, text)
        return " ".join(text.replace("\u2019", "'").split())

    def message(self, text: str) -> str:
        """Return an error's text; a long one may quote what was sent, so only its beginning."""
        clean = self.text(text)
        return clean if len(clean) <= _LONGEST_MESSAGE else clean[:_LONGEST_MESSAGE] + "…"

    def value(self, value: Any, key: str = "") -> Any:
        """Return a document without secrets; long texts and bytes as their hash and size."""
        if key.lower() in _SECRET:
            return "<secret>"
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(each, str(name)) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            # of a vector only its length: what it says of a picture is nobody's here
            vector = len(value) > _LONGEST_LIST and all(isinstance(each, (int, float)) for each in value)
            return {"numbers": len(value)} if vector else [self.value(each, key) for each in value]
        if isinstance(value, bytes):
            return digest(value)
        if isinstance(value, str):
            return self.text(value) if len(value) <= _LONGEST_KEPT else digest(value.encode())
        return value if value is None or isinstance(value, (bool, int, float)) else type(value).__name__


def digest(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def observe(call: Callable[[], Mapping[str, Any]], scrub: Scrubber) -> Observation:
    """Make a boto3 call and say what came of it. An error is an observation as well."""
    try:
        answer = dict(call())
    except ClientError as error:
        stated = error.response.get("Error", {})
        meta: Any = error.response.get("ResponseMetadata", {})
        return Observation(
            meta.get("HTTPStatusCode"),
            str(stated.get("Code", "")),
            scrub.message(str(stated.get("Message", ""))),
            _header_names(meta.get("HTTPHeaders", {})),
        )
    except BotoCoreError as error:
        return Observation(None, type(error).__name__)  # its text may quote the request
    meta = answer.get("ResponseMetadata", {})
    document = {name: value for name, value in answer.items() if name not in _NOT_COMPARED}
    if hasattr(document.get("body"), "read"):
        document["body"] = _json(document["body"].read())
    return Observation(
        meta.get("HTTPStatusCode"),
        headers=_header_names(meta.get("HTTPHeaders", {})),
        shape=shape_of(document),
        answer=scrub.value(document),
    )


def observe_put(url: str, data: bytes, headers: Mapping[str, str], scrub: Scrubber) -> Observation:
    """PUT to a presigned URL, as a browser or a tracker would."""
    request = urllib.request.Request(url, data=data, headers=dict(headers), method="PUT")  # noqa: S310 - made by boto3
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return Observation(answer.status, headers=_header_names(dict(answer.headers)))
    except urllib.error.HTTPError as error:
        with error:
            stated = _s3_error(error.read())
        names = _header_names(dict(error.headers))
        return Observation(error.code, stated.get("Code"), scrub.message(stated.get("Message", "")), names)
    except OSError as error:
        return Observation(None, type(error).__name__)


def shape_of(value: Any, path: str = "$") -> dict[str, str]:
    """Return every JSON path with its type. Of a list, all elements share the path `[]`."""
    if isinstance(value, Mapping):
        found = {path: "object"}
        for name, each in value.items():
            secret = str(name).lower() in _SECRET
            found |= {f"{path}.{name}": "secret"} if secret else shape_of(each, f"{path}.{name}")
        return found
    if isinstance(value, (list, tuple)):
        found = {path: "array"}
        for each in value:
            found |= shape_of(each, f"{path}[]")
        return found
    if isinstance(value, bool):
        return {path: "boolean"}
    names: dict[type, str] = {
        str: "string",
        int: "number",
        float: "number",
        bytes: "bytes",
        type(None): "null",
    }
    return {path: names.get(type(value), type(value).__name__)}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _s3_error(body: bytes) -> dict[str, str]:
    try:
        return {each.tag: each.text or "" for each in ET.fromstring(body)}  # noqa: S314 - S3's own error document
    except ET.ParseError:
        return {}


def _header_names(headers: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in headers}))
