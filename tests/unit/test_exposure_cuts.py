"""What a cut says is on screen: small timelines whose answer a person can count."""

import json
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.exposure.flatten import Clip, Fade, Gap, Layers, Strip, flatten
from circletake.domain.exposure.rates import frames_at, parse_rate, rate_text, snapped
from circletake.ports import CutRefused

if sys.version_info >= (3, 14):
    pytest.skip("OpenTimelineIO has no wheel for this Python", allow_module_level=True)

from circletake.adapters.cuts.edl import parse_edl
from circletake.adapters.cuts.otio import MAX_DEPTH, parse_otio

FILM, NTSC, VIDEO = Fraction(24), Fraction(24000, 1001), Fraction(30000, 1001)


def shown(cut):
    """Each clip's name with the frames that are seen of it."""
    return [
        (
            cut.sources[seen.clip.number].name,
            [(frames_at(first, cut.rate), frames_at(last, cut.rate)) for first, last in seen.spans],
        )
        for seen in flatten(cut.timeline)
    ]


def time(value, rate=24.0):
    return {"OTIO_SCHEMA": "RationalTime.1", "value": value, "rate": rate}


def used(start, duration, rate=24.0):
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": time(start, rate),
        "duration": time(duration, rate),
    }


def clip(name, start, duration, rate=24.0, **more):
    media = {"media_references": {"DEFAULT_MEDIA": {"OTIO_SCHEMA": "MissingReference.1"}}}
    place = {"source_range": used(start, duration, rate), "active_media_reference_key": "DEFAULT_MEDIA"}
    return {"OTIO_SCHEMA": "Clip.2", "name": name, **place, **media, **more}


def gap(duration):
    return {"OTIO_SCHEMA": "Gap.1", "source_range": used(0, duration)}


def track(*children, kind="Video", **more):
    return {"OTIO_SCHEMA": "Track.1", "kind": kind, "children": list(children), **more}


def timeline(*tracks, **more):
    stack = {"OTIO_SCHEMA": "Stack.1", "children": list(tracks)}
    return json.dumps({"OTIO_SCHEMA": "Timeline.1", "name": "reel 1", "tracks": stack, **more}).encode()


def test_upper_tracks_cover_and_what_is_switched_off_does_not():
    """A clip over another hides it for as long; audio, gaps and disabled clips hide nothing."""
    cut = parse_otio(
        timeline(
            track(clip("A", 0, 100), clip("B", 0, 50)),
            track(gap(20), clip("over", 8, 30), clip("off", 0, 40, enabled=False)),
            track(clip("sound", 0, 500), kind="Audio"),
        ),
        FILM,
    )
    assert shown(cut) == [("A", [(0, 20), (50, 100)]), ("B", [(100, 150)]), ("over", [(20, 50)])]


def test_a_title_lets_through_what_is_under_it():
    """Generated overlays hide nothing, generated black does."""
    title, black = (
        {
            "OTIO_SCHEMA": "GeneratorReference.1",
            "generator_kind": kind,
            "parameters": {},
        }
        for kind in ("Text", "black")
    )
    cut = parse_otio(
        timeline(
            track(clip("A", 0, 48)),
            track(
                clip("title", 0, 24, media_references={"DEFAULT_MEDIA": title}),
                clip("slug", 0, 12, media_references={"DEFAULT_MEDIA": black}),
            ),
        ),
        FILM,
    )
    assert shown(cut)[0] == ("A", [(0, 24), (36, 48)])


def test_a_dissolve_shows_both_sides():
    """Over the transition both clips are in the picture, from their handles."""
    fade = {
        "OTIO_SCHEMA": "Transition.1",
        "transition_type": "SMPTE_Dissolve",
        "in_offset": time(6),
        "out_offset": time(6),
    }
    cut = parse_otio(timeline(track(clip("A", 10, 48), fade, clip("B", 20, 48))), FILM)
    assert shown(cut) == [("A", [(0, 54)]), ("B", [(42, 96)])]
    assert [seen.source_in for seen in flatten(cut.timeline)] == [10, 14]


def test_a_retime_lasts_as_long_as_it_is_on_screen():
    """At double speed 24 frames on screen use 48 of the source; a nested sequence at half speed lasts twice as long."""
    fast = {"OTIO_SCHEMA": "LinearTimeWarp.1", "effect_name": "LinearTimeWarp", "time_scalar": 2.0}
    slow = {"OTIO_SCHEMA": "LinearTimeWarp.1", "effect_name": "LinearTimeWarp", "time_scalar": 0.5}
    nested = {
        "OTIO_SCHEMA": "Stack.1",
        "children": [track(clip("in", 0, 12), clip("side", 0, 36))],
        "effects": [slow],
        "source_range": used(6, 48),
    }
    cut = parse_otio(timeline(track(clip("fast", 0, 24, effects=[fast]), nested)), FILM)
    assert shown(cut) == [("fast", [(0, 24)]), ("in", [(24, 36)]), ("side", [(36, 72)])]
    assert [seen.speed for seen in flatten(cut.timeline)] == [2, Fraction(1, 2), Fraction(1, 2)]


def test_rates_stay_exact_over_an_hour():
    """86,400 frames at 23.976 are 3603.6 seconds, however the rate was written."""
    for written in (23.976, 23.98, 24000 / 1001):
        cut = parse_otio(timeline(track(clip("A", 0, 86_400, written))), FILM)
        assert cut.rate == NTSC
        assert flatten(cut.timeline)[0].end == Fraction(36036, 10)
    assert rate_text(parse_rate("29.97")) == "30000/1001"
    with pytest.raises(ValueError, match="rate"):
        snapped(float("nan"))


