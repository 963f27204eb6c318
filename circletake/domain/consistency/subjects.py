"""What is judged and what comes of it: subjects, what was seen of them in a frame, and the judgement of one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from circletake.domain.consistency.words import Aspect, Box, CharacterKind, Reason, ShotSize, Verdict

WHOLE_FRAME = -1  # the figure of a match against the frame itself


class FigureSeen(Protocol):
    """What judging needs to know of a figure (`circletake.ports.evaluators.Figure`)."""

    @property
    def box(self) -> Box: ...
    @property
    def face_px(self) -> float: ...
    @property
    def doubts(self) -> Mapping[Aspect, Reason]: ...


class FrameFacts(Protocol):
    """What judging needs to know of a frame (`circletake.ports.evaluators.FrameSeen`)."""

    @property
    def frame(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def figures(self) -> Sequence[FigureSeen]: ...


class Matched(Protocol):
    """What judging needs to know of a comparison (`circletake.ports.evaluators.Match`)."""

    @property
    def key(self) -> str: ...
    @property
    def figure(self) -> int: ...
    @property
    def values(self) -> Mapping[Aspect, Sequence[float]]: ...
    @property
    def copy(self) -> float: ...
    @property
    def box(self) -> Box | None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to judge. `key` is the cast member's.

    `expected`: the shot is known to show them, so the nearest free face is theirs, however far it is (that is the
    break one looks for); otherwise only a plausible face is. `place` counts those whose order from left to right
    is known, from 0. Two looks of one character share their `identity`, and therefore their figure.
    """

    key: str
    kind: CharacterKind = CharacterKind.HUMAN
    expected: bool = True
    place: int | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class FrameJudgement:
    """One subject in one frame. `scores` are probabilities at the profile's prior; `verdicts` has every aspect that
    was seen or doubted, whether or not it counts; `figure` is the index of the figure, None when there is none.
    `instead` names the cast member who stands in the subject's place."""

    key: str
    frame: int
    verdict: Verdict
    box: Box | None = None
    face_px: float | None = None
    shot_size: ShotSize | None = None
    scores: Mapping[Aspect, float] = field(default_factory=dict)
    verdicts: Mapping[Aspect, Verdict] = field(default_factory=dict)
    doubts: Mapping[Aspect, Reason] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    figure: int | None = None
    copy: float = 0.0
    instead: str | None = None

    def as_json(self) -> dict[str, Any]:
        box = self.box
        return {
            "key": self.key,
            "frame": self.frame,
            "verdict": self.verdict.value,
            "box": None if box is None else [box.left, box.top, box.width, box.height],
            "face_px": None if self.face_px is None else round(self.face_px, 1),
            "shot_size": None if self.shot_size is None else self.shot_size.value,
            "scores": {aspect.value: round(p, 7) for aspect, p in self.scores.items()},
            "verdicts": {aspect.value: verdict.value for aspect, verdict in self.verdicts.items()},
            "doubts": {aspect.value: reason.value for aspect, reason in self.doubts.items()},
            "reasons": [reason.value for reason in self.reasons],
            "figure": self.figure,
            "copy": round(self.copy, 4),
            "instead": self.instead,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FrameJudgement":
        return cls(
            key=stored["key"],
            frame=stored["frame"],
            verdict=Verdict(stored["verdict"]),
            box=None if stored["box"] is None else Box(*stored["box"]),
            face_px=stored["face_px"],
            shot_size=None if stored["shot_size"] is None else ShotSize(stored["shot_size"]),
            scores={Aspect(name): p for name, p in stored["scores"].items()},
            verdicts={Aspect(name): Verdict(each) for name, each in stored["verdicts"].items()},
            doubts={Aspect(name): Reason(each) for name, each in stored["doubts"].items()},
            reasons=tuple(Reason(each) for each in stored["reasons"]),
            figure=stored["figure"],
            copy=stored["copy"],
            instead=stored["instead"],
        )
