"""How long panels last, in whole frames of the production's rate; what stands where in an animatic."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

DEFAULT_SECONDS = 2  # of a panel that nobody timed
MAX_PANEL_FRAMES = 14_400  # ten minutes of film
MAX_ANIMATIC_FRAMES = 43_200  # half an hour of film; an episode's boards are one storyboard a sequence


@dataclass(frozen=True, slots=True)
class Span:
    """A panel's place in an animatic, in frames from its start; `end` is the first frame after it."""

    start: int
    frames: int

    @property
    def end(self) -> int:
        return self.start + self.frames


def spans_of(durations: Sequence[int]) -> list[Span]:
    """Lay panels one after the other, without gaps."""
    spans: list[Span] = []
    at = 0
    for frames in durations:
        spans.append(Span(at, frames))
        at += frames
    return spans


def default_frames(rate: Fraction) -> int:
    """Return how many frames a panel lasts that nobody timed: two seconds, rounded, never none."""
    return max(1, round(DEFAULT_SECONDS * rate))


def timecode(frame: int, rate: Fraction) -> str:
    """Write a frame's number as non-drop timecode, hours:minutes:seconds:frames.

    It counts in the rate's whole number (24 for 24000/1001), so it is exact to the frame and, at such rates, runs
    3.6 s behind the clock in an hour (SMPTE ST 12-1).
    """
    base = max(1, -(-rate.numerator // rate.denominator))
    seconds, frames = divmod(frame, base)
    width = max(2, len(str(base - 1)))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:0{width}d}"


def seconds_text(frames: int, rate: Fraction) -> str:
    """Write a length in seconds with two decimals: 2.00 s. From a minute on as 1:05.25."""
    hundredths = round(frames / rate * 100)
    minutes, rest = divmod(hundredths, 6000)
    if minutes:
        return f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"
    return f"{rest // 100}.{rest % 100:02d} s"
