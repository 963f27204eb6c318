"""PNG containers: walk the chunks before anything is decoded, carry colour and size chunks to a new file.

Chunk layout and colour types: W3C PNG Third Edition, §5 and §11.
"""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.exif import orientation_of
from circletake.adapters.vision.magic import Bytes, Header, refuse_markup, refuse_profile, refuse_tail
from circletake.ports import PictureRefused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What tells how the numbers are meant to look, and how large the picture is: it belongs to every copy of the pixels.
CARRIED = (b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"pHYs")
_MAX_CHUNKS = 1_000_000
_MAX_OTHER_CHUNKS = 4_096
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SLICE = 1 << 20


class Chunk(NamedTuple):
    name: bytes
    start: int  # of its data
    length: int

    @property
    def end(self) -> int:
        """The first byte after its CRC."""
        return self.start + self.length + 4


@dataclass(frozen=True, slots=True)
class _Head:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def raw_bytes(self) -> int:
        """Bytes of the unpacked, still filtered image data."""
        bits = self.depth * _SAMPLES[self.colour]
        if not self.interlaced:
            return self.height * (1 + (self.width * bits + 7) // 8)
        total = 0
        for left, top, step_x, step_y in _ADAM7:
            width = max(0, -(-(self.width - left) // step_x))
            height = max(0, -(-(self.height - top) // step_y))
            if width and height:
                total += height * (1 + (width * bits + 7) // 8)
        return total


def chunks(data: Bytes) -> Iterator[Chunk]:
    """Yield every chunk up to IEND, its CRC checked; raises PictureRefused 'truncated' when one is cut or damaged."""
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise PictureRefused("truncated", "the PNG ends in the middle: upload it again")
        length, name = struct.unpack(">I4s", data[at : at + 8])
        chunk = Chunk(name, at + 8, length)
        if chunk.end > len(data):
            raise PictureRefused("truncated", "the PNG ends in the middle: upload it again")
        if _crc(data, at + 4, chunk.start + length) != int.from_bytes(data[chunk.end - 4 : chunk.end], "big"):
            raise PictureRefused(
                "truncated", f"the PNG is damaged (checksum of {_name(name)}): export it again"
            )
        yield chunk
        if name == b"IEND":
            return
        at = chunk.end
    raise PictureRefused("bomb", "the PNG has too many chunks: export it again")


def _crc(data: Bytes, start: int, end: int) -> int:
    value = 0
    for at in range(start, end, _SLICE):
        value = zlib.crc32(data[at : min(end, at + _SLICE)], value)
    return value


def _name(name: bytes) -> str:
    return name.decode("ascii", "replace") if name.isalpha() else "an unnamed chunk"


def read_header(data: Bytes, bounds: Bounds) -> Header:
    """Check a PNG's whole container and return what its header announces; bounds are checked by the caller first.

    Raises PictureRefused: truncated, bomb, polyglot, unsupported.
    """
    head = read_size(data)
    found: dict[bytes, Chunk] = {}
    spans: list[Chunk] = []
    others = 0
    end = 0
    for chunk in chunks(data):
        end = chunk.end
        if chunk.name == b"IDAT":
            spans.append(chunk)
            continue
        others += 1
        if others > _MAX_OTHER_CHUNKS:
            raise PictureRefused("bomb", "the PNG has too many metadata chunks: export it without metadata")
        found.setdefault(chunk.name, chunk)
        _check_metadata(data, chunk, bounds)
    if b"acTL" in found:
        raise PictureRefused("unsupported", "animated PNG isn't taken: send one frame, or an MP4")
    if b"tRNS" in found and head.colour == 0:
        raise PictureRefused(
            "unsupported", "a grey PNG with one transparent grey isn't taken: export it with an alpha channel"
        )
    refuse_tail(data, end)
    _check_image_data(data, spans, head)
    orientation = 1
    if exif := found.get(b"eXIf"):
        orientation = orientation_of(data[exif.start : exif.start + exif.length])
    transparent = b"tRNS" in found
    channels = 3 if head.colour == 3 else _SAMPLES[head.colour]
    return Header(
        width=head.width,
        height=head.height,
        channels=channels + transparent,
        bit_depth=16 if head.depth == 16 else 8,
        has_alpha=transparent or head.colour in {4, 6},
        icc_profile=b"iCCP" in found,
        orientation=orientation,
    )


def read_size(data: Bytes) -> _Head:
    """Read IHDR alone, so that a size can be refused before the file is walked."""
    if len(data) < 33 or data[8:16] != b"\x00\x00\x00\rIHDR":
        raise PictureRefused("truncated", "the PNG has no header: export it again")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if depth not in _DEPTHS.get(colour, ()) or not width or not height:
        raise PictureRefused("unsupported", "the PNG's header makes no sense: export it again")
    return _Head(width, height, depth, colour, interlace == 1)


def _check_metadata(data: Bytes, chunk: Chunk, bounds: Bounds) -> None:
    body = data[chunk.start : chunk.start + min(chunk.length, bounds.max_metadata_bytes)]
    if chunk.name == b"iCCP":
        refuse_profile(_unpack(body.partition(b"\x00")[2][1:], bounds))
    elif chunk.name == b"zTXt":
        refuse_markup(_unpack(body.partition(b"\x00")[2][1:], bounds))
    elif chunk.name == b"iTXt":
        _, _, rest = body.partition(b"\x00")
        text = rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
        refuse_markup(_unpack(text, bounds) if rest[:1] == b"\x01" else text)
    elif chunk.name == b"tEXt":
        refuse_markup(body)


def _unpack(packed: bytes, bounds: Bounds) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, bounds.max_metadata_bytes)
    except zlib.error:
        raise PictureRefused(
            "truncated", "the PNG's packed metadata is damaged: export it without metadata"
        ) from None
    if unpacker.unconsumed_tail:
        raise PictureRefused("bomb", "the PNG's metadata unpacks to far too much: export it without metadata")
    return text


def _check_image_data(data: Bytes, spans: list[Chunk], head: _Head) -> None:
    expected = head.raw_bytes()
    packed = sum(span.length for span in spans)
    if packed * 1032 + 64 < expected:  # deflate's best ratio
        raise PictureRefused(
            "bomb", f"{packed} bytes can't hold the {head.width}×{head.height} pixels the PNG announces"
        )
    unpacker = zlib.decompressobj()
    total = 0
    try:
        for span in spans:
            for at in range(span.start, span.start + span.length, _SLICE):
                piece = data[at : min(span.start + span.length, at + _SLICE)]
                while piece and total <= expected and not unpacker.eof:
                    total += len(unpacker.decompress(piece, _SLICE * 4))
                    piece = unpacker.unconsumed_tail
    except zlib.error:
        raise PictureRefused("truncated", "the PNG's image data is damaged: export it again") from None
    if total > expected:
        raise PictureRefused("bomb", "the PNG unpacks to more than its header announces: export it again")
    if total < expected:
        raise PictureRefused("truncated", "the PNG's image data ends early: export it again")
    if unpacker.unused_data:
        raise PictureRefused("polyglot", "more data follows the PNG's image data: export it again")


def carried_chunks(path: Path) -> list[bytes]:
    """Return the plate's chunks about colour and size, whole as they stand in the file."""
    data = path.read_bytes()
    return [data[chunk.start - 8 : chunk.end] for chunk in chunks(data) if chunk.name in CARRIED]


def with_chunks(encoded: bytes, carried: list[bytes]) -> bytes:
    """Put chunks right behind IHDR of an encoded PNG, in place of any of the same name."""
    names = {chunk[4:8] for chunk in carried}
    pieces = [SIGNATURE]
    for chunk in chunks(encoded):
        if chunk.name in names:
            continue
        pieces.append(encoded[chunk.start - 8 : chunk.end])
        if chunk.name == b"IHDR":
            pieces.extend(carried)
    return b"".join(pieces)


def profile_chunk(profile: bytes) -> bytes:
    """Pack an ICC profile as an iCCP chunk."""
    return make_chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(profile))


def make_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))
