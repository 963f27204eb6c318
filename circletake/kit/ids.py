"""Identifiers: time-ordered UUIDs (RFC 9562 version 7), so that an index on an id grows at its end."""

import secrets
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


def new_id() -> UUID:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    millis = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=(millis << 80) | _VERSION_7 | (high << 64) | _VARIANT | low)
