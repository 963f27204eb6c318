"""The papers that prove a consent: what may be kept, and whether bytes are what they are said to be."""

MAX_DOCUMENT_BYTES = 10 * 1024 * 1024

# ISO 32000-1 7.5.2, RFC 2083 3.1, ITU-T T.81 B.1.1.3 (SOI and the marker that follows)
_BEGINNINGS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
DOCUMENT_TYPES = tuple(_BEGINNINGS)


def begins_as(media_type: str, content: bytes) -> bool:
    """Say whether the bytes begin as a file of this type does. Nothing is decoded."""
    beginning = _BEGINNINGS.get(media_type)
    return beginning is not None and content.startswith(beginning)
