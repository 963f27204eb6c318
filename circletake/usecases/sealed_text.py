"""Sealed text that may be absent, closed and opened."""

from circletake.ports import Seal


def open_text(seal: Seal, sealed: bytes | None, place: str) -> str | None:
    return None if sealed is None else seal.open(sealed, place=place).decode()


def close_text(seal: Seal, text: str | None, place: str) -> bytes | None:
    return None if text is None else seal.close(text, place=place)
