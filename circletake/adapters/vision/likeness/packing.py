"""Features as bytes: a version, then named arrays, deflated. Runs in a child process only."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

_VERSION = b"LK1"
_TYPES = ("|u1", "<f2", "<f4", "<u2", "<i2", "|i1", "<i4", "<u4")


class FeaturesFault(ValueError):
    """Bytes that this evaluator didn't make. The message never quotes them."""


def pack(arrays: Mapping[str, Any]) -> bytes:
    """Named arrays as bytes; kinds outside the list are narrowed to float32 or int32. Nothing in, nothing out."""
    if not arrays:
        return b""
    parts = []
    for name, values in arrays.items():
        array = np.asarray(values)
        if array.dtype.newbyteorder("<").str not in _TYPES and array.dtype.str not in _TYPES:
            array = array.astype("<f4" if array.dtype.kind == "f" else "<i4")
        array = np.ascontiguousarray(array)
        kind = _TYPES.index(array.dtype.str)
        key = name.encode()
        parts.append(
            struct.pack(f"<B{len(key)}sBB{array.ndim}I", len(key), key, kind, array.ndim, *array.shape)
        )
        parts.append(array.tobytes())
    return _VERSION + zlib.compress(b"".join(parts), 1)


def unpack(data: bytes) -> dict[str, Any]:
    """The arrays of `pack`. Raises FeaturesFault."""
    if not data:
        return {}
    if not data.startswith(_VERSION):
        raise FeaturesFault("the features are of another evaluator or version: look at the picture again")
    try:
        return _arrays(zlib.decompress(data[len(_VERSION) :]))
    except (zlib.error, struct.error, ValueError, IndexError) as fault:
        raise FeaturesFault("the features are damaged: look at the picture again") from fault


def _arrays(body: bytes) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    at = 0
    while at < len(body):
        length = body[at]
        name = body[at + 1 : at + 1 + length].decode()
        at += 1 + length
        kind, dimensions = body[at], body[at + 1]
        shape = struct.unpack_from(f"<{dimensions}I", body, at + 2)
        at += 2 + 4 * dimensions
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(body, _TYPES[kind], count, at)
        at += values.nbytes
        arrays[name] = values.reshape(shape)
    return arrays
