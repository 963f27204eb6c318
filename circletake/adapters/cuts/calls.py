"""What the reader asks its child to do. OpenTimelineIO loads there: the worker's own process never imports it."""

from fractions import Fraction
from pathlib import Path

from circletake.ports import CutFormat, CutRead, CutRefused


def read_cut(path: Path, form: CutFormat, rate: Fraction) -> CutRead:
    try:
        import opentimelineio  # noqa: F401 - asked for by its absence
    except ImportError:
        raise CutRefused(
            "reader_missing",
            "This worker's Python has no OpenTimelineIO: cuts are read on Python 3.11 to 3.13.",
        ) from None
    from circletake.adapters.cuts.edl import parse_edl
    from circletake.adapters.cuts.otio import parse_otio

    data = path.read_bytes()
    return parse_otio(data, rate) if form == "otio" else parse_edl(data, rate)
