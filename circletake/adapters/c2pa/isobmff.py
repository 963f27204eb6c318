"""XMP packets in MP4 and QuickTime files: a top-level `uuid` box at the end, so that no sample moves.

Sources: ISO/IEC 14496-12 §4.2 (boxes), XMP specification part 3 §1.1.5.
"""

# ruff: noqa: PLR2004 - the numbers are the format's own

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from circletake.adapters.c2pa.errors import XmpRefused

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_MAX_OLD_PACKET = 1 << 20


def boxes(file: BinaryIO) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (start, header length, size, type) of the top-level boxes. Raises XmpRefused on a broken layout."""
    length = file.seek(0, os.SEEK_END)
    start = 0
    while start < length:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            raise XmpRefused("the file ends inside a box")
        size, kind = struct.unpack_from(">I4s", header)
        header_length = 8
        if size == 1 and len(header) == 16:
            size, header_length = struct.unpack_from(">Q", header, 8)[0], 16
        elif size == 0:
            size = length - start
        if size < header_length or start + size > length:
            raise XmpRefused("the file ends inside a box")
        yield start, header_length, size, kind
        start += size


def find_packet(path: Path) -> bytes | None:
    """Return the packet of a top-level `uuid` box. Raises XmpRefused on a broken layout."""
    with path.open("rb") as file:
        for start, header_length, size, kind in boxes(file):
            file.seek(start + header_length)
            if kind == b"uuid" and size <= _MAX_OLD_PACKET and file.read(16) == XMP_UUID:
                return file.read(size - header_length - 16)
    return None


def replace_packet(path: Path, make: Callable[[bytes | None], bytes]) -> None:
    """Append `make(old packet)` to the file in place; an old packet's box becomes `free` space of the same size."""
    with path.open("r+b") as file:
        old: bytes | None = None
        found = list(boxes(file))
        if not any(kind in {b"ftyp", b"moov"} for _, _, _, kind in found):
            raise XmpRefused("not an MP4 or QuickTime file")
        for start, header_length, size, kind in found:
            file.seek(start + header_length)
            if kind != b"uuid" or file.read(16) != XMP_UUID:
                continue
            if old is None and size <= _MAX_OLD_PACKET:
                old = file.read(size - header_length - 16)
            file.seek(start + 4)
            file.write(b"free")
        _close_last_box(file, *found[-1][:3])
        packet = make(old)
        file.seek(0, os.SEEK_END)
        file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_UUID + packet)


def _close_last_box(file: BinaryIO, start: int, header_length: int, size: int) -> None:
    """Give a last box that runs to the end of the file its size in figures: something follows it now."""
    file.seek(start)
    if struct.unpack(">I", file.read(4))[0] != 0:
        return
    if header_length != 8 or size >= 1 << 32:
        raise XmpRefused("the last box is too large to be given a size")
    file.seek(start)
    file.write(struct.pack(">I", size))
