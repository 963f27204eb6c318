"""Storyboards drawn on pages, their stills, and animatics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StillMade:
    """A panel's still on the disk. `missing`: why there is a card and no picture, or empty."""

    width: int
    height: int
    missing: str = ""


@dataclass(frozen=True, slots=True)
class BoardHeading:
    """What stands on every page of a storyboard: content."""

    board: str  # AGM_SB01
    title: str = field(repr=False)
    subtitle: str = field(repr=False)
    foot: str = field(repr=False)
    aside: str = ""  # version and date


@dataclass(frozen=True, slots=True)
class BoardPanel:
    """A panel as it is drawn. `still` is its picture, or its card; `words` are (label, text) in reading order."""

    name: str  # p003
    shot: str
    length: str
    tag: str  # AI, or empty
    still: Path
    words: Sequence[tuple[str, str]] = field(repr=False)
    card: bool = False  # the still is a card, not a picture


@dataclass(frozen=True, slots=True)
class AnimaticShot:
    """A still that stands for a number of frames. `label` is burnt in, where that is wanted."""

    still: Path
    frames: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class AnimaticMade:
    """An animatic on the disk, read back: what its container says and how many frames there are."""

    width: int
    height: int
    frames: int
    rate: Fraction


class StoryboardDesk(Protocol):
    """Draws storyboards in child processes, never in the worker's own."""

    async def still(
        self, source: Path | None, *, name: str, about: str, mark: str, target: Path
    ) -> StillMade:
        """Write a panel's picture, or its video's middle frame, as JPEG in its own shape, 1920 pixels at most.

        Without a source, or with one that can't be read, it is a card with the panel's name and `about`. `mark`
        repeats lightly all over the picture.
        """
        ...

    async def document(self, heading: BoardHeading, panels: Sequence[BoardPanel], target: Path) -> int:
        """Write a PDF of landscape pages and return how many there are. No word is cut: text that finds no room
        goes on where the panel's name is repeated."""
        ...

    async def animatic(
        self,
        shots: Sequence[AnimaticShot],
        *,
        width: int,
        height: int,
        rate: Fraction,
        burn_in: bool,
        target: Path,
    ) -> AnimaticMade:
        """Write an MP4 in which every still stands for exactly its frames, whole on black. Raises PictureRefused."""
        ...


@dataclass(frozen=True, slots=True)
class TimelineClip:
    """A clip of a timeline: `media_name` is the name of the file it shows, `metadata` ids and numbers only."""

    name: str
    frames: int
    media_name: str
    metadata: Mapping[str, Any]
    media_metadata: Mapping[str, Any]
    note: str = field(default="", repr=False)


class TimelineFault(Exception):
    """A timeline that can't be written. `code` is stable: writer_missing, writer_failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["TimelineFault"], tuple[str, str]]:
        """Cross from a child process to its parent whole."""
        return type(self), (self.code, str(self))


class TimelineWriter(Protocol):
    """Writes timelines for editing systems in child processes, never in the worker's own."""

    async def write(
        self,
        clips: Sequence[TimelineClip],
        *,
        name: str,
        rate: Fraction,
        metadata: Mapping[str, Any],
        target: Path,
    ) -> None:
        """Write one video track of clips without gaps as OTIO JSON. Raises TimelineFault."""
        ...
