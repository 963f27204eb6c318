"""Canonical JSON and hashes over it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """Serialise as RFC 8785 does for what we put in: strings, integers, booleans, null, lists and objects.

    Floats are refused: two runtimes may write them differently, and a commitment must be reproducible.
    """
    _refuse_floats(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a canonical document carries no floats; write the number as a string")
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def commitment(salt: bytes, document: bytes) -> bytes:
    """SHA-256(salt || document): says nothing without both, binds to exactly these bytes."""
    return hashlib.sha256(salt + document).digest()
