"""Limits on small doses, and when something would go past one."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from uuid import UUID


class Metric(StrEnum):
    SHARE_OF_SHOTS = "share_of_shots"  # shots with AI in them, of all shots
    SCREEN_TIME = "screen_time"  # time on screen with AI in the picture, of all time on screen
    FRAME_FRACTION = "frame_fraction"  # of a frame, in any one take


class LimitAction(StrEnum):
    WARN = "warn"
    HOLD = "hold"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Limit:
    """`scope`: production, sequence or shot, and which."""

    id: UUID
    scope: str
    scope_id: UUID
    metric: Metric
    value: Fraction
    action: LimitAction


@dataclass(frozen=True, slots=True)
class Reading:
    """A number as it is, and as it would be."""

    before: Fraction
    after: Fraction


_WHAT = {
    Metric.SHARE_OF_SHOTS: "Shots with AI",
    Metric.SCREEN_TIME: "Screen time with AI",
    Metric.FRAME_FRACTION: "What AI drew of a frame",
}


def passes(limit: Limit, reading: Reading) -> bool:
    """Say whether this goes past the limit. What raises nothing passes none, however high the number is already."""
    return reading.after > limit.value and reading.after > reading.before


def crosses(limit: Limit, reading: Reading) -> bool:
    """Say whether it goes past the limit for the first time."""
    return reading.before <= limit.value < reading.after


def sentence(limit: Limit, reading: Reading) -> str:
    return (
        f"{_WHAT[limit.metric]} would come to {percent(reading.after)} in this {limit.scope};"
        f" at most {percent(limit.value)} was set."
    )


def percent(fraction: Fraction) -> str:
    text = f"{float(fraction * 100):.2f}".rstrip("0").rstrip(".")
    return f"{text} %"
