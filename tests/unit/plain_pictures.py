"""Pictures of any size that cost nothing: what only reads their headers takes them for what they say."""

import base64
import io
import struct
import zlib

from PIL import Image


def png(width: int, height: int, *, alpha: bool = False) -> bytes:
    """A black PNG, of one bit a pixel, or with an alpha channel that is transparent throughout."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8 if alpha else 1, 6 if alpha else 0, 0, 0, 0)
    row = 1 + (4 * width if alpha else (width + 7) // 8)
    rows = zlib.compress(bytes(row * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def base64_png(width: int, height: int, *, alpha: bool = False) -> str:
    return base64.b64encode(png(width, height, alpha=alpha)).decode()


def base64_picture(kind: str, width: int, height: int) -> str:
    """A grey picture of another format, as Pillow calls it."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (128, 128, 128)).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()
