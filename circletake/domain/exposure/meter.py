"""The meter: shares of shots and of screen time, and screen time weighted by how much of the frame is AI."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID

from circletake.domain.exposure.doses import Dose, added
from circletake.domain.exposure.flatten import merged

Frames = tuple[int, int]  # the first, and the first after it


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece of picture where it is seen. `shot` says which pieces are one shot: a shot's id, or a clip's number.

    `counts`: it is one of the shots even while its length isn't known.
    """

    shot: UUID | int
    spans: Sequence[Frames]
    dose: Dose
    takes: tuple[UUID, ...] = ()
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """Screen time in frames: all of it, that with AI in the picture, and that weighted by the frame's fraction."""

    total: Fraction = Fraction(0)
    with_generated: Fraction = Fraction(0)
    generated: Fraction = Fraction(0)
    with_enhanced: Fraction = Fraction(0)
    enhanced: Fraction = Fraction(0)

    @property
    def share(self) -> Fraction:
        """Of the time on screen, that with AI in it."""
        return self.with_generated / self.total if self.total else Fraction(0)

    @property
    def frame_fraction(self) -> Fraction:
        """Of all that is on screen, what a model drew."""
        return self.generated / self.total if self.total else Fraction(0)


@dataclass(frozen=True, slots=True)
class Line:
    shot: UUID | int
    time: Time
    most: Dose  # of the frame, where it is most
    takes: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Meter:
    shots: int
    shots_with_ai: int
    time: Time
    lines: Sequence[Line] = field(default=())

    @property
    def share_of_shots(self) -> Fraction:
        return Fraction(self.shots_with_ai, self.shots) if self.shots else Fraction(0)


def measure(placed: Sequence[Placed]) -> Meter:
    """Add up what is seen. What has no frame on screen counts nowhere."""
    seen = [each for each in placed if each.counts or any(first < last for first, last in each.spans)]
    of_shot: dict[UUID | int, list[Placed]] = defaultdict(list)
    for each in seen:
        of_shot[each.shot].append(each)
    lines = [_line(shot, pieces) for shot, pieces in of_shot.items()]
    return Meter(
        shots=len(lines),
        shots_with_ai=sum(line.most.any for line in lines),
        time=_time(seen),
        lines=lines,
    )


def _line(shot: UUID | int, pieces: Sequence[Placed]) -> Line:
    most = Dose(max(each.dose.generated for each in pieces), max(each.dose.enhanced for each in pieces))
    takes = tuple(dict.fromkeys(take for each in pieces for take in each.takes))
    return Line(shot, _time(pieces), most, takes)


def _time(pieces: Sequence[Placed]) -> Time:
    """Sum over the stretches in which the same pieces are seen: in a dissolve both are, and add up."""
    begins: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, list[int]] = defaultdict(list)
    for index, each in enumerate(pieces):
        for first, last in merged(each.spans):
            if first < last:
                begins[first].append(index)
                ends[last].append(index)
    there: set[int] = set()
    total = with_generated = generated = with_enhanced = enhanced = Fraction(0)
    before = 0
    for frame in sorted(begins.keys() | ends.keys()):
        if there:
            long = frame - before
            dose = added(pieces[index].dose for index in there)
            total += long
            with_generated += long * (dose.generated > 0)
            with_enhanced += long * (dose.enhanced > 0)
            generated += long * dose.generated
            enhanced += long * dose.enhanced
        there -= set(ends[frame])
        there |= set(begins[frame])
        before = frame
    return Time(total, with_generated, generated, with_enhanced, enhanced)
