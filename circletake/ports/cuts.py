"""Cuts: an editor's timeline, read from the file an editing system wrote."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from circletake.domain.exposure.flatten import Layers

CutFormat = Literal["otio", "edl"]


@dataclass(frozen=True, slots=True)
class CutSource:
    """What a clip says of where it comes from. Names are content. `media_in` is the first frame its media has."""

    name: str = field(repr=False)
    hints: tuple[str, ...] = field(repr=False)  # URLs, file names, ids: whatever stands in its metadata
    media_in: Fraction | None = None


@dataclass(frozen=True, slots=True)
class CutRead:
    """A parsed cut. `sources` stand in the order of the clips' numbers; `rate` is the timeline's own."""

    timeline: Layers = field(repr=False)
    sources: Sequence[CutSource]
    rate: Fraction
    name: str = field(repr=False, default="")


class CutRefused(Exception):
    """A file that isn't read. `code` is stable: malformed too_deep too_large not_a_timeline unsupported empty
    reader_missing; the message says what to change and quotes nothing of the file."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["CutRefused"], tuple[str, str]]:
        """Cross from a child process to its parent whole."""
        return type(self), (self.code, str(self))


class CutReader(Protocol):
    """Parses cuts in child processes, never in the worker's own."""

    async def read(self, path: Path, form: CutFormat, *, rate: Fraction) -> CutRead:
        """Parse a file. `rate` is taken where the file doesn't say its own (an EDL never does). Raises CutRefused."""
        ...
