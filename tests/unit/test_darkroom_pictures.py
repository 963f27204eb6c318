"""Variations, storyboard panels and clips."""

import cv2
import numpy as np
import pytest

from services.bedrock.darkroom.clip import render_clip
from services.bedrock.darkroom.panel import draw_panel
from services.bedrock.darkroom.vary import vary


def _photo(width=160, height=96, seed=7):
    """Soft coloured blobs: a picture that compresses like a photograph."""
    rng = np.random.default_rng(seed)
    blobs = cv2.resize(
        rng.integers(20, 235, (6, 10, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.ascontiguousarray(blobs)


def _decoded(data, folder):
    path = folder / "clip.mp4"
    path.write_bytes(data)
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = video.read()
        if not read:
            break
        frames.append(frame[..., ::-1])
    rate = video.get(cv2.CAP_PROP_FPS)
    video.release()
    return frames, rate


def _psnr(a, b):
    return float(cv2.PSNR(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def test_strength_zero_is_the_reference_itself():
    """Nothing asked, nothing changed."""
    photo = _photo()

    assert np.array_equal(vary(photo, "sunset", 0, 1), photo)


@pytest.mark.parametrize("prompt", ["", "a cold blue night"])
def test_more_strength_is_further_from_the_reference(prompt):
    """The mean difference grows with every step of strength."""
    photo = _photo().astype(int)

    distances = [
        float(np.abs(vary(photo.astype(np.uint8), prompt, strength, 3).astype(int) - photo).mean())
        for strength in (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]

    assert distances == sorted(distances)
    assert distances[-1] > 3 * distances[0]


def test_a_variation_repeats_with_its_seed_only():
    """Same seed, same bytes; another seed, another variation."""
    photo = _photo()

    assert np.array_equal(vary(photo, "", 0.7, 1), vary(photo, "", 0.7, 1))
    assert np.abs(vary(photo, "", 0.7, 1).astype(int) - vary(photo, "", 0.7, 2)).mean() > 3


def test_the_prompt_colours_a_variation():
    """A night variation is bluer and darker than a sunset variation."""
    photo = _photo()

    night, sunset = (vary(photo, word, 0.8, 1).astype(int) for word in ("night", "sunset"))

    assert night.mean() < sunset.mean()
    assert (night[..., 2] - night[..., 0]).mean() > (sunset[..., 2] - sunset[..., 0]).mean() + 20


@pytest.mark.parametrize(("width", "height"), [(256, 256), (320, 180), (144, 256), (64, 64)])
def test_a_panel_has_exactly_the_asked_size(width, height):
    """Any size can be asked for, also one without room for a caption."""
    assert draw_panel("WS, EXT harbour at dawn, a boat", "", width, height, 1).shape == (height, width, 3)


def test_a_panel_repeats_with_its_seed_only():
    """Same seed, same bytes; another seed, another framing."""
    prompt = "MS, detective under a lamp in the city"
    panel = draw_panel(prompt, "", 256, 256, 1)

    assert np.array_equal(panel, draw_panel(prompt, "", 256, 256, 1))
    other = draw_panel(prompt, "", 256, 256, 2)
    assert (np.abs(panel.astype(int) - other).max(axis=2) > 25).mean() > 0.1


def test_the_seed_is_written_on_the_panel():
    """Two panels of the same drawing area differ in their label, where the seed stands."""
    strip = [draw_panel("a house", "", 400, 400, seed)[345:366, 8:200].astype(int) for seed in (111, 888)]

    assert (np.abs(strip[0] - strip[1]) > 90).any()
    assert all((s.min() < 120) and (s.max() > 200) for s in strip)


def test_night_and_day_are_told_apart():
    """A prompt's time of day sets how dark the drawing is."""
    day, night = (
        draw_panel(f"WS, EXT desert, {time}", "", 256, 256, 4)[:200].mean() for time in ("summer", "night")
    )

    assert night < day - 25


def test_what_the_negative_prompt_names_is_not_drawn():
    """Naming the moon only to refuse it gives a sky without its one large bright disc."""
    prompt = "WS, EXT sea at night under the moon"

    with_moon, without = (draw_panel(prompt, negative, 320, 320, 9) for negative in ("", "moon"))

    sky = [
        cv2.erode((p[10:150, 10:-10].min(axis=2) > 140).astype(np.uint8), np.ones((9, 9)))
        for p in (with_moon, without)
    ]
    assert sky[0].any()
    assert not sky[1].any()


def test_a_prompt_that_is_far_too_long_stays_in_the_caption_strip():
    """The caption is shortened; the drawing above it is that of the same words."""
    long = draw_panel("a house " * 300, "", 300, 300, 2)
    short = draw_panel("a house " * 200, "", 300, 300, 2)

    assert np.array_equal(long, short)


def test_a_clip_has_the_asked_length_size_and_rate(tmp_path):
    """Frame count, size and frame rate are those asked for."""
    frames, rate = _decoded(
        render_clip("WS city at night, a car", 192, 108, 1.5, 24, None, None, False, 1), tmp_path
    )

    assert len(frames) == 36
    assert frames[0].shape == (108, 192, 3)
    assert rate == pytest.approx(24)


def test_a_clip_goes_from_its_first_to_its_last_keyframe(tmp_path):
    """It starts on the one keyframe, ends on the other and is neither in between."""
    first, last = _photo(192, 108, 1), _photo(192, 108, 2)

    frames, _ = _decoded(render_clip("", 192, 108, 1, 24, first, last, False, 1), tmp_path)

    assert _psnr(frames[0], first) > 30
    assert _psnr(frames[-1], last) > 30
    assert max(_psnr(frames[12], first), _psnr(frames[12], last)) < 26


def test_a_clip_with_one_keyframe_leaves_it_or_arrives_at_it(tmp_path):
    """A first keyframe is where the move starts, a last one where it ends; either way something moves."""
    key = _photo(192, 108, 3)

    leaving, _ = _decoded(render_clip("", 192, 108, 1, 24, key, None, False, 1), tmp_path)
    arriving, _ = _decoded(render_clip("", 192, 108, 1, 24, None, key, False, 1), tmp_path)

    assert _psnr(leaving[0], key) > 30 > _psnr(leaving[-1], key)
    assert _psnr(arriving[-1], key) > 30 > _psnr(arriving[0], key)


@pytest.mark.parametrize("keys", ["none", "first", "both"])
def test_a_loop_ends_where_it_starts(tmp_path, keys):
    """Played round and round, a loop doesn't jump, and it isn't a still either."""
    first = None if keys == "none" else _photo(192, 108, 4)
    last = _photo(192, 108, 5) if keys == "both" else None

    frames, _ = _decoded(render_clip("MS a tree", 192, 108, 1, 24, first, last, True, 1), tmp_path)

    assert _psnr(frames[0], frames[-1]) > 32
    assert _psnr(frames[0], frames[12]) < 30


def test_a_clip_can_start_before_it_is_all_there():
    """The index stands before the frames, so that a player starts on the first bytes."""
    data = render_clip("", 64, 64, 0.5, 12, None, None, False, 1)

    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_clip_says_what_it_is(tmp_path):
    """The burn-in marks the lower left corner of every frame."""
    black = np.zeros((216, 384, 3), np.uint8)

    frames, _ = _decoded(render_clip("", 384, 216, 0.5, 12, black, black, False, 1), tmp_path)

    assert all(f[200:, :120].max() > 120 and f[:150].max() < 40 for f in frames)


def test_an_odd_size_is_refused():
    """yuv420p has no odd sizes: better an error than another size."""
    with pytest.raises(ValueError, match="even"):
        render_clip("", 101, 64, 1, 24, None, None, False, 1)
