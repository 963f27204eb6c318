"""Signatures of Standard Webhooks: HMAC-SHA256 as `v1`, ed25519 as `v1a`, over the exact bytes that are sent."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from circletake.ports import SigningSecret

_HMAC, _PRIVATE = "whsec_", "whsk_"
_HMAC_BYTES = range(24, 65)  # the specification's bounds
_SEED_BYTES = 32


class UnusableSecret(ValueError):
    """A signing secret that isn't one. The message never quotes it."""


def sign(message_id: str, timestamp: int, body: bytes, secrets: Sequence[SigningSecret]) -> str:
    """Return the `webhook-signature` header: one signature per secret, separated by spaces.

    `timestamp`: Unix seconds of this attempt. The signed bytes are `id.timestamp.body`, so an id may hold no dot.
    Raises UnusableSecret, and ValueError for an id that could be read two ways.
    """
    if (
        not message_id
        or not message_id.isascii()
        or not message_id.isprintable()
        or set(message_id) & set(". ")
    ):
        raise ValueError("a message id is printable ASCII without dots or spaces")
    if not secrets:
        raise UnusableSecret("a webhook is never sent unsigned: there is no secret")
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(_signature(content, secret) for secret in secrets)


def _signature(content: bytes, secret: SigningSecret) -> str:
    if secret.value.startswith(_HMAC):
        key = _decode(secret.value.removeprefix(_HMAC))
        if len(key) not in _HMAC_BYTES:
            raise UnusableSecret("a whsec_ secret holds 24 to 64 bytes")
        return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    if secret.value.startswith(_PRIVATE):
        signature = _private_key(_decode(secret.value.removeprefix(_PRIVATE))).sign(content)
        return "v1a," + base64.b64encode(signature).decode()
    raise UnusableSecret("a signing secret starts with whsec_ or whsk_")


def _private_key(raw: bytes) -> Ed25519PrivateKey:
    # Two forms are in use: the 32-byte seed of RFC 8032, and libsodium's 64 bytes, which add the public key.
    if len(raw) not in {_SEED_BYTES, 2 * _SEED_BYTES}:
        raise UnusableSecret("a whsk_ key holds 32 or 64 bytes")
    key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
    if raw[_SEED_BYTES:] not in {b"", key.public_key().public_bytes_raw()}:
        raise UnusableSecret("the two halves of a whsk_ key don't belong together")
    return key


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UnusableSecret("a signing secret is base64 after its prefix") from None
