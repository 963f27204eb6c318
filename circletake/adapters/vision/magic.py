"""What a file is by its first bytes, and whether it is a second kind of file at the same time."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap

from circletake.ports import PictureRefused

PICTURE_TYPES = ("image/png", "image/jpeg", "image/tiff", "image/webp")
VIDEO_TYPES = ("video/mp4", "video/quicktime")

Bytes = bytes | mmap

_TAKEN = "PNG, JPEG, TIFF and WebP pictures, MP4 and MOV videos are taken"
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MARKUP = re.compile(rb"<\s*(?:!doctype|html|script|body|iframe|\?php)", re.IGNORECASE)
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_MAX_PADDING = 4096
_PROFILE_HEADER = 132  # with the tag count


@dataclass(frozen=True, slots=True)
class Header:
    """What a still picture's header announces, read before anything is decoded."""

    width: int
    height: int
    channels: int
    bit_depth: int
    has_alpha: bool = False
    icc_profile: bool = False
    orientation: int = 1  # EXIF: 1 is upright


# (starts as, code, what to say)
_REFUSED: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (
        lambda head: b"<svg" in head.lower(),
        "svg",
        "SVG is a drawing program, not a picture: export it as PNG",
    ),
    (
        lambda head: _text(head).startswith((b"<", b"{")),
        "unsupported",
        "the file is text (HTML, XML or JSON)",
    ),
    (
        lambda head: b"%PDF-" in head[:1024],
        "unsupported",
        "the file is a PDF: export the page as PNG or TIFF",
    ),
    (
        lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")),
        "unsupported",
        "the file is a ZIP archive",
    ),
    (
        lambda head: head.startswith((b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")),
        "unsupported",
        "the file is an archive: unpack it first",
    ),
    (
        lambda head: head.startswith(b"\x76\x2f\x31\x01"),
        "unsupported",
        "OpenEXR isn't taken here: convert it to a 16-bit TIFF or PNG in its display or log encoding",
    ),
    (
        lambda head: head.startswith((b"SDPX", b"XPDS")),
        "unsupported",
        "DPX isn't taken here: convert it to a 16-bit TIFF or PNG",
    ),
    (
        lambda head: head.startswith(b"8BPS"),
        "unsupported",
        "Photoshop documents aren't taken: export a TIFF or PNG",
    ),
    (lambda head: head.startswith(b"GIF8"), "unsupported", "GIF isn't taken: export PNG or MP4"),
    (lambda head: head.startswith(b"BM"), "unsupported", "BMP isn't taken: export PNG"),
    (
        lambda head: (
            head[4:8] == b"ftyp" and head[8:12] in {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif"}
        ),
        "unsupported",
        "HEIC and AVIF aren't taken: export PNG, TIFF or JPEG",
    ),
)


def _text(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def sniff(head: bytes) -> str:
    """Return the media type the first 4 KiB show; raises PictureRefused when it is none that is taken."""
    if not head:
        raise PictureRefused("empty", "the file is empty: upload it again")
    known = _known(head)
    if known:
        return known
    for starts, code, what in _REFUSED:
        if starts(head):
            raise PictureRefused(code, f"{what}; {_TAKEN}")
    raise PictureRefused("unsupported", f"the file's type isn't recognised; {_TAKEN}")


def _known(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(_TIFF_STARTS):
        return "image/tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return _known_video(head)


def _known_video(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand == b"qt  ":
            return "video/quicktime"
        if brand in {
            b"heic",
            b"heix",
            b"hevc",
            b"mif1",
            b"msf1",
            b"avif",
            b"avis",
            b"crx ",
            b"jp2 ",
            b"jxl ",
        }:
            return None
        return "video/mp4"
    if head[4:8] in {b"moov", b"wide", b"mdat"}:  # QuickTime from before there were brands
        return "video/quicktime"
    return None


def refuse_second_nature(data: Bytes) -> None:
    """Refuse a file that other programs would open as something else.

    A ZIP is read from its end (end-of-central-directory record, PKWARE APPNOTE 4.3.16), a PDF from a header
    anywhere in the first 1024 bytes, HTML and PHP from their tags.
    """
    size = len(data)
    tail_start = max(0, size - 65_535 - _ZIP_END_BYTES)
    at = data.rfind(_ZIP_END, tail_start)
    if at >= 0 and data[at + 4 : at + 8] == b"\x00\x00\x00\x00":  # a single-disk archive
        comment = int.from_bytes(data[at + 20 : at + 22], "little")
        if at + _ZIP_END_BYTES + comment <= size:
            raise PictureRefused(
                "polyglot", "the file is a picture and a ZIP archive at once: export the picture again"
            )
    head = data[:1024]
    if b"%PDF-" in head:
        raise PictureRefused("polyglot", "the file is a picture and a PDF at once: export the picture again")
    refuse_markup(head)


def refuse_markup(block: bytes) -> None:
    """Refuse text blocks that carry a web page or a script."""
    if _MARKUP.search(block):
        raise PictureRefused(
            "polyglot", "the picture's metadata carries HTML or a script: export it without metadata"
        )


def refuse_tail(data: Bytes, end: int) -> None:
    """Refuse whatever follows a picture's end, but for a little padding (zeros, 0xFF, line ends)."""
    tail = len(data) - end
    if tail > _MAX_PADDING or data[end:].strip(b"\x00\xff\r\n "):
        raise PictureRefused(
            "polyglot",
            f"{tail} more bytes follow the picture's end (an archive, a motion photo, a gain map?): "
            "export a plain picture",
        )


def refuse_profile(profile: bytes) -> None:
    """Refuse an ICC profile whose header is broken (ICC.1:2022 §7.2: size at 0, 'acsp' at 36)."""
    if (
        len(profile) < _PROFILE_HEADER
        or profile[36:40] != b"acsp"
        or int.from_bytes(profile[:4], "big") > len(profile)
    ):
        raise PictureRefused(
            "unsupported", "the ICC profile is damaged: assign the profile again, or remove it, and export"
        )
