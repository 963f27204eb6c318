"""CMX 3600 edit decision lists, through OpenTimelineIO's adapter. Runs in a child process only."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from otio_cmx3600_adapter import cmx_3600

from circletake.adapters.cuts.otio import cut_of, seconds
from circletake.domain.exposure.flatten import Gap, Layers, Strip
from circletake.domain.exposure.rates import drops_frames
from circletake.ports import CutRead, CutRefused

MAX_LINE = 2_000
MAX_LINES = 400_000

_EVENT = re.compile(r"\d+\s")
_TIMECODE = re.compile(r"\b(\d\d:\d\d:\d\d)[:;.,](\d\d)\b")
_MOTION = re.compile(r"M2\s", re.IGNORECASE)

_WHY = (
    ("duration", "An event's source and record are of different lengths, and no M2 line gives a speed."),
    ("verlapping", "Events overlap on one track: sort them by record time, and name upper tracks V2, V3."),
    ("rop frame", "The timecodes are drop-frame at a rate that has none: give ?rate=30000/1001."),
    ("ransition", "A transition isn't a dissolve or a wipe after an event: key edits aren't read."),
    ("support this rate", "CMX 3600 has no timecode at this rate: give the list's own with ?rate=."),
)


def parse_edl(data: bytes, rate: Fraction) -> CutRead:
    """Parse an EDL whose frames count at `rate`. Raises CutRefused."""
    if b"\0" in data:
        raise CutRefused("malformed", "This isn't a text file: export the cut as a CMX 3600 EDL.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = list(_lines(text, rate))
    if not any(_EVENT.match(line) for line in lines):
        raise CutRefused("empty", "There is no event in this file: export the cut as a CMX 3600 EDL.")
    try:
        timeline = cmx_3600.read_from_string("\n".join(lines), rate=float(rate))
    except Exception as error:  # noqa: BLE001 - the adapter raises whatever a line makes it stumble over
        raise _refusal(error) from None
    return _placed(timeline, cut_of(timeline, rate), rate)


def _refusal(error: Exception) -> CutRefused:
    told = str(error)
    for part, says in _WHY:
        if part in told:
            return CutRefused("malformed", says)
    return CutRefused("malformed", "An event isn't written as CMX 3600 has it: export the EDL again.")


def _lines(text: str, rate: Fraction) -> Iterator[str]:
    """The lines as the adapter takes them: drop-frame marks where FCM asks for them, nothing strange at the head."""
    drop: bool | None = None
    begun = False
    count = 0
    for raw in text.splitlines():
        line = "".join(each for each in raw if each.isprintable()).strip()
        if not line:
            continue
        count += 1
        if count > MAX_LINES or len(line) > MAX_LINE:
            raise CutRefused("too_large", "The list is longer than a cut can be: export one timeline.")
        if line.upper().startswith("FCM"):
            drop = "NON" not in line.upper() and drops_frames(rate)
        elif _EVENT.match(line):
            begun = True
            yield _TIMECODE.sub(partial(_marked, drop=drop), line)
        elif _MOTION.match(line):  # the adapter knows a motion line by its colons
            if begun:
                yield _TIMECODE.sub(r"\1:\2", line)
        elif begun or line.startswith("TITLE:"):
            yield line


def _marked(found: re.Match[str], *, drop: bool | None) -> str:
    if drop is None:  # no FCM: the list's own marks
        drop = found[0][-3] in ";,"
    return f"{found[1]}{';' if drop else ':'}{found[2]}"


def _placed(timeline: Any, cut: CutRead, rate: Fraction) -> CutRead:
    """Set each track at its own first record time: the adapter lets every track begin where its first event does."""
    video = [track for track in timeline.tracks if track.kind != "Audio"]
    begins = [
        Fraction(0) if track.source_range is None else -seconds(track.source_range.start_time)
        for track in video
    ]
    first = min(begins, default=Fraction(0))
    strips = [
        (_height(track.name), Strip((Gap(begin - first), *strip.items)))
        for track, begin, strip in zip(video, begins, cut.timeline.tracks, strict=True)
        if isinstance(strip, Strip)
    ]
    ordered = [strip for _, strip in sorted(strips, key=lambda each: each[0])]
    return replace(cut, timeline=Layers(tuple(ordered)), rate=rate)


def _height(name: str) -> int:
    """V and V1 lie under V2, wherever in the list their events begin."""
    digits = name.removeprefix("V")
    return int(digits) if digits.isdecimal() else 1
