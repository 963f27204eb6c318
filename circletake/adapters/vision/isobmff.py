"""MP4 and MOV containers: walk the top-level boxes (ISO/IEC 14496-12 §4.2; QuickTime File Format)."""

from pathlib import Path

from circletake.ports import PictureRefused

_TOP_LEVEL = {
    *(
        b"ftyp",
        b"moov",
        b"mdat",
        b"free",
        b"skip",
        b"wide",
        b"uuid",
        b"moof",
        b"mfra",
        b"sidx",
        b"ssix",
        b"styp",
    ),
    *(b"meta", b"pdin", b"pnot", b"PICT", b"udta", b"emsg", b"prft", b"mfro", b"bloc", b"imda", b"junk"),
}
_HEADER = 8  # length and name
_MAX_BOXES = 100_000
_MAX_MOOV_BYTES = 256 * 1024 * 1024


def check_boxes(path: Path) -> None:
    """Refuse a file whose boxes don't cover it exactly: cut short, or with something else behind or inside.

    Raises PictureRefused: truncated, polyglot, bomb.
    """
    size = path.stat().st_size
    seen: set[bytes] = set()
    at = 0
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            if at == size:
                break
            file.seek(at)
            head = file.read(16)
            length, header = _length(head, size - at)
            name = head[4:8]
            if len(head) < _HEADER or name not in _TOP_LEVEL or length < header:
                if not (head + file.read(4096)).strip(b"\x00") and seen:
                    break  # padding
                raise PictureRefused(
                    "polyglot", "the video holds data that belongs to no box of it: export it again"
                )
            if at + length > size:
                raise PictureRefused("truncated", "the video ends in the middle: upload it again")
            if name == b"moov" and length > _MAX_MOOV_BYTES:
                raise PictureRefused("bomb", "the video's index is far too large: export it again")
            seen.add(name)
            at += length
        else:
            raise PictureRefused("bomb", "the video has too many boxes: export it again")
    if b"moov" not in seen or not seen & {b"mdat", b"moof", b"imda"}:
        raise PictureRefused("truncated", "the video has no index or no pictures: export it again")


def _length(head: bytes, rest: int) -> tuple[int, int]:
    """Return a box's length with its header, and the header's length."""
    length = int.from_bytes(head[:4], "big")
    if length == 0:  # to the end of the file
        return rest, 8
    if length == 1:
        return int.from_bytes(head[8:16], "big"), 16
    return length, 8
