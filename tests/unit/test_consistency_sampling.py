"""Which frames of a video are looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.consistency.profiles import Threshold
from circletake.domain.consistency.sampling import Sampling, every_nth, first_frames, refine

ZONE = Threshold(0.2, 0.5)


@given(total=st.integers(1, 5000), n=st.integers(1, 100), most=st.integers(1, 60))
def test_every_nth_stays_in_the_video_and_in_bounds(total, n, most):
    """Rising frames of the video, never more than allowed, spread over all of it."""
    frames = every_nth(total, n, max_frames=most)
    assert frames == sorted(set(frames))
    assert 1 <= len(frames) <= most
    assert 0 <= frames[0] <= frames[-1] < total
    if most > 1 and total > n:
        assert frames[0] == 0
        assert frames[-1] + n >= total - n


def test_every_twelfth():
    """Plain counting while it is few enough."""
    assert every_nth(30, 12, max_frames=10) == [0, 12, 24]


@given(total=st.integers(1, 5000), count=st.integers(1, 20))
def test_first_frames_are_in_the_video(total, count):
    """As many as asked for, or all there are; the very ends are left out of a longer video."""
    frames = first_frames(total, count)
    assert len(frames) == min(total, count)
    assert all(0 <= each < total for each in frames)
    if total >= 100:
        assert frames[0] >= 2
        assert frames[-1] <= total - 3


@given(data=st.data(), total=st.integers(1, 400), most=st.integers(1, 30))
def test_looking_closer_ends(data, total, most):
    """Whatever is seen, it never asks for a frame twice, leaves the video or passes the limit, and it ends."""
    sampling = Sampling("adaptive", first=3, max_frames=most)
    scores = {}
    frames = sampling.start(total)
    for _ in range(most + 2):
        assert not set(frames) & set(scores)
        assert all(0 <= each < total for each in frames)
        scores |= {each: data.draw(st.none() | st.floats(0.001, 0.999)) for each in frames}
        frames = sampling.more(total, scores, ZONE)
        if not frames:
            break
    assert not frames
    assert len(scores) <= most


def test_a_clear_take_is_looked_at_once():
    """Three frames alike and far from any threshold: nothing more to see."""
    assert refine(300, {50: 0.99, 150: 0.99, 250: 0.985}, ZONE, max_frames=24) == []


def test_a_fall_is_looked_at_between():
    """Where the score falls, the frame between is next."""
    assert refine(300, {50: 0.99, 150: 0.99, 250: 0.05}, ZONE, max_frames=24) == [200]


def test_doubt_is_looked_at_on_both_sides():
    """A score in the zone of doubt has its neighbourhood looked at."""
    assert refine(300, {50: 0.9, 150: 0.4, 250: 0.9}, ZONE, max_frames=24) == [100, 200]


def test_with_few_frames_left_the_most_telling_gap_comes_first():
    """One more look goes where a pass turns into a fail."""
    assert refine(300, {50: 0.99, 150: 0.9, 250: 0.05}, ZONE, max_frames=4) == [200]


def test_a_turned_head_is_looked_at_until_it_turns_back():
    """A frame that couldn't be judged has the frames beside it looked at."""
    assert refine(300, {50: 0.99, 150: None, 250: 0.99}, ZONE, max_frames=24) == [100, 200]


def test_every_nth_never_asks_for_more():
    """Only the adaptive mode looks closer."""
    assert Sampling("every").more(300, {50: 0.9, 150: 0.1}, ZONE) == []


@pytest.mark.parametrize("wrong", [{"every": 0}, {"first": 0}, {"max_frames": 0}])
def test_counting_from_nothing_is_refused(wrong):
    """Sampling that looks at nothing would pass in silence."""
    with pytest.raises(ValueError, match="counts from 1"):
        Sampling(**wrong)
