"""A cast to judge in tests: figures, matches and calibrations whose raw value is the log-odds itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from circletake.domain.consistency.calibration import Calibration, Calibrations, logit
from circletake.domain.consistency.profiles import Profile, Threshold
from circletake.domain.consistency.words import Aspect, Box, EvaluatorId, Reason
from circletake.ports import Figure, FrameSeen, Match

EYE = EvaluatorId("eye", "1")
OTHER_EYE = EvaluatorId("other-eye", "1")
FACE, HAIR, WARDROBE, OVERALL = Aspect.FACE, Aspect.HAIR, Aspect.WARDROBE, Aspect.OVERALL
THRESHOLDS = {aspect: Threshold(0.2, 0.5) for aspect in Aspect}
PROFILE = Profile("test", 1, THRESHOLDS, min_face_px=13)

CALIBRATIONS = Calibrations.of(
    Calibration(f"{eye}/{aspect.value}", eye, aspect, (1.0,), 0.0)
    for eye in (EYE, OTHER_EYE)
    for aspect in Aspect
)


def figure(left: int = 100, *, face_px: float = 100, doubts: Mapping[Aspect, Reason] | None = None) -> Figure:
    return Figure(Box(left, 100, 200, 200), 0.9, face_px, 0.8, b"", doubts or {})


def frame(*figures: Figure, number: int = 0) -> FrameSeen:
    return FrameSeen(number, 1920, 1080, figures)


@dataclass(slots=True)
class Said:
    """Collects matches: `like("ada", 0, face=0.9)` says how probable it is that figure 0 is Ada."""

    matches: list[Match] = field(default_factory=list)

    def like(
        self, key: str, at: int = 0, *, copy: float = 0.0, box: Box | None = None, **ps: float
    ) -> "Said":
        values: dict[Aspect, Sequence[float]] = {Aspect(name): (logit(p),) for name, p in ps.items()}
        self.matches.append(Match(key, at, values, copy, box))
        return self

    def by(self, eye: EvaluatorId = EYE) -> dict[EvaluatorId, Sequence[Match]]:
        return {eye: self.matches}
