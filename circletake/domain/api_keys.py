"""API keys: `ct_live_<key id>_<secret><checksum>`.

The checksum lets a secret scanner and the gateway tell a mistyped key from a revoked one without a database
(GitHub's token format); the secret is 256 random bits, so a plain SHA-256 of it is enough to store.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

_ALPHABET = string.digits + string.ascii_letters
_SHAPE = re.compile(r"ct_live_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"  # film context, media
    GENERATE = "generate"
    REVIEW = "review"  # of people who choose and approve; on a key it allows nothing
    WEBHOOKS = "webhooks"


ALL_SCOPES = tuple(scope.value for scope in Scope)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key: `text` is shown once and never stored."""

    key_id: str
    text: str = field(repr=False)
    secret_hash: bytes = field(repr=False)


def issue() -> IssuedKey:
    key_id, secret = _random(16), _random(43)
    body = f"ct_live_{key_id}_{secret}"
    return IssuedKey(key_id, body + _checksum(body), hashlib.sha256(secret.encode()).digest())


def parse(text: str) -> tuple[str, bytes] | None:
    """Return (key id, hash of the secret), or None for what can't be a key."""
    match = _SHAPE.fullmatch(text)
    if match is None or not hmac.compare_digest(_checksum(text[:-6]), match[3]):
        return None
    return match[1], hashlib.sha256(match[2].encode()).digest()
