"""What the reader and the writer ask their child to do. OpenTimelineIO loads there: the worker's own process never imports it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from circletake.ports import CutFormat, CutRead, CutRefused, TimelineClip, TimelineFault


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


def write_timeline(
    clips: Sequence[TimelineClip], name: str, rate: Fraction, metadata: Mapping[str, Any], target: Path
) -> None:
    try:
        import opentimelineio  # noqa: F401 - asked for by its absence
    except ImportError:
        raise TimelineFault(
            "writer_missing",
            "This worker's Python has no OpenTimelineIO: timelines are written on Python 3.11 to 3.13.",
        ) from None
    from circletake.adapters.cuts.timeline import write_timeline as write

    write(clips, name, rate, metadata, target)
