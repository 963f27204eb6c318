"""XMP packets in TIFF and BigTIFF files (tag 700): a new first directory at the end, every strip stays where it is.

The old directory's bytes remain in the file, unreferenced. Sources: TIFF 6.0 §2, the BigTIFF layout as in libtiff,
XMP specification part 3 §1.1.6.
"""

# ruff: noqa: PLR2004 - the numbers are the format's own

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from circletake.adapters.c2pa.errors import XmpRefused

XMP_TAG = 700
_BYTE = 1
_BYTES_OF_TYPE = {1: 1, 2: 1, 6: 1, 7: 1}  # the types a packet may be stored as
_MAX_OLD_PACKET = 1 << 20
_MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    order: str  # "<" or ">"
    big: bool

    @property
    def offset_code(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def count_code(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def entry_code(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def pointer_at(self) -> int:
        return 8 if self.big else 4


def _layout(file: BinaryIO) -> _Layout:
    file.seek(0)
    header = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or len(header) < 8:
        raise XmpRefused("not a TIFF file")
    version, second, third = struct.unpack(order + "HHH", header[2:8])
    if version == 42:
        return _Layout(order, big=False)
    if version == 43 and (second, third) == (8, 0):
        return _Layout(order, big=True)
    raise XmpRefused("not a TIFF file")


def _read(file: BinaryIO, code: str) -> tuple[int, ...]:
    data = file.read(struct.calcsize(code))
    if len(data) < struct.calcsize(code):
        raise XmpRefused("the TIFF file is cut off")
    return struct.unpack(code, data)


def find_packet(path: Path) -> bytes | None:
    """Return the packet of the first directory. Raises XmpRefused on a broken layout."""
    with path.open("rb") as file:
        layout = _layout(file)
        return _old_packet(file, layout, _first_directory(file, layout)[0])


def replace_packet(path: Path, make: Callable[[bytes | None], bytes]) -> None:
    """Point the file, in place, at a first directory that holds `make(old packet)`."""
    with path.open("r+b") as file:
        layout = _layout(file)
        entries, following = _first_directory(file, layout)
        old = _old_packet(file, layout, entries)
        kept = [(tag, entry) for tag, entry in entries if tag != XMP_TAG]
        _append(file, layout, kept, following, make(old))


def _first_directory(file: BinaryIO, layout: _Layout) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return its entries with their tags, and where the next directory is said to stand."""
    file.seek(layout.pointer_at)
    (first,) = _read(file, layout.offset_code)
    file.seek(first)
    (count,) = _read(file, layout.count_code)
    if not 0 < count <= _MAX_ENTRIES:
        raise XmpRefused("the TIFF file's first directory is broken")
    size = struct.calcsize(layout.entry_code)
    entries = [file.read(size) for _ in range(count)]
    if len(entries[-1]) < size:
        raise XmpRefused("the TIFF file is cut off")
    following = file.read(struct.calcsize(layout.offset_code))
    return [(struct.unpack_from(layout.order + "H", entry)[0], entry) for entry in entries], following


def _old_packet(file: BinaryIO, layout: _Layout, entries: list[tuple[int, bytes]]) -> bytes | None:
    return next((_packet(file, layout, entry) for tag, entry in entries if tag == XMP_TAG), None)


def _packet(file: BinaryIO, layout: _Layout, entry: bytes) -> bytes | None:
    _, kind, count, value = struct.unpack(layout.entry_code, entry)
    if kind not in _BYTES_OF_TYPE or not len(value) < count <= _MAX_OLD_PACKET:
        return None
    file.seek(struct.unpack(layout.offset_code, value)[0])
    return file.read(count)


def _append(
    file: BinaryIO, layout: _Layout, kept: list[tuple[int, bytes]], following: bytes, packet: bytes
) -> None:
    end = file.seek(0, os.SEEK_END)
    file.write(b"\0" * (-end % 8))  # offsets are even; eight suits both layouts
    packet_at = file.tell()
    file.write(packet + b"\0" * (-len(packet) % 8))
    directory_at = file.tell()
    _need_room(layout, directory_at)
    value = struct.pack(layout.offset_code, packet_at)
    entries = sorted(
        [*kept, (XMP_TAG, struct.pack(layout.entry_code, XMP_TAG, _BYTE, len(packet), value))],
        key=lambda entry: entry[0],  # readers may rely on ascending tags
    )
    file.write(struct.pack(layout.count_code, len(entries)))
    file.write(b"".join(entry for _, entry in entries) + following)
    file.seek(layout.pointer_at)
    file.write(struct.pack(layout.offset_code, directory_at))


def _need_room(layout: _Layout, offset: int) -> None:
    if not layout.big and offset + (1 << 20) >= 1 << 32:
        raise XmpRefused("a TIFF file of 4 GiB has no room left; BigTIFF has")
