"""XMP packets in PNG, JPEG and WebP: find the one that is there, put another in its place.

Every chunk or segment that isn't the packet is copied byte for byte. Sources: PNG third edition §11.3.3.4 (iTXt),
XMP specification part 3 §1.1.3 (JPEG APP1), the WebP container specification (VP8X, `XMP `).
"""

# ruff: noqa: PLR2004 - the numbers are the format's own

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from circletake.adapters.c2pa.errors import XmpRefused

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_INFLATED = 1 << 20


@dataclass(frozen=True, slots=True)
class Container:
    find: Callable[[bytes], bytes | None]
    insert: Callable[[bytes, bytes], bytes]


# --- PNG --------------------------------------------------------------------------------------------------------


def _png_chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start, end, type) of every chunk."""
    if not data.startswith(_PNG_SIGNATURE):
        raise XmpRefused("not a PNG file")
    offset = len(_PNG_SIGNATURE)
    while offset + 12 <= len(data):
        end = offset + 12 + struct.unpack_from(">I", data, offset)[0]
        if end > len(data):
            raise XmpRefused("the PNG file is cut off")
        yield offset, end, data[offset + 4 : offset + 8]
        offset = end


def _png_is_packet(data: bytes, start: int, kind: bytes) -> bool:
    return kind == b"iTXt" and data.startswith(_PNG_KEYWORD, start + 8)


def _png_find(data: bytes) -> bytes | None:
    for start, end, kind in _png_chunks(data):
        if not _png_is_packet(data, start, kind):
            continue
        rest = data[start + 8 + len(_PNG_KEYWORD) : end - 4]
        compressed, after_method = rest[:1] == b"\1", rest[2:]
        text = after_method.split(b"\0", 2)[-1]  # language tag and translated keyword stand before it
        if not compressed:
            return text
        try:
            return zlib.decompressobj().decompress(text, _MAX_INFLATED)
        except zlib.error:
            return None
    return None


def _png_insert(data: bytes, packet: bytes) -> bytes:
    body = b"iTXt" + _PNG_KEYWORD + b"\0\0\0\0" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    parts = [_PNG_SIGNATURE]
    for start, end, kind in _png_chunks(data):
        if not _png_is_packet(data, start, kind):
            parts.append(data[start:end])
        if kind == b"IHDR":
            parts.append(chunk)
    return b"".join(parts)


# --- JPEG -------------------------------------------------------------------------------------------------------


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, marker) of the segments before the picture data; the last is what remains (marker 0)."""
    if not data.startswith(b"\xff\xd8"):
        raise XmpRefused("not a JPEG file")
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # fill byte
            yield offset, offset + 1, 0xFF
            offset += 1
            continue
        if marker == 0xDA:
            break
        end = offset + 2 + struct.unpack_from(">H", data, offset + 2)[0]
        if end > len(data):
            raise XmpRefused("the JPEG file is cut off")
        yield offset, end, marker
        offset = end
    yield offset, len(data), 0


def _jpeg_is_packet(data: bytes, start: int, marker: int) -> bool:
    return marker == 0xE1 and data.startswith(_JPEG_HEADER, start + 4)


def _jpeg_find(data: bytes) -> bytes | None:
    for start, end, marker in _jpeg_segments(data):
        if _jpeg_is_packet(data, start, marker):
            return data[start + 4 + len(_JPEG_HEADER) : end]
    return None


def _jpeg_insert(data: bytes, packet: bytes) -> bytes:
    payload = _JPEG_HEADER + packet
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    head: list[bytes] = [b"\xff\xd8"]
    tail: list[bytes] = []
    for start, end, marker in _jpeg_segments(data):
        if _jpeg_is_packet(data, start, marker):
            continue
        is_exif = marker == 0xE1 and data.startswith(b"Exif\0\0", start + 4)
        # JFIF and Exif each want to be first; the packet comes right after them
        (head if not tail and (marker == 0xE0 or is_exif) else tail).append(data[start:end])
    return b"".join([*head, segment, *tail])


# --- WebP -------------------------------------------------------------------------------------------------------


def _webp_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise XmpRefused("not a WebP file")
    chunks, offset = [], 12
    while offset + 8 <= len(data):
        size = struct.unpack_from("<I", data, offset + 4)[0]
        if offset + 8 + size > len(data):
            raise XmpRefused("the WebP file is cut off")
        chunks.append((data[offset : offset + 4], data[offset + 8 : offset + 8 + size]))
        offset += 8 + size + (size & 1)
    if not chunks:
        raise XmpRefused("the WebP file is empty")
    return chunks


def _webp_find(data: bytes) -> bytes | None:
    return next((body for kind, body in _webp_chunks(data) if kind == b"XMP "), None)


def _webp_canvas(kind: bytes, body: bytes) -> tuple[int, int, bool]:
    """Return width, height and alpha of a simple file's only picture (RFC 9649 §2.5, §3.4; RFC 6386 §9.1)."""
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = struct.unpack_from("<I", body, 1)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF, False
    raise XmpRefused("the WebP file has no picture")


def _webp_insert(data: bytes, packet: bytes) -> bytes:
    chunks = [(kind, body) for kind, body in _webp_chunks(data) if kind != b"XMP "]
    kind, body = chunks[0]
    if kind == b"VP8X":
        chunks[0] = (kind, bytes([body[0] | 0x04]) + body[1:])
    else:
        width, height, alpha = _webp_canvas(kind, body)
        flags = 0x04 | (0x10 if alpha else 0)
        extended = (
            bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        )
        chunks.insert(0, (b"VP8X", extended))
    chunks.append((b"XMP ", packet))
    riff = b"".join(
        kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1) for kind, body in chunks
    )
    return b"RIFF" + struct.pack("<I", len(riff) + 4) + b"WEBP" + riff


CONTAINERS = {
    "image/png": Container(_png_find, _png_insert),
    "image/jpeg": Container(_jpeg_find, _jpeg_insert),
    "image/webp": Container(_webp_find, _webp_insert),
}
