"""Keyset cursors: opaque, signed, without totals."""

import base64
import binascii
import hashlib
import hmac
import json

_MAC_BYTES = 12


class BadCursor(ValueError):
    """A cursor that this service did not give out, or for another list."""


class Cursors:
    """Makes and reads cursors; a cursor of one list isn't taken by another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, purpose: str, *position: str) -> str:
        body = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(purpose, body) + body).decode().rstrip("=")

    def read(self, purpose: str, cursor: str) -> list[str]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            raise BadCursor("not a cursor") from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(purpose, body)):
            raise BadCursor("not a cursor of this list")
        return [str(part) for part in json.loads(body)]

    def _mac(self, purpose: str, body: bytes) -> bytes:
        return hmac.new(self._secret, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]