EDL = """TITLE: REEL 1
FCM: NON-DROP FRAME
001  AX       V     C        00:00:00:00 00:00:05:00 01:00:00:00 01:00:05:00
* FROM CLIP NAME: AGM_104_TCC_0010
002  AX       V     C        00:00:05:00 00:00:05:00 01:00:05:00 01:00:05:00
002  AX       V     D    024 00:00:10:00 00:00:16:00 01:00:05:00 01:00:11:00
* FROM CLIP NAME: AGM_104_TCC_0010
* TO CLIP NAME: AGM_104_TCC_0020
003  AX       V     C        00:00:10:00 00:00:14:00 01:00:11:00 01:00:13:00
M2   AX       048.0          00:00:10:00
* FROM CLIP NAME: FAST
004  AX       V2    C        00:00:10:00 00:00:11:00 01:00:02:00 01:00:03:00
* FROM CLIP NAME: OVER
"""


def test_an_edl_with_a_dissolve_a_speed_change_and_an_upper_track():
    """Counted by hand: 5 s and the dissolve's second, 6 s, 2 s at double speed, one second of V2 over the first."""
    cut = parse_edl(EDL.encode(), FILM)
    assert shown(cut) == [
        ("AGM_104_TCC_0010", [(0, 48), (72, 144)]),
        ("AGM_104_TCC_0020", [(120, 264)]),
        ("FAST", [(264, 312)]),
        ("OVER", [(48, 72)]),
    ]
    assert [seen.speed for seen in flatten(cut.timeline)] == [1, 1, 2, 1]


@pytest.mark.parametrize("mark", [":", ";"])
def test_drop_frame_timecode_counts_real_frames(mark):
    """From 00:00:59:28 to 00:01:00:02 are two frames of 29.97 drop-frame, not four: two numbers are left out."""
    edl = f"""TITLE: T
FCM: DROP FRAME
001  AX V C 00:00:59{mark}28 00:01:00{mark}02 01:00:59{mark}28 01:01:00{mark}02
* FROM CLIP NAME: X
"""
    cut = parse_edl(edl.encode(), VIDEO)
    assert shown(cut) == [("X", [(0, 2)])]
    assert flatten(cut.timeline)[0].end == Fraction(2 * 1001, 30000)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[]", "not_a_timeline"),
        (b"\xff\xfe{}", "malformed"),
        (b"[" * 3_000_000, "too_deep"),
        (b'{"a":' * (MAX_DEPTH + 1), "too_deep"),
        (b'{"OTIO_SCHEMA": "Gap.1"}', "not_a_timeline"),
        (timeline(track(gap(5))), "empty"),
        (timeline(track(clip("A", 0, -5))), "malformed"),
        (timeline(track(clip("A", 0, 5, 0.0))), "malformed"),
        (timeline(track(clip("A", 0, 5)))[:-40], "malformed"),
        (timeline(track(clip("A", 0, 5))).replace(b'"value": 5', b'"value": NaN'), "malformed"),
    ],
)
def test_what_is_no_timeline_is_refused(data, code):
    """Half-written, nested, empty and impossible files say what is wrong with them."""
    with pytest.raises(CutRefused) as refused:
        parse_otio(data, FILM)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("edl", "says"),
    [
        ("TITLE: x\n", "no event"),
        ("001  AX V C 00:00:00:00 00:00:05:00 01:00:00:00 01:00:04:00\n", "M2"),
        (EDL + "005  AX V C 00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n", "verlap"),
        ("001  AX V C 00:00:00;00 00:00:05;00 01:00:00;00 01:00:05;00\n", "drop-frame"),
        ("001  AX V K 00:00:00:00 00:00:05:00\n", "CMX 3600"),
        ("001  AX V C 00:00:00:00 00:00:99:00 \0", "text"),
    ],
)
def test_an_edl_that_cannot_be_read_says_what_to_change(edl, says):
    """The refusal names the cause, not the parser's trouble."""
    with pytest.raises(CutRefused, match=says):
        parse_edl(edl.encode(), FILM)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_frame_is_shown_by_two_opaque_clips_but_in_a_dissolve(data):
    """Of cuts of any tracks, gaps and lengths: every instant is seen at most once, and as long as there is a clip."""
    number = iter(range(1000))

    def items():
        lengths = data.draw(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=5))
        return [
            Clip(next(number), Fraction(length), Fraction(0), FILM) if is_clip else Gap(Fraction(length))
            for is_clip, length in lengths
        ]

    tracks = tuple(Strip(tuple(items())) for _ in range(data.draw(st.integers(1, 4))))
    seen = flatten(Layers(tracks))
    for second in range(100):
        there = [each for each in seen if any(first <= second < last for first, last in each.spans)]
        under = [each for each in seen if each.start <= second < each.end]
        assert len(there) == min(1, len(under))


def test_a_fade_in_over_a_lower_track_lets_it_through():
    """An upper clip that fades in from nothing hides what is under it only once it is whole."""
    upper = Strip(
        (
            Gap(Fraction(2)),
            Fade(Fraction(0), Fraction(1)),
            Clip(1, Fraction(4), Fraction(0), FILM),
        )
    )
    lower = Strip((Clip(0, Fraction(10), Fraction(0), FILM),))
    assert flatten(Layers((lower, upper)))[0].spans == ((0, 3), (6, 10))
