"""Judge an uploaded file. Runs in a child process whose memory is limited, and which may be killed."""

import resource
from mmap import ACCESS_READ, mmap
from pathlib import Path

import cv2

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import check_size, decode, read_header, read_size
from circletake.adapters.vision.isobmff import check_boxes
from circletake.adapters.vision.magic import PICTURE_TYPES, VIDEO_TYPES, Header, refuse_second_nature, sniff
from circletake.adapters.vision.video import probe_video
from circletake.ports import PictureRefused, Probe

_HEAD = 4096
_TURNED = 5  # EXIF orientations 5-8 swap width and height


def probe_file(path: Path, declared_type: str, bounds: Bounds) -> Probe:
    """Check a file's type, container and size, then decode it whole. Raises PictureRefused."""
    _close_in()
    try:
        return _probe(path, declared_type.partition(";")[0].strip().lower(), bounds)
    except MemoryError:
        raise _too_much() from None
    except cv2.error as fault:
        if fault.code == cv2.Error.STS_NO_MEM:
            raise _too_much() from None
        raise PictureRefused("truncated", "the file can't be decoded: export it again") from fault


def _close_in() -> None:
    """A decoder that is taken over writes no file and leaves no core."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)


def _too_much() -> PictureRefused:
    return PictureRefused(
        "bomb", "decoding the file takes far more memory than its size allows: export it again"
    )


def _probe(path: Path, declared: str, bounds: Bounds) -> Probe:
    if declared not in {*PICTURE_TYPES, *VIDEO_TYPES}:
        raise PictureRefused(
            "unsupported",
            f"{declared or 'no type'} isn't taken; declare one of {', '.join(PICTURE_TYPES)}, "
            f"{', '.join(VIDEO_TYPES)}",
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        found = sniff(file.read(_HEAD))
    if found != declared:
        raise PictureRefused(
            "type_mismatch", f"the file is {found}, it was declared as {declared}: declare it as what it is"
        )
    limit = bounds.max_video_bytes if found in VIDEO_TYPES else bounds.max_picture_bytes
    if size > limit:
        raise PictureRefused(
            "too_large",
            f"the file has {size:,} bytes, at most {limit:,} are taken for {found}: compress or cut it",
        )
    if found in VIDEO_TYPES:
        _refuse_archive_behind(path, size)
        check_boxes(path)
        return probe_video(path, found, bounds)
    return _probe_picture(path, found, bounds)


def _refuse_archive_behind(path: Path, size: int) -> None:
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 17)))
        refuse_second_nature(file.read())
        file.seek(0)
        refuse_second_nature(file.read(1024))


def _probe_picture(path: Path, media_type: str, bounds: Bounds) -> Probe:
    check_size(read_size(path, media_type), bounds)
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        refuse_second_nature(data)
    header = read_header(path, media_type, bounds)
    if header.orientation != 1 and media_type in {"image/png", "image/tiff"}:
        raise PictureRefused(
            "unsupported",
            "the picture is stored turned (an orientation tag): rotate its pixels and export it again",
        )
    decoded = decode(path, bounds)
    width, height = header.width, header.height
    if header.orientation >= _TURNED:
        width, height = height, width
    if (decoded.size.width, decoded.size.height, decoded.bit_depth) != (width, height, header.bit_depth):
        raise PictureRefused("unsupported", "the picture isn't what its header announces: export it again")
    return _answer(media_type, header, width, height)


def _answer(media_type: str, header: Header, width: int, height: int) -> Probe:
    return Probe(
        media_type=media_type,
        width=width,
        height=height,
        channels=header.channels,
        bit_depth=header.bit_depth,
        has_alpha=header.has_alpha,
        icc_profile=header.icc_profile,
    )
