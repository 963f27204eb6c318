"""Evaluators: parts that see characters in pictures and say how alike they are.

An evaluator gives raw values, tied to its id and version. What they mean as a probability is a calibration's
business (`circletake.domain.consistency.calibration`), never the evaluator's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from circletake.domain.consistency.words import Aspect, Box, CharacterKind, EvaluatorId, Reason
from circletake.domain.pictures import Picture


@dataclass(frozen=True, slots=True)
class Figure:
    """A person seen in one frame: a face that was found, with what is around it.

    `face_px` is the distance between the eye centres in pixels of the frame. `doubts` says, per aspect, why that
    aspect can't be judged on this figure; an aspect that is neither in `features` nor in `doubts` isn't this
    evaluator's. `features` is only readable for the evaluator that made it; it is biometric data.
    """

    box: Box  # of the face
    confidence: float
    face_px: float
    sharpness: float  # 0-1
    features: bytes = field(repr=False)
    doubts: Mapping[Aspect, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """What an evaluator saw in one frame. `scene` holds features of the whole frame, for characters without a
    face; empty when it wasn't asked for. `frame` counts from 0."""

    frame: int
    width: int
    height: int
    figures: Sequence[Figure]
    scene: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class CastMember:
    """A character with the features of its approved references: figures' for a human, scenes' for the others."""

    key: str
    kind: CharacterKind
    references: Sequence[bytes] = field(repr=False)
    identity: str = ""  # two looks of one character share it: they are no strangers to each other


@dataclass(frozen=True, slots=True)
class Match:
    """One cast member against one figure (`figure` is its index; -1: against the whole frame).

    `values` are raw, per aspect; the calibration of that evaluator and aspect says what they mean. `copy` is how
    much the pixels' layout repeats a reference's, 0-1: near 1 is a pasted picture.
    """

    key: str
    figure: int
    values: Mapping[Aspect, Sequence[float]]
    copy: float = 0.0
    box: Box | None = None  # where a whole-frame match was found


@dataclass(frozen=True, slots=True)
class ScreenedFace:
    """A face in a region. `share`: how much of the face proper lies in the region, 0-1. Its features may be empty."""

    figure: Figure
    share: float


@dataclass(frozen=True, slots=True)
class Screened:
    """Every face that was found in a region of one picture, whose size in pixels is given."""

    width: int
    height: int
    faces: Sequence[ScreenedFace]


class Evaluator(Protocol):
    """Sees and compares on the CPU, in child processes, never in the worker's own."""

    id: EvaluatorId

    async def see(
        self,
        path: Path,
        media_type: str,
        *,
        frames: Sequence[int],
        people: bool,
        scene: bool,
        expected: int = 1,
    ) -> Sequence[FrameSeen]:
        """Decode these frames of a picture (always [0]) or a video and describe what is in them.

        `people` looks for faces, `scene` describes the whole frame; `expected` people end the search for ever
        smaller faces early. Raises PictureRefused for a file that can't be judged.
        """
        ...

    async def screen(self, path: Path, matte: Path | None) -> Screened:
        """Look for every face of a picture that lies in the white area of its matte, or anywhere without one.

        Looks harder than `see`: it would rather take a thing for a face than miss one. What features say is the same.
        Raises PictureRefused for a file that can't be looked at.
        """
        ...

    async def compare(
        self, cast: Sequence[CastMember], seen: Sequence[FrameSeen]
    ) -> Sequence[Sequence[Match]]:
        """Every cast member against every figure (or frame), one list per frame seen, in its order.

        All characters of a production belong into `cast`, also those nobody asks about: how alike two members are
        says how much likeness means in this cast.
        """
        ...

    async def crops(
        self, path: Path, media_type: str, boxes: Sequence[tuple[int, Box]], *, side: int
    ) -> Sequence[Picture]:
        """Cut (frame, box) pairs out as JPEG, longest side `side`, with the head's surroundings in view."""
        ...


class EvaluatorDown(Exception):
    """An evaluator that can't answer now: the check waits or says so, it never passes. `retryable` says which."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[type["EvaluatorDown"], tuple[str]]:
        """Cross from a child process to its parent whole."""
        return type(self), (str(self),)
