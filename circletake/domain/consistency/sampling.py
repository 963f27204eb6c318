"""Which frames of a video are looked at: every n-th, or few first and more where the likeness falls."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from circletake.domain.consistency.calibration import logit
from circletake.domain.consistency.profiles import Threshold

_MARGIN = 0.05  # of the length at either end: fades, slates and handles say nothing of a character
_FALL = 1.5  # log-odds between two neighbours from which the frames between them are worth a look
_CLAMP = 1e-6


@dataclass(frozen=True, slots=True)
class Sampling:
    """`every` counts frames (mode `every`); `first` is how many an adaptive look begins with."""

    mode: Literal["every", "adaptive"] = "adaptive"
    every: int = 12
    first: int = 3
    max_frames: int = 24

    def __post_init__(self) -> None:
        if self.every < 1 or self.first < 1 or self.max_frames < 1:
            raise ValueError("sampling counts from 1")

    def start(self, total: int) -> list[int]:
        """Return the frames to begin with, of a video of `total` frames; all of them in mode `every`."""
        if self.mode == "every":
            return every_nth(total, self.every, max_frames=self.max_frames)
        return first_frames(total, min(self.first, self.max_frames))

    def more(self, total: int, scores: Mapping[int, float | None], threshold: Threshold) -> list[int]:
        """Return the frames to look at next; none when enough was seen."""
        if self.mode == "every":
            return []
        return refine(total, scores, threshold, max_frames=self.max_frames)


def every_nth(total: int, n: int, *, max_frames: int) -> list[int]:
    """Return every n-th frame from the first; evenly thinned out when that is more than `max_frames`."""
    if total < 1 or n < 1 or max_frames < 1:
        raise ValueError("frames are counted from 1")
    frames = list(range(0, total, n))
    if len(frames) <= max_frames:
        return frames
    if max_frames == 1:
        return [frames[len(frames) // 2]]
    last = len(frames) - 1
    return [frames[round(at * last / (max_frames - 1))] for at in range(max_frames)]


def first_frames(total: int, count: int) -> list[int]:
    """Return the middles of `count` equal windows of the video, its very ends left out."""
    if total < 1 or count < 1:
        raise ValueError("frames are counted from 1")
    if total <= count:
        return list(range(total))
    start, length = total * _MARGIN, total * (1 - 2 * _MARGIN)
    return sorted({min(total - 1, int(start + length * (at + 0.5) / count)) for at in range(count)})


def refine(
    total: int, scores: Mapping[int, float | None], threshold: Threshold, *, max_frames: int
) -> list[int]:
    """Return frames between those seen where it pays to look closer, the most telling gaps first served.

    `scores` maps the frames seen to their score, None where nothing could be judged. A gap is worth a look when
    the score falls or rises across it, when either side lies in the zone of doubt, or when one side couldn't be
    judged. The very ends of the video stay left out. Never returns a frame twice, nor more than
    `max_frames` leaves; nothing when all seen is clear.
    """
    left = max_frames - len(scores)
    if left <= 0 or not scores:
        return []
    seen, margin = sorted(scores), int(total * _MARGIN)
    gaps: list[tuple[float, int, int]] = []
    for before, after in pairwise(seen):
        gaps.append((_worth(scores[before], scores[after], threshold), before, after))
    for end, edge in ((seen[0], margin - 1), (seen[-1], total - margin)):
        own = _worth(scores[end], scores[end], threshold)
        gaps.append((own, min(end, edge), max(end, edge)))
    found: list[int] = []
    for worth, before, after in sorted(gaps, key=lambda gap: (-gap[0], gap[1])):
        middle = (before + after) // 2
        if worth <= 0 or not before < middle < after:
            continue
        found.append(middle)
    return sorted(found[:left])


def _worth(before: float | None, after: float | None, threshold: Threshold) -> float:
    if before is None and after is None:
        return 0.5  # perhaps somebody turns round in between
    if before is None or after is None:
        return 1.0
    fall = abs(_log_odds(before) - _log_odds(after))
    doubtful = any(threshold.fail_below <= p < threshold.pass_from for p in (before, after))
    crosses = (before >= threshold.pass_from) != (after >= threshold.pass_from)
    return (fall if fall >= _FALL else 0.0) + (2.0 if doubtful else 0.0) + (4.0 if crosses else 0.0)


def _log_odds(p: float) -> float:
    return logit(min(max(p, _CLAMP), 1 - _CLAMP))
