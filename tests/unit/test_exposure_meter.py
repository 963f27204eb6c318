"""The meter's arithmetic, its limits, and what a clip's name says: all of it can be checked by hand."""

from fractions import Fraction
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.exposure.doses import MAX_RUNS, Dose, TakeDose, runs_of, together
from circletake.domain.exposure.limits import (
    Limit,
    LimitAction,
    Metric,
    Reading,
    crosses,
    passes,
    sentence,
)
from circletake.domain.exposure.matching import hints_of, shot_in
from circletake.domain.exposure.meter import Placed, measure


def percent(value):
    return Dose(Fraction(value) / 100)


def test_an_eighteen_second_cut_with_three_circled_takes():
    """432 frames: 4 s at 3.5 %, 2 s at 50 %, 1 s whole, 11 s of nothing. By hand: 7 s with AI, 0.14 + 1 + 1 = 2.14 s
    of picture, 3 of 5 shots."""
    a, b, c, d = (uuid4() for _ in range(4))
    cut = [
        Placed(d, [(0, 120)], Dose()),
        Placed(a, [(120, 216)], percent("3.5")),
        Placed(b, [(216, 264)], percent(50)),
        Placed(7, [(264, 408)], Dose()),
        Placed(c, [(408, 432)], percent(100)),
    ]
    meter = measure(cut)
    assert (meter.shots, meter.shots_with_ai, meter.share_of_shots) == (5, 3, Fraction(3, 5))
    seconds = {name: getattr(meter.time, name) / 24 for name in ("total", "with_generated", "generated")}
    assert seconds == {"total": 18, "with_generated": 7, "generated": Fraction(214, 100)}
    assert meter.time.share == Fraction(7, 18)
    assert [line.most.generated for line in meter.lines if line.shot == b] == [Fraction(1, 2)]


def test_a_dissolve_between_two_takes_counts_its_frames_once():
    """24 frames in which 70 % and 60 % are seen together are 24 frames with AI, of at most the whole frame."""
    meter = measure([Placed(uuid4(), [(0, 48)], percent(70)), Placed(uuid4(), [(24, 72)], percent(60))])
    assert (meter.time.total, meter.time.with_generated) == (72, 72)
    assert meter.time.generated == Fraction(7, 10) * 24 + 24 + Fraction(6, 10) * 24


def test_enhanced_is_counted_apart():
    """Denoised frames are no AI in the picture, and have a number of their own."""
    meter = measure([Placed(uuid4(), [(0, 24)], Dose(Fraction(0), Fraction(1)))])
    assert (meter.shots_with_ai, meter.time.with_generated) == (0, 0)
    assert (meter.time.with_enhanced, meter.time.enhanced) == (24, 24)


def test_what_is_covered_or_has_no_length_is_no_time():
    """A clip under another is no shot of the picture; a shot without a length is one, and has no time."""
    meter = measure([Placed(uuid4(), [], percent(10)), Placed(uuid4(), [(0, 0)], percent(10), counts=True)])
    assert (meter.shots, meter.shots_with_ai, meter.time.total) == (1, 1, 0)
    assert meter.time.share == 0


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda each: (each[0], sum(each))), max_size=4
)


@given(st.lists(st.tuples(spans, st.integers(0, 100)), max_size=6))
@settings(max_examples=100, deadline=None)
def test_the_meter_is_what_counting_frame_by_frame_gives(pieces):
    """Any pieces over any others: the sums over stretches are the sums over frames."""
    placed = [Placed(number, where, percent(drawn)) for number, (where, drawn) in enumerate(pieces)]
    time = measure(placed).time
    frames = [
        [each for each in placed if any(first <= frame < last for first, last in each.spans)]
        for frame in range(100)
    ]
    assert time.total == sum(1 for there in frames if there)
    assert time.with_generated == sum(1 for there in frames if any(each.dose.any for each in there))
    assert time.generated == sum(
        min(Fraction(1), sum((each.dose.generated for each in there), Fraction(0))) for there in frames
    )


def test_takes_of_one_request_are_alternatives_and_requests_are_layers():
    """Two circled takes of a cleanup count once, with the larger; an element over them adds up to the whole frame."""
    cleanup, element = uuid4(), uuid4()
    assert together([(cleanup, percent(3)), (cleanup, percent(5))]).generated == Fraction(5, 100)
    assert together([(cleanup, percent(60)), (element, percent(70))]).generated == 1


def test_only_the_frames_that_are_used_count():
    """Of a take whose second half is generated, a cut of the first half shows nothing of it."""
    take = TakeDose(uuid4(), uuid4(), percent(50), ((24, 0, 0), (24, 1000, 0)), Fraction(24))
    assert take.between(Fraction(0), Fraction(24)).generated == 0
    assert take.between(Fraction(12), Fraction(24)).generated == Fraction(1, 2)
    assert take.between(Fraction(40), Fraction(24)) == take.mean, "frames that it hasn't"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=2000))
@settings(max_examples=30, deadline=None)
def test_runs_keep_every_frame_in_few_rows(frames):
    """However long and restless a take, its runs hold all its frames, and few are kept."""
    runs = runs_of(frames)
    assert sum(count for count, _, _ in runs) == len(frames)
    assert len(runs) <= MAX_RUNS
    mean = sum(count * drawn for count, drawn, _ in runs) / len(frames) / 1000
    assert mean == pytest.approx(sum(drawn for drawn, _ in frames) / len(frames), abs=0.002)


def test_a_limit_is_passed_by_what_raises_the_number():
    """Beyond the limit and more than before; what was there before a limit was set isn't held against a request."""
    limit = Limit(uuid4(), "production", uuid4(), Metric.SCREEN_TIME, Fraction(1, 10), LimitAction.WARN)
    assert passes(limit, Reading(Fraction(5, 100), Fraction(11, 100)))
    assert crosses(limit, Reading(Fraction(5, 100), Fraction(11, 100)))
    assert not passes(limit, Reading(Fraction(5, 100), Fraction(10, 100)))
    assert not passes(limit, Reading(Fraction(20, 100), Fraction(20, 100)))
    assert not crosses(limit, Reading(Fraction(20, 100), Fraction(21, 100)))
    assert "12.5 %" in sentence(limit, Reading(Fraction(0), Fraction(1, 8)))


A, B = UUID(int=1), UUID(int=2)
CODES = {"agm_104_tcc_0010": A, "agm_104_tcc_0010b": B, "0010": B}


@pytest.mark.parametrize(
    ("name", "shot"),
    [
        ("AGM_104_TCC_0010", A),
        ("agm_104_tcc_0010_comp_v003.mov", A),
        ("AGM_104_TCC_0010B_PL01", B),
        ("AGM_104_TCC_00101", None),
        ("comp of 0010, day 2", B),
        ("interview 7", None),
    ],
)
def test_a_shots_code_is_found_whole_and_the_longest_wins(name, shot):
    """Between separators only, in any case: 0010 isn't in 00101."""
    assert shot_in([name], CODES) == shot


def test_a_clip_names_a_take_in_many_ways():
    """An id in its metadata, a SHA-256, or the name under which the take was downloaded."""
    digest, take = "ab" * 32, uuid4()
    hints = hints_of(
        "v1", ["file:///x/AGM_104_cleanup_0a1B2c_t07.png", f"circletake:{take}", digest.upper(), "ACES 2065"]
    )
    assert hints.take_names == {("0a1b2c", 7)}
    assert (hints.ids, hints.hashes) == ({take}, {digest})
    assert hints.names == ("v1", "AGM_104_cleanup_0a1B2c_t07.png")
