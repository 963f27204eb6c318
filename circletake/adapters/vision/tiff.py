"""TIFF containers: walk directories and strips before anything is decoded (TIFF 6.0; BigTIFF as libtiff has it)."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.magic import Bytes, Header, refuse_profile, refuse_tail
from circletake.ports import PictureRefused

_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MAX_ENTRIES = 4_096
_MAX_DIRECTORIES = 64
_MAX_TILE_SIDE = 8_192
_CUT = "the TIFF ends in the middle: upload it again"

(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER) = (256, 257, 258, 259, 262, 266)
(STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES) = (273, 274, 277, 278, 279)
(PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES) = (284, 317, 322, 323, 324, 325)
(SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT, ICC) = (330, 338, 339, 34675)
_POINTERS = {SUB_DIRECTORIES, 34665, 34853, 40965}
_DEFLATE = {8, 32946}
_LIBTIFF_ONLY = {5, 32773}  # LZW, PackBits
UNASSOCIATED, ASSOCIATED = 2, 1

_WANTED = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES),
    *(ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES),
    *(EXTRA_SAMPLES, SAMPLE_FORMAT, *_POINTERS),
}


@dataclass
class _Directory:
    values: dict[int, Sequence[int]]
    blocks: dict[int, tuple[int, int]]  # tag -> where its bytes stand
    next_at: int

    def one(self, tag: int, default: int) -> int:
        found = self.values.get(tag)
        return found[0] if found else default


@dataclass
class _Walker:
    """Reads directories and remembers how far into the file anything reaches."""

    data: Bytes
    order: str
    big: bool
    end: int = 8
    seen: set[int] = field(default_factory=set)

    def cover(self, start: int, length: int) -> None:
        if start < 0 or start + length > len(self.data):
            raise PictureRefused("truncated", _CUT)
        self.end = max(self.end, start + length)

    def number(self, form: str, at: int) -> int:
        size = struct.calcsize(self.order + form)
        self.cover(at, size)
        return int(struct.unpack(self.order + form, self.data[at : at + size])[0])

    def directory(self, at: int) -> _Directory:
        if at in self.seen or len(self.seen) >= _MAX_DIRECTORIES:
            raise PictureRefused("bomb", "the TIFF's directories go in circles: export it again")
        self.seen.add(at)
        entries = self.number("Q" if self.big else "H", at)
        if entries > _MAX_ENTRIES:
            raise PictureRefused("bomb", "the TIFF has too many tags: export it again")
        first, step = (at + 8, 20) if self.big else (at + 2, 12)
        found = _Directory({}, {}, 0)
        for entry in range(first, first + entries * step, step):
            self._entry(entry, found)
        found.next_at = self.number("Q" if self.big else "I", first + entries * step)
        self._reach(found)
        return found

    def _entry(self, at: int, into: _Directory) -> None:
        tag, kind = self.number("H", at), self.number("H", at + 2)
        count = self.number("Q" if self.big else "I", at + 4)
        size = _TYPE_BYTES.get(kind, 0) * count
        inline, value_at = (8, at + 12) if self.big else (4, at + 8)
        if size > inline:
            value_at = self.number("Q" if self.big else "I", value_at)
        self.cover(value_at, size)
        into.blocks[tag] = (value_at, size)
        if tag in _WANTED and kind in _INTEGERS:
            form = f"{self.order}{count}{_INTEGERS[kind]}"
            into.values[tag] = struct.unpack(form, self.data[value_at : value_at + size])

    def _reach(self, found: _Directory) -> None:
        pairs = ((STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES), (513, 514))
        for offsets, counts in pairs:
            starts, lengths = found.values.get(offsets, ()), found.values.get(counts, ())
            for start, length in zip(starts, lengths, strict=False):
                self.cover(start, length)
        for pointer in _POINTERS & found.values.keys():
            for at in found.values[pointer]:
                if at not in self.seen:
                    self.directory(at)


def _open(data: Bytes) -> tuple[_Walker, _Directory]:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in {b"+\x00", b"\x00+"}
    walker = _Walker(data, order, big, end=16 if big else 8)
    first = walker.number("Q", 8) if big else walker.number("I", 4)
    return walker, walker.directory(first)


def read_size(data: Bytes) -> Header:
    """Read the first directory; raises PictureRefused on anything but one 8- or 16-bit grey or RGB picture."""
    _, found = _open(data)
    if found.next_at:
        raise PictureRefused("unsupported", "a TIFF of several pages isn't taken: send one page per file")
    width, height = found.one(WIDTH, 0), found.one(HEIGHT, 0)
    if not width or not height:
        raise PictureRefused("unsupported", "the TIFF doesn't say its size: export it again")
    samples = found.one(SAMPLES, 1)
    bits = set(found.values.get(BITS, (1,)))
    if len(bits) != 1 or not bits <= {8, 16} or set(found.values.get(SAMPLE_FORMAT, (1,))) != {1}:
        raise PictureRefused(
            "unsupported",
            "only 8- and 16-bit integer TIFF is taken: convert float, 1-bit or 32-bit to 16-bit",
        )
    colours = {1: 1, 2: 3}.get(found.one(PHOTOMETRIC, 1))
    if colours is None:
        raise PictureRefused(
            "unsupported",
            "only grey (black is zero) and RGB TIFF is taken: convert CMYK, palette, Lab or YCbCr",
        )
    if samples not in {colours, colours + 1}:
        raise PictureRefused(
            "unsupported", f"{samples} channels in one TIFF: export grey or RGB with one alpha"
        )
    if found.one(FILL_ORDER, 1) != 1:
        raise PictureRefused("unsupported", "the TIFF's bits run backwards (FillOrder 2): export it again")
    return Header(
        width,
        height,
        samples,
        bits.pop(),
        has_alpha=samples > colours,
        icc_profile=ICC in found.blocks,
        orientation=found.one(ORIENTATION, 1),
    )


def read_header(data: Bytes, bounds: Bounds) -> Header:
    """Check a TIFF's whole container and return what its header announces.

    Raises PictureRefused: truncated, bomb, polyglot, unsupported.
    """
    header = read_size(data)
    walker, found = _open(data)
    _check_compression(found, header)
    _check_pieces(data, found, header)
    if ICC in found.blocks:
        start, length = found.blocks[ICC]
        if length > bounds.max_metadata_bytes:
            raise PictureRefused("bomb", "the TIFF's ICC profile is far too large: export it again")
        refuse_profile(data[start : start + length])
    refuse_tail(data, walker.end)
    return header


def _check_compression(found: _Directory, header: Header) -> None:
    compression = found.one(COMPRESSION, 1)
    if compression not in {1, *_DEFLATE, *_LIBTIFF_ONLY}:
        raise PictureRefused(
            "unsupported", f"TIFF compression {compression} isn't taken: use none, ZIP (Deflate) or LZW"
        )
    if found.one(PREDICTOR, 1) not in {1, 2}:
        raise PictureRefused("unsupported", "the TIFF's predictor isn't taken: use ZIP or no compression")
    # libtiff's readers multiply or divide 8-bit colours by such alpha, and then the pixels aren't the file's
    if compression in _LIBTIFF_ONLY and header.has_alpha:
        extra = found.one(EXTRA_SAMPLES, 0)
        if header.channels == 2 or (header.bit_depth == 8 and extra != UNASSOCIATED):
            raise PictureRefused(
                "unsupported", "LZW with this kind of alpha isn't taken: use ZIP (Deflate) or no compression"
            )


def _check_pieces(data: Bytes, found: _Directory, header: Header) -> None:
    sample = header.bit_depth // 8
    planes = header.channels if found.one(PLANAR, 1) == 2 else 1
    per_pixel = sample * (1 if planes > 1 else header.channels)
    if TILE_WIDTH in found.values:
        tile_width, tile_height = found.one(TILE_WIDTH, 0), found.one(TILE_HEIGHT, 0)
        if not 0 < tile_width <= _MAX_TILE_SIDE or not 0 < tile_height <= _MAX_TILE_SIDE:
            raise PictureRefused("bomb", "the TIFF's tiles are too large: export it in strips")
        across, down = -(-header.width // tile_width), -(-header.height // tile_height)
        sizes = [tile_width * tile_height * per_pixel] * (across * down * planes)
        starts, lengths = found.values.get(TILE_OFFSETS, ()), found.values.get(TILE_BYTES, ())
    else:
        rows = min(header.height, found.one(ROWS_PER_STRIP, header.height) or header.height)
        strips = -(-header.height // rows)
        full = header.width * rows * per_pixel
        last = header.width * (header.height - (strips - 1) * rows) * per_pixel
        sizes = ([full] * (strips - 1) + [last]) * planes
        starts, lengths = found.values.get(STRIP_OFFSETS, ()), found.values.get(STRIP_BYTES, ())
    if len(starts) < len(sizes) or len(lengths) < len(sizes):
        raise PictureRefused("truncated", "the TIFF lacks part of its picture: export it again")
    compression = found.one(COMPRESSION, 1)
    for start, length, size in zip(starts, lengths, sizes, strict=False):
        if compression == 1 and length < size:
            raise PictureRefused("truncated", "the TIFF lacks part of its picture: export it again")
        if compression in _DEFLATE:
            _check_deflated(data[start : start + length], size)


def _check_deflated(packed: bytes, size: int) -> None:
    unpacker = zlib.decompressobj()
    total = 0
    try:
        while packed and total <= size and not unpacker.eof:
            total += len(unpacker.decompress(packed, 1 << 22))
            packed = unpacker.unconsumed_tail
    except zlib.error:
        raise PictureRefused("truncated", "the TIFF's image data is damaged: export it again") from None
    if total > size:
        raise PictureRefused("bomb", "the TIFF unpacks to more than its header announces: export it again")
    if total < size:
        raise PictureRefused("truncated", "the TIFF's image data ends early: export it again")
