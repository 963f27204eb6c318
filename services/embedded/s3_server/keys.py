"""Symmetric KMS operations with authenticated ciphertexts: ministack XORs with a pad."""

# ruff: noqa: SLF001 - ministack has no public interface for any of this; it is pinned exactly

import base64
import functools
import json
import os
from collections.abc import Callable
from typing import Any

Operation = Callable[..., Any]

_KEY_ID_BYTES = 36
_NONCE_BYTES = 12
_MAX_PLAINTEXT_BYTES = 4096  # AWS KMS API reference, Encrypt
_OK = 200


class _KeyFault(Exception):
    """A ciphertext that this key and context did not make."""


def _context_bytes(key_id: str, context: dict[str, str] | None) -> bytes:
    return json.dumps([key_id, context or {}], sort_keys=True).encode()


def wrap(key: dict[str, Any], plaintext: bytes, context: dict[str, str] | None) -> bytes:
    """Key id, nonce, then AES-256-GCM under the key, with key id and encryption context authenticated."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key["_symmetric_key"]).encrypt(nonce, plaintext, _context_bytes(key["KeyId"], context))
    return bytes(key["KeyId"].encode() + nonce + sealed)


def unwrap(key: dict[str, Any] | None, ciphertext: bytes, context: dict[str, str] | None) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if key is None or "_symmetric_key" not in key:
        raise _KeyFault
    nonce = ciphertext[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
    sealed = ciphertext[_KEY_ID_BYTES + _NONCE_BYTES :]
    try:
        return AESGCM(key["_symmetric_key"]).decrypt(nonce, sealed, _context_bytes(key["KeyId"], context))
    except (InvalidTag, ValueError):
        raise _KeyFault from None


def authenticate_ciphertexts(kms: Any) -> None:
    """Replace ministack's symmetric Encrypt, Decrypt and GenerateDataKey; other keys keep its own."""
    kms._encrypt = functools.partial(_encrypt, kms, kms._encrypt)
    kms._decrypt = functools.partial(_decrypt, kms, kms._decrypt)
    kms._generate_data_key_common = functools.partial(_data_key, kms._generate_data_key_common)


def _encrypt(kms: Any, original: Operation, data: dict[str, Any]) -> Any:
    key = kms._resolve_key(data.get("KeyId", ""))
    answer = original(data)
    if answer[0] != _OK or "_symmetric_key" not in key:
        return answer
    plaintext = base64.b64decode(data.get("Plaintext", ""))
    if not 1 <= len(plaintext) <= _MAX_PLAINTEXT_BYTES:
        return kms.error_response_json("ValidationException", "Plaintext must be 1 to 4096 bytes", 400)
    sealed = wrap(key, plaintext, data.get("EncryptionContext"))
    return _answer(kms, key, CiphertextBlob=sealed)


def _decrypt(kms: Any, original: Operation, data: dict[str, Any]) -> Any:
    ciphertext = base64.b64decode(data.get("CiphertextBlob", ""))
    named = kms._resolve_key(data.get("KeyId", ""))
    if data.get("KeyId") and (named is None or "_symmetric_key" not in named):
        return original(data)
    key = kms._resolve_key(ciphertext[:_KEY_ID_BYTES].decode("ascii", errors="replace"))
    if named is not None and key is not None and named is not key:
        return kms.error_response_json(
            "IncorrectKeyException", "The ciphertext was made by another key.", 400
        )
    if key is not None and (unusable := kms._check_key_state(key)):
        return unusable
    try:
        plaintext = unwrap(key, ciphertext, data.get("EncryptionContext"))
    except _KeyFault:
        return kms.error_response_json("InvalidCiphertextException", "", 400)
    return _answer(kms, key, Plaintext=plaintext)


def _data_key(original: Operation, data: dict[str, Any], action: str = "GenerateDataKey") -> Any:
    key, plaintext, rest = original(data, action)
    if key is None:
        return key, plaintext, rest
    return key, plaintext, wrap(key, plaintext, data.get("EncryptionContext"))


def _answer(kms: Any, key: dict[str, Any], **blob: bytes) -> Any:
    encoded = {name: base64.b64encode(value).decode() for name, value in blob.items()}
    return kms.json_response({"KeyId": key["Arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", **encoded})
