"""OpenTimelineIO's JSON, and its objects, as plain numbers and names. Runs in a child process only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from circletake.domain.exposure.flatten import Clip, Fade, Gap, Layers, Strip
from circletake.domain.exposure.rates import snapped
from circletake.ports import CutRead, CutRefused, CutSource

MAX_DEPTH = 200  # brackets: OpenTimelineIO's reader recurses, and a deeper file would end the process
MAX_NESTED = 40  # compositions in compositions
MAX_CLIPS = 20_000
MAX_HINTS, MAX_HINT = 60, 1_000  # of one clip; characters
_NEAR = Fraction(1, 1_000_000)

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")

# generated pictures that hide what is under them; every other generated picture is a title or an overlay
_OPAQUE = frozenset({"black", "smptebars", "bars", "slug", "solidcolor"})


def parse_otio(data: bytes, rate: Fraction) -> CutRead:
    """Parse OTIO JSON. Raises CutRefused."""
    _check_depth(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _malformed() from None
    try:
        read = otio.core.deserialize_json_from_string(text)
    except (ValueError, TypeError, KeyError, otio.exceptions.OTIOError):
        raise _malformed() from None
    return cut_of(_timeline(read), rate)


def _malformed() -> CutRefused:
    return CutRefused("malformed", "This isn't whole OTIO JSON: export the timeline again as .otio.")


def _check_depth(data: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(_STRINGS.sub(b"", data)):
        depth += 1 if match[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise CutRefused(
                "too_deep", f"The file nests deeper than {MAX_DEPTH}: flatten the sequences in it."
            )


def _timeline(read: Any) -> Any:
    if isinstance(read, otio.schema.SerializableCollection):
        timelines = [each for each in read if isinstance(each, otio.schema.Timeline)]
        if len(timelines) == 1:
            return timelines[0]
        raise CutRefused("not_a_timeline", f"The file holds {len(timelines)} timelines: export one.")
    if not isinstance(read, otio.schema.Timeline):
        raise CutRefused("not_a_timeline", "The file is OTIO, but no timeline: export the sequence itself.")
    return read


def cut_of(timeline: Any, rate: Fraction) -> CutRead:
    """Turn a Timeline into numbers and names. Raises CutRefused."""
    reading = _Reading()
    try:
        layers = reading.layers(timeline.tracks, 0)
    except (ValueError, OverflowError, ZeroDivisionError, RecursionError, otio.exceptions.OTIOError):
        raise CutRefused(
            "malformed",
            "A time in the file is no number, negative, or has no rate: export the timeline again.",
        ) from None
    if not reading.sources:
        raise CutRefused("empty", "There is no clip on any video track.")
    start = timeline.global_start_time
    own = _rate(start.rate) if start is not None else reading.rate
    return CutRead(layers, tuple(reading.sources), own or rate, str(timeline.name or "")[:500])


def seconds(time: Any) -> Fraction:
    """Return a RationalTime as exact seconds. Raises ValueError for what is no time."""
    value = Fraction(time.value)
    nearest = Fraction(round(value))
    return (nearest if abs(value - nearest) < _NEAR else value) / _rate(time.rate)


def _rate(rate: float) -> Fraction:
    return snapped(rate)


@dataclass(slots=True)
class _Reading:
    """One pass over a timeline. `rate` is the first clip's."""

    sources: list[CutSource] = field(default_factory=list)
    rate: Fraction | None = None

    def layers(self, stack: Any, depth: int) -> Layers:
        self._bound(depth)
        tracks = [
            each
            for each in stack
            if not (isinstance(each, otio.schema.Track) and each.kind == otio.schema.TrackKind.Audio)
        ]
        read = [self._item(each, depth) for each in tracks if getattr(each, "enabled", True)]
        window, speed = _window(stack), _speed(stack)
        return Layers(tuple(each for each in read if not isinstance(each, Gap | Fade)), window, speed)

    def strip(self, track: Any, depth: int) -> Strip:
        self._bound(depth)
        items = tuple(self._item(each, depth) for each in track)
        return Strip(items, _window(track), _speed(track))

    def _bound(self, depth: int) -> None:
        if depth > MAX_NESTED:
            raise CutRefused("too_deep", f"Sequences nest deeper than {MAX_NESTED}: flatten them.")

    def _item(self, item: Any, depth: int) -> Clip | Gap | Fade | Strip | Layers:
        if isinstance(item, otio.schema.Transition):
            return Fade(_length(item.in_offset), _length(item.out_offset))
        if isinstance(item, otio.schema.Gap) or not getattr(item, "enabled", True):
            return Gap(_length(_range(item).duration))
        if isinstance(item, otio.schema.Clip):
            return self._clip(item)
        if isinstance(item, otio.schema.Track):
            return self.strip(item, depth + 1)
        if isinstance(item, otio.schema.Stack):
            return self.layers(item, depth + 1)
        raise CutRefused("unsupported", "The timeline holds an item of a kind that isn't known here.")

    def _clip(self, clip: Any) -> Clip:
        used = _range(clip)
        start_rate, rate = _rate(used.start_time.rate), _rate(used.duration.rate)
        self.rate = self.rate or rate
        if len(self.sources) >= MAX_CLIPS:
            raise CutRefused("too_large", f"The cut has more than {MAX_CLIPS:,} clips: post it in parts.")
        media = clip.media_reference
        available = getattr(media, "available_range", None)
        first = None if available is None else seconds(available.start_time) * start_rate
        self.sources.append(CutSource(str(clip.name or "")[:MAX_HINT], tuple(_hints(clip, media)), first))
        kind = str(getattr(media, "generator_kind", "") or "").lower()
        generated = isinstance(media, otio.schema.GeneratorReference)
        return Clip(
            number=len(self.sources) - 1,
            duration=_length(used.duration),
            source_in=seconds(used.start_time) * start_rate,
            source_rate=start_rate,
            speed=_speed(clip),
            covers=not generated or kind in _OPAQUE,
        )


def _range(item: Any) -> Any:
    if item.source_range is not None:
        return item.source_range
    return item.available_range()


def _length(time: Any) -> Fraction:
    long = seconds(time)
    if long < 0:
        raise ValueError("a length below 0")
    return long


def _window(composition: Any) -> tuple[Fraction, Fraction] | None:
    used = composition.source_range
    return None if used is None else (seconds(used.start_time), _length(used.duration))


def _speed(item: Any) -> Fraction:
    """Return how fast the source goes by; a freeze is 0."""
    speed = Fraction(1)
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):  # a FreezeFrame is one, too
            speed *= Fraction(effect.time_scalar).limit_denominator(100_000)
    return speed


def _hints(clip: Any, media: Any) -> Iterator[str]:
    found = 0
    for text in _texts(clip, media):
        if text and found < MAX_HINTS:
            found += 1
            yield text[:MAX_HINT]


def _texts(clip: Any, media: Any) -> Iterator[str]:
    for each in (media, clip):
        for name in ("target_url", "target_url_base", "name_prefix", "name"):
            yield str(getattr(each, name, "") or "")
    for each in (clip, media):
        yield from _strings(getattr(each, "metadata", None), 0)


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 6:  # noqa: PLR2004 - editors' metadata is a few levels deep
        if isinstance(value, Mapping) or hasattr(value, "items"):
            for each in value.values():
                yield from _strings(each, depth + 1)
        elif isinstance(value, list | tuple) or type(value).__name__ == "AnyVector":
            for each in value:
                yield from _strings(each, depth + 1)
