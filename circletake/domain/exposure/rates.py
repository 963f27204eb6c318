"""Frame rates as exact rationals. 23.976 is no number that adds up over an hour: 24000/1001 is."""

import math
import re
from fractions import Fraction

from circletake.domain.pictures import Violation

NOT_A_RATE = "give a rate in frames per second as 24, 25, 24000/1001 or the like, from 1 to 1000"
SLOWEST, FASTEST = Fraction(1), Fraction(1000)  # frames per second

_TEXT = re.compile(r"([0-9]{1,7})(?:/([0-9]{1,7})|\.([0-9]{1,6}))?")
# SMPTE ST 12-1 and 12-3: the rates that lag their whole number by 1000/1001
_LAGGING = (24, 30, 48, 60, 96, 120)
_AS_WRITTEN = Fraction(5, 1000)  # "23.98" and 23.976 are both meant as 24000/1001
_ROUNDING = Fraction(1, 1_000_000)


def snapped(rate: Fraction | float) -> Fraction:
    """Return the rate that is meant: the NTSC family in exact form, whole numbers whole. Raises ValueError."""
    if isinstance(rate, float) and not math.isfinite(rate):
        raise ValueError(NOT_A_RATE)
    exact = Fraction(rate)
    if not SLOWEST <= exact <= FASTEST:
        raise ValueError(NOT_A_RATE)
    whole = Fraction(round(exact))
    if abs(exact - whole) <= _ROUNDING:
        return whole
    for each in _LAGGING:
        lagging = Fraction(each * 1000, 1001)
        if abs(exact - lagging) <= _AS_WRITTEN:
            return lagging
    return exact.limit_denominator(100_000)


def parse_rate(text: str) -> Fraction:
    """Read `24`, `25`, `24000/1001` or `23.976`. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise ValueError(NOT_A_RATE)
    return snapped(Fraction(text))


def rate_text(rate: Fraction) -> str:
    """`24` or `24000/1001`."""
    return str(rate)


def rate_violation(pointer: str, text: str) -> Violation | None:
    try:
        parse_rate(text)
    except ValueError:
        return Violation(pointer, "bad_frame_rate", f"{NOT_A_RATE[0].upper()}{NOT_A_RATE[1:]}.")
    return None


def drops_frames(rate: Fraction) -> bool:
    """Say whether timecode at this rate can be drop-frame: 29.97 and 59.94 only (SMPTE ST 12-1)."""
    return rate in {Fraction(30000, 1001), Fraction(60000, 1001)}


def frames_at(seconds: Fraction, rate: Fraction) -> int:
    """Return the nearest frame boundary, halves up."""
    return math.floor(seconds * rate + Fraction(1, 2))
