"""Pictures: judged, fitted, composited, drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from circletake.domain.consistency.words import Box
from circletake.domain.golden.verdict import GoldenScores


@dataclass(frozen=True, slots=True)
class Probe:
    """What decoding a file showed. Sizes in pixels, duration in seconds."""

    media_type: str
    width: int
    height: int
    channels: int
    bit_depth: int
    frames: int = 1
    frames_per_second: float | None = None
    duration_seconds: float | None = None
    has_alpha: bool = False
    icc_profile: bool = False
    codec: str | None = None


class PictureRefused(Exception):
    """A file that isn't taken. `code` is stable: type_mismatch truncated too_large bomb svg polyglot
    unsupported empty; the message says what to change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["PictureRefused"], tuple[str, str]]:
        """Cross from a child process to its parent whole."""
        return type(self), (self.code, str(self))


class LayBackFault(Exception):
    """A result that can't be laid onto its plate; then it isn't published. The message says what doesn't fit."""


@dataclass(frozen=True, slots=True)
class CompositeReport:
    """What laying the result back did. Fractions are of the whole frame, 0–1, on decoded pixels.

    `changed_fraction`: every code that differs. `generated_fraction`: what the model really drew, apart from
    resampling, a codec's noise and grain; `enhanced_fraction`: where it changed grain or noise only.
    """

    width: int
    height: int
    bit_depth: int
    changed_fraction: float
    outside_matte_changed: int  # pixels; always 0
    notes: Sequence[str]
    generated_fraction: float
    enhanced_fraction: float


@dataclass(frozen=True, slots=True)
class SheetTake:
    number: int
    state: str
    seed: int | None
    cost_usd: str
    label: str  # one more line: model or reason
    path: Path | None  # None when there is no picture
    mark: str = ""  # repeated lightly all over the picture


@dataclass(frozen=True, slots=True)
class ContinuityCell:
    """One shot (or one frame) of a character on a continuity sheet.

    `verdict`, `reasons` and `aspect` are the check's words (`circletake.domain.consistency.words`); `aspect` is the
    one that broke. `score` is a probability. `crop` is a picture file, or JPEG bytes; None when there is none.
    `cut_clash`: doesn't go with the next cell, which it cuts to.
    """

    label: str  # shot code, and take number where there are several
    verdict: str
    score: float | None
    reasons: tuple[str, ...] = ()
    aspect: str | None = None
    crop: Path | bytes | None = field(default=None, repr=False)
    scene: str | None = None
    look: str | None = None
    cut_clash: bool = False


@dataclass(frozen=True, slots=True)
class ContinuityRow:
    """A character in one look: its references (JPEG) and its cells in story order.

    Scores under `fail_below` break, from `pass_from` they pass. `drift` says in words how a slow drift runs.
    """

    name: str
    look: str | None
    kind: str
    references: Sequence[bytes] = field(repr=False)
    cells: Sequence[ContinuityCell]
    slow_drift: bool = False
    drift: str = ""
    fail_below: float | None = None
    pass_from: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PreviewMark:
    """What is burnt into a preview: `short` repeats all over the picture, `whole` stands in a band along its foot."""

    short: str
    whole: str


@dataclass(frozen=True, slots=True)
class PreviewMade:
    """A preview on the disk. `frames` is 1 for a picture; `shortened`: the video goes on in the original."""

    media_type: str
    width: int
    height: int
    frames: int = 1
    frames_per_second: float | None = None
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A golden shot on its run's sheet. `verdict` is one of `circletake.domain.golden.verdict.GoldenVerdict`, `lines` are
    the scores in words. `new` is None where nothing could be made; `lines` then say why."""

    name: str
    label: str  # kind, model and seed
    verdict: str
    lines: Sequence[str]
    old: Path | None
    new: Path | None
    mark: str = ""  # repeated lightly all over both pictures
    overlaid: bool = True  # False: no seed binds the two, and where they differ says nothing


class PictureDesk(Protocol):
    """Decodes, composites and draws in child processes, never in the worker's own."""

    async def probe(self, path: Path, declared_type: str) -> Probe:
        """Decode the file within bounds; raises PictureRefused."""
        ...

    async def for_model(
        self,
        path: Path,
        *,
        limits: Mapping[str, Any],
        grayscale: bool = False,
        invert: bool = False,
        size: tuple[int, int] | None = None,
    ) -> "ModelInput":
        """Re-encode a picture as 8-bit PNG or JPEG inside a model's limits (sides, pixels, ratio, bytes).

        `grayscale` reads a matte and makes it black and white: white is what changes, or, with `invert`, black.
        `size` (width, height) sets the size instead of the limits, so that a matte meets its plate. Raises
        PictureRefused when nothing fits.
        """
        ...

    async def lay_back(
        self,
        *,
        plate: Path,
        matte: Path | None,
        result: Path,
        target: Path,
        target_type: str,
        extend: Mapping[str, int] | None = None,
        grow_pixels: int = 0,
    ) -> CompositeReport:
        """Lay a model's result back at the plate's size and depth.

        With a matte: outside it the decoded pixels equal the plate's. With `extend` (left right up down, in plate
        pixels) the canvas grows and the plate's own area equals the plate. Raises LayBackFault.
        """
        ...

    async def region_matte(
        self, *, width: int, height: int, boxes: Sequence[Box], feather: int, target: Path
    ) -> None:
        """Draw a matte as a grey PNG: the boxes white, black from `feather` pixels beyond them.

        Raises PictureRefused when nothing of the boxes lies inside the picture.
        """
        ...

    async def poster(self, path: Path, media_type: str, target: Path) -> None:
        """Write a small JPEG of a picture, or of a video's middle frame."""
        ...

    async def preview(self, path: Path, *, mark: PreviewMark, target: Path) -> PreviewMade:
        """Write a smaller, visibly marked JPEG of a picture, or MP4 of a video. Raises PictureRefused."""
        ...

    async def contact_sheet(
        self, *, title: str, subtitle: str, takes: Sequence[SheetTake], plate: Path | None, target: Path
    ) -> None: ...

    async def continuity_sheet(
        self,
        *,
        title: str,
        subtitle: str,
        rows: Sequence[ContinuityRow],
        foot: str,
        target: Path,
        document: Path | None = None,
    ) -> int:
        """Draw characters shot by shot as one JPEG page and, as `document`, as a PDF; return the PDF's pages.

        What fits on a page is there whole. Of a longer check the page shows the broken shots and every character's
        course, and the PDF has every shot behind it. A crop that can't be read is drawn as missing.
        """
        ...

    async def compare_pictures(self, old: Path, new: Path) -> GoldenScores:
        """Measure on decoded pixels how far a picture is from another one of the same request; of a video on its first,
        middle and last frame. Faces aren't looked at. Raises PictureRefused."""
        ...

    async def golden_sheet(
        self, *, title: str, subtitle: str, tally: str, rows: Sequence[GoldenRow], foot: str, target: Path
    ) -> None:
        """Draw golden shots as one JPEG, a row each: the approved picture, the new one, where they differ, the scores in
        words. A picture that can't be read is drawn as missing."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInput:
    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    scale: float  # model pixels per source pixel, 1.0 when unchanged
