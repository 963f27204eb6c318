"""Bodies that are files of rows: read whole and bounded, by what their content type names."""

from collections.abc import Mapping
from typing import TypeVar

from fastapi import Request

from circletake.domain.errors import Refused

T = TypeVar("T")


class NoReader(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "This content type isn't read here"


class FileTooLarge(Refused):
    status = 413
    code = "body_too_large"
    title = "The file is too large"


def reader_of(http: Request, readers: Mapping[str, T]) -> tuple[str, T]:
    """The content type, and what reads it. Raises NoReader."""
    content_type, *parameters = [
        part.strip() for part in http.headers.get("Content-Type", "").lower().split(";")
    ]
    charsets = {part.replace('"', "") for part in parameters if part.startswith("charset=")}
    if content_type not in readers or charsets - {"charset=utf-8"}:
        raise NoReader(f"Send one of these in UTF-8, and say so in Content-Type: {', '.join(readers)}.")
    return content_type, readers[content_type]


async def whole_body(http: Request, most: int) -> bytes:
    """Read the file, no further than its bound. Raises FileTooLarge."""
    length = http.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> FileTooLarge:
    return FileTooLarge(f"Send at most {most // 1_000_000} MB at once: split the file.")
