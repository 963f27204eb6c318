"""How much of a frame is AI, frame by frame, and what several takes come to in one shot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from uuid import UUID

STEPS = 1000  # a frame's fraction is kept to a thousandth
MAX_RUNS = 400  # a few KB: a longer list is kept in coarser steps of time
Run = tuple[int, int, int]  # frames, generated, enhanced, the latter in thousandths
_EXACT = 1_000_000


@dataclass(frozen=True, slots=True)
class Dose:
    """Fractions of the frame, 0-1."""

    generated: Fraction = Fraction(0)
    enhanced: Fraction = Fraction(0)

    @property
    def any(self) -> bool:
        return self.generated > 0


NONE = Dose()
WHOLE = Dose(Fraction(1))
TRACE = Dose(Fraction(1, 1_000_000))  # some AI, how much isn't known yet


@dataclass(frozen=True, slots=True)
class TakeDose:
    """What was measured of one take. Without `rate` it is a still, and stands for every frame it is shown for."""

    take_id: UUID
    generation_id: UUID
    mean: Dose
    runs: tuple[Run, ...] = ()
    rate: Fraction | None = None

    @property
    def frames(self) -> int:
        return sum(count for count, _, _ in self.runs)

    @property
    def most(self) -> Fraction:
        """Return what was drawn of the frame of which most was."""
        return max((Fraction(drawn, STEPS) for _, drawn, _ in self.runs), default=self.mean.generated)

    def between(self, first: Fraction, count: Fraction) -> Dose:
        """Return the mean over `count` frames from `first`, 0 being the take's first; where these frames aren't the
        take's, the mean of all."""
        if self.rate is None or count <= 0 or first < 0 or first + count > self.frames:
            return self.mean
        generated = enhanced = Fraction(0)
        now = Fraction(0)
        for length, drawn, touched in self.runs:
            inside = min(now + length, first + count) - max(now, first)
            if inside > 0:
                generated += inside * drawn
                enhanced += inside * touched
            now += length
        return Dose(generated / count / STEPS, enhanced / count / STEPS)


def fraction_of(value: float) -> Fraction:
    """Return a measured fraction, exact to a millionth."""
    return Fraction(round(min(max(value, 0.0), 1.0) * _EXACT), _EXACT)


def runs_of(frames: Sequence[tuple[float, float]]) -> list[Run]:
    """Pack (generated, enhanced) per frame into runs, few enough to be kept in a row."""
    steps = [(round(generated * STEPS), round(enhanced * STEPS)) for generated, enhanced in frames]
    runs = [(len(list(same)), *each) for each, same in groupby(steps)]
    if len(runs) <= MAX_RUNS:
        return runs
    size = -(-len(steps) // MAX_RUNS)
    blocks = [steps[begin : begin + size] for begin in range(0, len(steps), size)]
    return [
        (
            len(block),
            round(sum(each for each, _ in block) / len(block)),
            round(sum(each for _, each in block) / len(block)),
        )
        for block in blocks
    ]


def together(doses: Iterable[tuple[UUID, Dose]]) -> Dose:
    """Return what circled takes of one shot come to: takes of one request are alternatives, of which the largest
    counts; different requests lie over one another, and are at most the whole frame."""
    of_request: dict[UUID, Dose] = {}
    for generation_id, dose in doses:
        known = of_request.get(generation_id, NONE)
        of_request[generation_id] = Dose(
            max(known.generated, dose.generated), max(known.enhanced, dose.enhanced)
        )
    return added(of_request.values())


def added(doses: Iterable[Dose]) -> Dose:
    """Return doses in one picture, at most the whole frame each way."""
    generated = enhanced = Fraction(0)
    for dose in doses:
        generated += dose.generated
        enhanced += dose.enhanced
    return Dose(min(generated, Fraction(1)), min(enhanced, Fraction(1)))
