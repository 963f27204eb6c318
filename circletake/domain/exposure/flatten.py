"""What of a timeline is on screen, when: upper tracks cover lower ones, a dissolve shows both its sides.

Times are seconds as exact fractions. A retimed item lasts as long as it is on screen; its speed says only how much of
its source goes by meanwhile.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

Span = tuple[Fraction, Fraction]
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of media in a cut. `number` counts the clips of a file from 0."""

    number: int
    duration: Fraction  # on screen
    source_in: Fraction  # in frames of the source at `source_rate`
    source_rate: Fraction
    speed: Fraction = Fraction(1)
    covers: bool = True  # a title or another generated overlay lets through what is under it


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing, or something that is switched off."""

    duration: Fraction


@dataclass(frozen=True, slots=True)
class Fade:
    """A transition over a cut: from `before` the cut until `after` it."""

    before: Fraction
    after: Fraction


@dataclass(frozen=True, slots=True)
class Strip:
    """Items one after another: a track. `window` is what is used of it, as (start, duration)."""

    items: Sequence["Clip | Gap | Fade | Strip | Layers"]
    window: tuple[Fraction, Fraction] | None = None
    speed: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Layers:
    """Tracks over one another, the lowest first."""

    tracks: Sequence["Clip | Strip | Layers"]
    window: tuple[Fraction, Fraction] | None = None
    speed: Fraction = Fraction(1)


Item = Clip | Gap | Strip | Layers


@dataclass(frozen=True, slots=True)
class Seen:
    """A clip where it stands in the picture. `spans` are the parts of it that nothing covers.

    `source_in` is the source's frame at `start`; from there the source goes by at `speed`.
    """

    clip: Clip
    start: Fraction
    end: Fraction
    solid: Span  # where it hides what is under it
    spans: tuple[Span, ...]
    source_in: Fraction
    speed: Fraction


def flatten(timeline: Layers) -> list[Seen]:
    """Return every clip with what is seen of it, in the order of their numbers."""
    return sorted(_inside(timeline), key=lambda seen: (seen.clip.number, seen.start))


def length(item: Item) -> Fraction:
    """Return how long an item is on screen."""
    if isinstance(item, Clip | Gap):
        return item.duration
    if item.window is not None:
        return item.window[1]
    if isinstance(item, Strip):
        return sum((length(each) for each in item.items if not isinstance(each, Fade)), ZERO)
    return max((length(each) for each in item.tracks), default=ZERO)


def _inside(item: Item) -> list[Seen]:
    """Return the clips of an item, in the item's own time on screen."""
    if isinstance(item, Gap):
        return []
    if isinstance(item, Clip):
        whole = (ZERO, item.duration)
        return [Seen(item, *whole, whole, (whole,), item.source_in, item.speed)]
    found = _of_strip(item) if isinstance(item, Strip) else _of_layers(item)
    if item.window is None and item.speed == 1:
        return found
    start, duration = item.window or (ZERO, length(item))
    return [each for seen in found if (each := _windowed(seen, start, duration, abs(item.speed)))]


def _of_strip(strip: Strip) -> list[Seen]:
    found: list[Seen] = []
    now = ZERO
    items = list(strip.items)
    for index, item in enumerate(items):
        if isinstance(item, Fade):
            continue
        before = items[index - 1] if index else None
        after = items[index + 1] if index + 1 < len(items) else None
        lasts = length(item)
        for seen in _inside(item):
            shown = _shifted(seen, now)
            if isinstance(before, Fade) and seen.start == 0:
                shown = _opened(shown, before, alone=not _shows(items, index - 2))
            if isinstance(after, Fade) and seen.end == lasts:
                shown = _closed(shown, after, alone=not _shows(items, index + 2))
            found.append(shown)
        now += lasts
    return found


def _shows(items: Sequence[object], index: int) -> bool:
    """Say whether there is a picture on the other side of a transition."""
    return 0 <= index < len(items) and not isinstance(items[index], Gap | Fade)


def _opened(seen: Seen, fade: Fade, *, alone: bool) -> Seen:
    solid = (seen.start + fade.after, seen.solid[1]) if alone else seen.solid
    start = seen.start - fade.before
    source = seen.source_in - fade.before * seen.speed * seen.clip.source_rate
    spans = ((start, seen.spans[0][1]), *seen.spans[1:]) if seen.spans else ((start, seen.start),)
    return replace(seen, start=start, source_in=source, solid=solid, spans=spans)


def _closed(seen: Seen, fade: Fade, *, alone: bool) -> Seen:
    solid = (seen.solid[0], seen.end - fade.before) if alone else seen.solid
    end = seen.end + fade.after
    spans = (*seen.spans[:-1], (seen.spans[-1][0], end)) if seen.spans else ((seen.end, end),)
    return replace(seen, end=end, solid=solid, spans=spans)


def _of_layers(layers: Layers) -> list[Seen]:
    found: list[Seen] = []
    covered: list[Span] = []
    for track in reversed(layers.tracks):
        seen = [replace(each, spans=_without(each.spans, covered)) for each in _inside(track)]
        found += seen
        covered = merged(
            [*covered, *(each.solid for each in seen if each.clip.covers and each.solid[0] < each.solid[1])]
        )
    return found


def _windowed(seen: Seen, start: Fraction, duration: Fraction, speed: Fraction) -> Seen | None:
    """Cut a clip to the part of its composition that is used, and bring that to the time on screen."""
    if speed == 0:  # a frozen frame of a composition
        if not any(first <= start < last for first, last in seen.spans):
            return None
        whole = (ZERO, duration)
        source = seen.source_in + (start - seen.start) * seen.speed * seen.clip.source_rate
        return Seen(seen.clip, *whole, whole, (whole,), source, ZERO)

    def placed(time: Fraction) -> Fraction:
        return min(max((time - start) / speed, ZERO), duration)

    first, last = placed(seen.start), placed(seen.end)
    if first >= last:
        return None
    skipped = max(start - seen.start, ZERO)
    return Seen(
        clip=seen.clip,
        start=first,
        end=last,
        solid=(placed(seen.solid[0]), placed(seen.solid[1])),
        spans=tuple(
            (one, other) for span in seen.spans if (one := placed(span[0])) < (other := placed(span[1]))
        ),
        source_in=seen.source_in + skipped * seen.speed * seen.clip.source_rate,
        speed=seen.speed * speed,
    )


def _shifted(seen: Seen, by: Fraction) -> Seen:
    if by == 0:
        return seen
    first, last = seen.solid
    return replace(
        seen,
        start=seen.start + by,
        end=seen.end + by,
        solid=(first + by, last + by),
        spans=tuple((one + by, other + by) for one, other in seen.spans),
    )


T = TypeVar("T", int, Fraction)


def merged(spans: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """Return spans in order, those that meet or overlap as one."""
    together: list[tuple[T, T]] = []
    for first, last in sorted(spans):
        if together and first <= together[-1][1]:
            together[-1] = (together[-1][0], max(together[-1][1], last))
        else:
            together.append((first, last))
    return together


def _without(spans: Sequence[Span], covered: Sequence[Span]) -> tuple[Span, ...]:
    """Take away what is covered (merged, in order)."""
    left: list[Span] = []
    for first, last in spans:
        now = first
        index = max(0, bisect_right(covered, (first, first)) - 1)
        while index < len(covered) and covered[index][0] < last:
            hidden_from, hidden_to = covered[index]
            if hidden_to > now:
                if hidden_from > now:
                    left.append((now, hidden_from))
                now = hidden_to
            index += 1
        if now < last:
            left.append((now, last))
    return tuple(left)
