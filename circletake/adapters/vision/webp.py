"""WebP containers: walk the RIFF chunks before anything is decoded (RFC 9649)."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import struct
from collections.abc import Iterator

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.exif import orientation_of
from circletake.adapters.vision.magic import Bytes, Header, refuse_profile, refuse_tail
from circletake.ports import PictureRefused

_MAX_CHUNKS = 1_024
_CUT = "the WebP ends in the middle: upload it again"


def _chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    riff_end = 8 + int.from_bytes(data[4:8], "little")
    if riff_end > len(data) or len(data) < 20:
        raise PictureRefused("truncated", _CUT)
    at = 12
    for _ in range(_MAX_CHUNKS):
        if at >= riff_end:
            return
        if at + 8 > riff_end:
            raise PictureRefused("truncated", _CUT)
        name, length = struct.unpack("<4sI", data[at : at + 8])
        if at + 8 + length > riff_end:
            raise PictureRefused("truncated", _CUT)
        yield name, at + 8, at + 8 + length
        at += 8 + length + length % 2
    raise PictureRefused("bomb", "the WebP has too many chunks: export it again")


def read_size(data: Bytes) -> Header:
    """Read the size and alpha of the one picture; raises PictureRefused when it is animated or has none."""
    canvas: tuple[int, int] | None = None
    for name, start, end in _chunks(data):
        body = data[start : min(end, start + 16)]
        if name in {b"ANIM", b"ANMF"} or (name == b"VP8X" and body[:1] and body[0] & 0x02):
            raise PictureRefused("unsupported", "animated WebP isn't taken: send one frame, or an MP4")
        if name == b"VP8X" and len(body) >= 10:
            canvas = (int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)
        elif name == b"VP8 " and len(body) >= 10:
            width, height = (value & 0x3FFF for value in struct.unpack("<HH", body[6:10]))
            return _checked(Header(width, height, 3, 8), canvas)
        elif name == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            alpha = bool(bits >> 28 & 1)
            header = Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 3 + alpha, 8, has_alpha=alpha)
            return _checked(header, canvas)
    raise PictureRefused("truncated", "the WebP holds no picture: export it again")


def _checked(header: Header, canvas: tuple[int, int] | None) -> Header:
    if canvas not in {None, (header.width, header.height)} or not header.width or not header.height:
        raise PictureRefused("unsupported", "the WebP's canvas and picture differ in size: export it again")
    return header


def read_header(data: Bytes, bounds: Bounds) -> Header:
    """Check a WebP's whole container and return what its header announces.

    Raises PictureRefused: truncated, bomb, polyglot, unsupported.
    """
    size = read_size(data)
    alpha, profile, orientation, pictures = size.has_alpha, False, 1, 0
    for name, start, end in _chunks(data):
        if name == b"ALPH":
            alpha = True
        elif name in {b"VP8 ", b"VP8L"}:
            pictures += 1
        elif name == b"ICCP":
            if end - start > bounds.max_metadata_bytes:
                raise PictureRefused("bomb", "the WebP's ICC profile is far too large: export it again")
            refuse_profile(data[start:end])
            profile = True
        elif name == b"EXIF":
            orientation = orientation_of(data[start:end])
    if pictures != 1:
        raise PictureRefused("unsupported", "the WebP holds more than one picture: export it again")
    riff_end = 8 + int.from_bytes(data[4:8], "little")
    refuse_tail(data, riff_end + riff_end % 2 if riff_end < len(data) else riff_end)
    return Header(
        size.width, size.height, 3 + alpha, 8, has_alpha=alpha, icc_profile=profile, orientation=orientation
    )
