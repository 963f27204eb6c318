"""Write pages as PDF 1.4, one after the other: each a JPEG with its words invisibly over it, so that a shot is found.

Pillow writes PDFs too, but holds every page in memory or, when it appends, writes the page tree anew each time.
Syntax: ISO 32000-1, 7.3 (objects), 7.5 (file structure), 9.3.6 (text that is not drawn), 12.3.3 (outline).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from unicodedata import normalize

from circletake.domain.frames import Size

_CATALOGUE, _PAGES, _OUTLINE, _FONT, _INFO, _METADATA, _FIRST_FREE = range(1, 8)
_POINTS = 72  # per inch
# An XMP packet with room to be filled in place (XMP part 1, 7.3.2), ahead of everything, where signing finds it.
_PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
    + b"\n".ljust(8192)
    + b'<?xpacket end="w"?>'
)


@dataclass(frozen=True, slots=True)
class Word:
    """Text on a page, in pixels from its upper left corner. Letters outside Windows-1252 can't be searched for."""

    text: str
    left: int
    baseline: int
    size: int


class PdfFile:
    """A PDF being written. Holds a few numbers per page, never a page. The same pages give the same bytes."""

    def __init__(self, path: Path, *, title: str, dpi: int) -> None:
        self._path = path
        self._title = title
        self._scale = _POINTS / dpi
        self._offsets: dict[int, int] = {}
        self._pages: list[int] = []
        self._marks: list[tuple[str, int]] = []
        self._next = _FIRST_FREE

    def __enter__(self) -> Self:
        self._file: BinaryIO = self._path.open("wb")
        self._file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        self._write(_METADATA, "/Type /Metadata /Subtype /XML", _PACKET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._file.close()

    def add_page(self, jpeg: bytes, size: Size, words: Sequence[Word], marks: Sequence[str] = ()) -> None:
        """Append an RGB JPEG as a page; `marks` are the outline's entries that lead to it."""
        picture, content, page = (self._number() for _ in range(3))
        width, height = size.width * self._scale, size.height * self._scale
        self._write(
            picture,
            f"/Type /XObject /Subtype /Image /Width {size.width} /Height {size.height} "
            "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
            jpeg,
        )
        drawn = [f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /P Do Q".encode()]
        drawn += [self._over(word, height) for word in words]
        self._write(content, "", b"\n".join(drawn))
        self._write(
            page,
            f"/Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 {width:.2f} {height:.2f}] "
            f"/Resources << /XObject << /P {picture} 0 R >> /Font << /F {_FONT} 0 R >> >> "
            f"/Contents {content} 0 R",
        )
        self._pages.append(page)
        self._marks += [(mark, page) for mark in marks]

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _over(self, word: Word, height: float) -> bytes:
        escaped = _western(word.text).replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        left, up = word.left * self._scale, height - word.baseline * self._scale
        place = f"BT 3 Tr /F {word.size * self._scale:.2f} Tf {left:.2f} {up:.2f} Td (".encode()
        return place + escaped + b") Tj ET"

    def _write(self, number: int, entries: str, stream: bytes | None = None) -> None:
        self._offsets[number] = self._file.tell()
        length = "" if stream is None else f" /Length {len(stream)}"
        self._file.write(f"{number} 0 obj\n<< {entries}{length} >>\n".encode("ascii"))
        if stream is not None:
            self._file.write(b"stream\n" + stream + b"\nendstream\n")
        self._file.write(b"endobj\n")

    def _finish(self) -> None:
        kids = " ".join(f"{page} 0 R" for page in self._pages)
        self._write(_PAGES, f"/Type /Pages /Count {len(self._pages)} /Kids [{kids}]")
        self._write(_FONT, "/Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding")
        self._write(_INFO, f"/Title {_text(self._title)}")
        self._write_outline()
        self._write(
            _CATALOGUE,
            f"/Type /Catalog /Pages {_PAGES} 0 R /Outlines {_OUTLINE} 0 R /Metadata {_METADATA} 0 R",
        )
        start = self._file.tell()
        table = b"".join(b"%010d 00000 n \n" % self._offsets[number] for number in range(1, self._next))
        self._file.write(b"xref\n0 %d\n0000000000 65535 f \n" % self._next + table)
        trailer = f"trailer\n<< /Size {self._next} /Root {_CATALOGUE} 0 R /Info {_INFO} 0 R >>\n"
        self._file.write(trailer.encode("ascii") + b"startxref\n%d\n%%%%EOF\n" % start)

    def _write_outline(self) -> None:
        numbers = [self._number() for _ in self._marks]
        for index, (number, (title, page)) in enumerate(zip(numbers, self._marks, strict=True)):
            before = f" /Prev {numbers[index - 1]} 0 R" if index else ""
            after = f" /Next {numbers[index + 1]} 0 R" if index + 1 < len(numbers) else ""
            entries = f"/Title {_text(title)} /Parent {_OUTLINE} 0 R /Dest [{page} 0 R /Fit]"
            self._write(number, entries + before + after)
        ends = f" /First {numbers[0]} 0 R /Last {numbers[-1]} 0 R" if numbers else ""
        self._write(_OUTLINE, f"/Type /Outlines /Count {len(numbers)}{ends}")


def _western(text: str) -> bytes:
    # ę becomes e, what has no such likeness a question mark
    letters = (
        letter.encode("cp1252", "ignore") or normalize("NFKD", letter)[0].encode("cp1252", "replace")
        for letter in text
    )
    return b"".join(letters)


def _text(text: str) -> str:
    # UTF-16 with its mark, as hexadecimal: every letter, and nothing to escape
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"
