"""Failures inside this adapter; what leaves it is a `circletake.ports.SigningFault`."""

from dataclasses import dataclass


class CannotSign(Exception):
    """Why a file can't be signed. `retryable`: something outside (timestamp authority, KMS, disk) may recover."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Refusal:
    """CannotSign as a value, to travel back from a child process."""

    message: str
    retryable: bool


class XmpRefused(Exception):
    """A file whose container isn't what its media type says, or into which no XMP fits."""
