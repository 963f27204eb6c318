"""JPEG containers: walk the segments before anything is decoded (ITU-T T.81 Annex B)."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import re
from dataclasses import dataclass

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.exif import orientation_of
from circletake.adapters.vision.magic import Bytes, Header, refuse_markup, refuse_profile, refuse_tail
from circletake.ports import PictureRefused

_FRAMES_READ = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; Huffman
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_MAX_SCANS = 64  # a progressive picture has about ten; thousands make a decoder crawl
_MAX_SEGMENTS = 8_192
_CUT = "the JPEG ends in the middle: upload it again"


def read_size(data: Bytes) -> Header:
    """Read up to the frame header alone, so that a size can be refused before the file is walked."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker, start, end = _segment(data, at)
        if marker in _FRAMES:
            return _frame(marker, data[start:end])
        if marker in {0xDA, 0xD9}:
            break
        at = end
    raise PictureRefused("truncated", "the JPEG has no frame header: export it again")


def _segment(data: Bytes, at: int) -> tuple[int, int, int]:
    """Return marker, where its data starts and ends."""
    while data[at : at + 2] == b"\xff\xff":  # fill bytes
        at += 1
    if at + 2 > len(data):
        raise PictureRefused("truncated", _CUT)
    if data[at] != 0xFF:
        raise PictureRefused("truncated", "the JPEG is damaged: export it again")
    marker = data[at + 1]
    if marker in _STANDALONE or marker in {0xD8, 0xD9}:
        return marker, at + 2, at + 2
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    if length < 2 or at + 2 + length > len(data):
        raise PictureRefused("truncated", _CUT)
    return marker, at + 4, at + 2 + length


def _frame(marker: int, body: bytes) -> Header:
    if len(body) < 6:
        raise PictureRefused("truncated", "the JPEG's frame header is cut: export it again")
    depth, height, width, components = (
        body[0],
        int.from_bytes(body[1:3], "big"),
        int.from_bytes(body[3:5], "big"),
        body[5],
    )
    if marker not in _FRAMES_READ or depth != 8:
        raise PictureRefused(
            "unsupported", "lossless, arithmetic or 12-bit JPEG isn't taken: export a baseline JPEG or a TIFF"
        )
    if components not in {1, 3}:
        raise PictureRefused("unsupported", "CMYK JPEG isn't taken: convert it to RGB")
    if not width or not height:
        raise PictureRefused("unsupported", "the JPEG doesn't say its size: export it again")
    return Header(width, height, components, 8)


@dataclass
class _Found:
    orientation: int = 1
    profile: bytes = b""
    scans: int = 0


def read_header(data: Bytes, bounds: Bounds) -> Header:
    """Check a JPEG's whole container and return what its header announces.

    Raises PictureRefused: truncated, bomb, polyglot, unsupported.
    """
    size = read_size(data)
    found = _Found()
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker, start, end = _segment(data, at)
        if marker == 0xD9:
            at = end
            break
        at = _scan_end(data, end, found) if marker == 0xDA else end
        _note(marker, data[start:end] if marker != 0xDA else b"", found, bounds)
    else:
        raise PictureRefused("bomb", "the JPEG has too many segments: export it again")
    if not found.scans:
        raise PictureRefused("truncated", "the JPEG holds no picture: export it again")
    refuse_tail(data, at)
    if found.profile:
        refuse_profile(found.profile)
    return Header(
        size.width,
        size.height,
        size.channels,
        8,
        icc_profile=bool(found.profile),
        orientation=found.orientation,
    )


def _scan_end(data: Bytes, start: int, found: _Found) -> int:
    """Return where the marker behind a scan's packed data begins."""
    found.scans += 1
    if found.scans > _MAX_SCANS:
        raise PictureRefused("bomb", "the JPEG has too many scans: export it again")
    marker = _NEXT_MARKER.search(data, start)
    if marker is None:
        raise PictureRefused("truncated", _CUT)
    return marker.end() - 2


def _note(marker: int, body: bytes, found: _Found, bounds: Bounds) -> None:
    if marker == 0xE1 and body.startswith(b"Exif\x00\x00"):
        found.orientation = orientation_of(body)
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\x00"):
        found.profile += body[14:]
        if len(found.profile) > bounds.max_metadata_bytes:
            raise PictureRefused("bomb", "the JPEG's ICC profile is far too large: export it again")
    elif marker == 0xFE:
        refuse_markup(body)
