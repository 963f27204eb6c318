"""Sealed content, opened for whoever may read it."""

from circletake.ports import Seal


def open_text(seal: Seal, sealed: bytes | None, place: str) -> str | None:
    return None if sealed is None else seal.open(sealed, place=place).decode()
