"""Set the frame rate of an MP4 that OpenCV wrote to the exact rational.

OpenCV rounds a rate to thousandths: 24000/1001 becomes 23.976, and an hour of it is off by a frame. The times stand
in a few boxes of fixed layout, and are written over in place: nothing moves. Source: ISO/IEC 14496-12, 8.2.2 (mvhd),
8.3.2 (tkhd), 8.4.2 (mdhd), 8.6.1.2 (stts), 8.6.6 (elst).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from circletake.ports import PictureRefused

_INSIDE = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
_U32 = 2**32


@dataclass(frozen=True, slots=True)
class Timing:
    """What a file's one video track says of its time."""

    rate: Fraction
    frames: int


def retime(path: Path, rate: Fraction) -> Timing:
    """Give every frame exactly 1/rate s, and return what the file says then. Raises PictureRefused."""
    scale, step = rate.numerator, rate.denominator
    with path.open("r+b") as file:
        found = {kind: (at, length) for kind, at, length in _boxes(file, 0, path.stat().st_size)}
        if not {b"mvhd", b"tkhd", b"mdhd", b"stts"} <= found.keys():
            raise PictureRefused("unsupported", "the animatic's file has no times where they belong")
        frames = _frames(file, found[b"stts"][0])
        duration = frames * step
        if max(duration, scale) >= _U32 or any(
            _version(file, found[kind][0]) for kind in (b"mvhd", b"mdhd", b"tkhd")
        ):
            raise PictureRefused(
                "too_large", "the animatic is too long for its file: make fewer panels at once"
            )
        for kind in (b"mvhd", b"mdhd"):
            _put(file, found[kind][0] + 12, scale, duration)
        _put(file, found[b"tkhd"][0] + 20, duration)
        _put(file, found[b"stts"][0] + 4, 1, frames, step)
        if b"elst" in found:
            _whole(file, found[b"elst"][0], duration)
    return timing_of(path)


def timing_of(path: Path) -> Timing:
    """Read a file's rate and frames from its tables. Raises PictureRefused."""
    with path.open("rb") as file:
        found = {kind: at for kind, at, _ in _boxes(file, 0, path.stat().st_size)}
        if not {b"mdhd", b"stts"} <= found.keys():
            raise PictureRefused("unsupported", "the file has no times where they belong")
        (scale,) = _get(file, found[b"mdhd"] + 12, 1)
        (step,) = _get(file, found[b"stts"] + 12, 1)
        return Timing(Fraction(scale, step), _frames(file, found[b"stts"]))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, where its content begins, its length) of every box, those inside others too."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        length, kind = struct.unpack_from(">I4s", head)
        content = start + 8
        if length == 1:
            length, content = struct.unpack_from(">Q", head, 8)[0], start + 16
        if length < content - start or start + length > end:
            return
        yield kind, content, start + length - content
        if kind in _INSIDE:
            yield from _boxes(file, content, start + length)
        start += length


def _frames(file: BinaryIO, stts: int) -> int:
    (entries,) = _get(file, stts + 4, 1)
    if entries != 1:
        raise PictureRefused("unsupported", "the animatic's frames aren't all of one length")
    return _get(file, stts + 8, 1)[0]


def _version(file: BinaryIO, at: int) -> int:
    file.seek(at)
    return file.read(1)[0]


def _whole(file: BinaryIO, elst: int, duration: int) -> None:
    """The one edit shows the whole track."""
    if _get(file, elst + 4, 1) != (1,) or _version(file, elst):
        raise PictureRefused("unsupported", "the animatic's file is cut in itself")
    _put(file, elst + 8, duration)


def _get(file: BinaryIO, at: int, count: int) -> tuple[int, ...]:
    file.seek(at)
    return struct.unpack(f">{count}I", file.read(4 * count))


def _put(file: BinaryIO, at: int, *values: int) -> None:
    file.seek(at)
    file.write(struct.pack(f">{len(values)}I", *values))
