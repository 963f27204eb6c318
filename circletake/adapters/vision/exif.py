"""The one EXIF field that changes pixels: orientation (tag 274; CIPA DC-008)."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import struct

_ORIENTATION = 274


def orientation_of(exif: bytes) -> int:
    """Return 1–8 from an EXIF block (a small TIFF); 1 when there is none or it can't be read."""
    block = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (at,) = struct.unpack(order + "I", block[4:8])
    if at + 2 > len(block):
        return 1
    (entries,) = struct.unpack(order + "H", block[at : at + 2])
    for start in range(at + 2, min(at + 2 + entries * 12, len(block) - 11), 12):
        tag, kind = struct.unpack(order + "HH", block[start : start + 4])
        if tag == _ORIENTATION and kind == 3:
            (value,) = struct.unpack(order + "H", block[start + 8 : start + 10])
            return value if 1 <= value <= 8 else 1
    return 1
