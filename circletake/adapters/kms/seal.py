"""AES-256-GCM under a tenant's data key."""

import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from circletake.ports import SealBroken

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FORMAT = b"\x01"


class AesSeal:
    """Seal of one tenant.

    Sealed: one format byte (1), a random 96-bit nonce, the ciphertext, its 128-bit tag. Authenticated beside it: the
    format, the tenant's id and the place. Encryption and keyed hash use separate keys, derived by HKDF-SHA-256
    (RFC 5869). Random nonces bound a data key to 2^32 sealed texts (NIST SP 800-38D, 8.3).
    """

    __slots__ = ("_cipher", "_hash_key", "_tenant")

    def __init__(self, data_key: bytes, tenant_id: UUID) -> None:
        if len(data_key) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes, not {len(data_key)}")
        self._tenant = tenant_id.bytes
        self._cipher = AESGCM(self._derive(data_key, b"circletake/seal/encrypt"))
        self._hash_key = self._derive(data_key, b"circletake/seal/hash")

    def close(self, text: str | bytes, *, place: str) -> bytes:
        plain = text.encode() if isinstance(text, str) else text
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, self._bound_to(place))

    def open(self, sealed: bytes, *, place: str) -> bytes:
        if len(sealed) < len(_FORMAT) + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _FORMAT:
            raise SealBroken("not sealed content of a format this version knows")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, self._bound_to(place))
        except InvalidTag:
            raise SealBroken("the bytes, the tenant or the place are not the ones they were") from None

    def keyed_hash(self, data: bytes) -> str:
        return hmac.digest(self._hash_key, data, "sha256").hex()

    def _derive(self, data_key: bytes, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=self._tenant, info=purpose).derive(data_key)

    def _bound_to(self, place: str) -> bytes:
        return _FORMAT + self._tenant + place.encode()
