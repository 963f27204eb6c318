"""What the offline image services make of a picture: larger, recoloured, cut out, restyled, drawn along its lines."""

import cv2
import numpy as np
import pytest
import skimage.data

from services.bedrock.darkroom.cutout import cut_out, without_background
from services.bedrock.darkroom.search import recolor, replace
from services.bedrock.darkroom.standin import draw_along, draw_like
from services.bedrock.darkroom.styling import transfer_style
from services.bedrock.darkroom.upscale import upscale_conservative, upscale_creative, upscale_fast
from services.bedrock.darkroom.versioned import in_version

WORDS = "WS EXT a house by the sea at sunset"


@pytest.fixture(scope="module")
def photo():
    """Part of a portrait, 256 pixels a side."""
    return np.ascontiguousarray(
        cv2.resize(skimage.data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    )


@pytest.fixture(scope="module")
def coffee():
    return np.ascontiguousarray(cv2.resize(skimage.data.coffee(), (300, 200), interpolation=cv2.INTER_AREA))


def _still_life(scale=1):
    """A red disc on a grey ground that gets darker to one side, with a little grain; and where the disc is."""
    ground = np.linspace(150, 100, 240)[None, :, None] + np.random.default_rng(1).normal(0, 2, (200, 240, 1))
    picture = np.clip(np.repeat(ground, 3, axis=2), 0, 255).astype(np.uint8)
    picture = cv2.resize(picture, None, fx=scale, fy=scale)
    disc = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(picture, (110 * scale, 100 * scale), 55 * scale, (200, 40, 40), -1, cv2.LINE_AA)
    cv2.circle(disc, (110 * scale, 100 * scale), 55 * scale, 255, -1)
    return picture, disc > 0


def _psnr(a, b):
    return float(cv2.PSNR(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def _reduced(picture, width, height):
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _mean_lab(picture):
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab.reshape(-1, 3).mean(axis=0)


def _chroma_gap(a, b):
    return float(np.linalg.norm(_mean_lab(a)[1:] - _mean_lab(b)[1:]))


def _slopes(picture):
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    slopes = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.sqrt(slopes)


def _same_edges(a, b):
    """How well the edges of two pictures fall together: 1 the same, about 0 unrelated."""
    return float(np.corrcoef(_slopes(a).ravel(), _slopes(b).ravel())[0, 1])


def test_a_fast_upscale_is_the_original_when_it_is_reduced_again(photo):
    """Nothing is invented: four times each side, and back."""
    large = upscale_fast(photo, 1024, 1024)

    assert large.shape == (1024, 1024, 3)
    assert _psnr(_reduced(large, 256, 256), photo) > 38


def test_a_fast_upscale_is_sharper_than_plain_enlarging(photo):
    """There is more at its edges than in a bicubic enlargement."""
    plain = cv2.resize(photo, (1024, 1024), interpolation=cv2.INTER_CUBIC)

    assert (
        cv2.Laplacian(upscale_fast(photo, 1024, 1024), cv2.CV_32F).std()
        > 1.1 * cv2.Laplacian(plain, cv2.CV_32F).std()
    )


def test_a_conservative_upscale_keeps_closer_than_a_creative_one(photo):
    """Reduced again both are the original, the creative one less so, and less with more creativity."""
    near = _psnr(_reduced(upscale_conservative(photo, 800, 800, 0.35), 256, 256), photo)
    mild, bold = (
        _psnr(_reduced(upscale_creative(photo, 800, 800, "", share, 1), 256, 256), photo)
        for share in (0.1, 0.5)
    )

    assert near > mild > bold > 22
    assert near > 32


def test_a_creative_upscale_has_its_seeds_detail(photo):
    """Same seed, same bytes; another seed, other grain."""
    first, again, other = (upscale_creative(photo, 512, 512, "", 0.5, seed) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 0.5


def test_a_conservative_upscale_of_a_large_picture_keeps_its_size(photo):
    """Asked for the size it has, it is only made crisper."""
    assert upscale_conservative(photo, 256, 256, 0.1).shape == photo.shape


def test_the_subject_stays_and_the_background_goes():
    """A disc on a plain ground is cut out along its edge."""
    picture, disc = _still_life()

    alpha = cut_out(picture)

    inside, outside = (
        cv2.erode(disc.astype(np.uint8), np.ones((7, 7))) > 0,
        cv2.dilate(disc.astype(np.uint8), np.ones((9, 9))) == 0,
    )
    assert alpha[inside].min() > 0.95
    assert alpha[outside].max() < 0.05


def test_a_subject_on_the_lower_edge_is_kept(coffee):
    """The cup and its saucer stay, the table in the corners goes."""
    alpha = cut_out(coffee)

    assert alpha[60:140, 110:180].mean() > 0.9
    assert np.concatenate([alpha[:30, :40], alpha[:30, -40:]]).mean() < 0.1


def test_a_cut_out_keeps_the_subjects_own_colours():
    """RGBA of the same size; under the alpha the picture is unchanged."""
    picture, _ = _still_life()

    result = without_background(picture)

    assert result.shape == (200, 240, 4)
    assert np.array_equal(result[..., :3], picture)


def test_what_was_cut_out_before_stays_as_it_was():
    """A picture that comes with transparency keeps it."""
    picture, disc = _still_life()
    gone = np.where(disc, np.uint8(0), np.uint8(255))

    assert np.array_equal(without_background(picture, gone)[..., 3], 255 - gone)


@pytest.mark.parametrize("fill", [0, 127, 255])
def test_a_picture_without_a_subject_is_cut_out_all_the_same(fill):
    """A flat picture gives an oval rather than an error."""
    alpha = cut_out(np.full((64, 90, 3), fill, np.uint8))

    assert 0.1 < alpha.mean() < 0.9


def test_what_is_named_by_its_colour_gets_the_other_colour():
    """The red disc turns blue, and everything else stays as it was."""
    picture, disc = _still_life()

    result = recolor(picture, "a blue disc", "the red disc", 0, 1, 1)

    red, _, blue = result[disc].mean(axis=0)
    assert blue > red + 40
    far = cv2.dilate(disc.astype(np.uint8), np.ones((15, 15))) == 0
    assert np.array_equal(result[far], picture[far])


def test_light_and_shadow_stay_on_what_is_recoloured():
    """A disc that is darker on one side is so in its new colour as well."""
    picture, disc = _still_life()
    shaded = picture.copy()
    fall = np.linspace(1.2, 0.5, 240)[None, :, None]
    shaded[disc] = np.clip(picture * fall, 0, 255).astype(np.uint8)[disc]

    result = cv2.cvtColor(recolor(shaded, "green", "red disc", 0, 1, 1), cv2.COLOR_RGB2GRAY).astype(float)

    assert result[90:110, 65:85].mean() > result[90:110, 135:155].mean() + 20


def test_what_no_colour_tells_is_guessed_and_says_so():
    """A guessed region carries the stand-in's label; one found by its colour doesn't."""
    picture, disc = _still_life(3)

    told, guessed = (
        recolor(picture, "a blue disc", search, 0, 1, 1) for search in ("the red disc", "the toy")
    )

    bright = [(each[disc].min(axis=1) > 190).sum() for each in (told, guessed)]
    assert bright[0] == 0
    assert bright[1] > 60


def test_what_is_replaced_is_drawn_over_and_labelled():
    """The disc is gone, what is there instead says that it is a stand-in, and the rest is untouched."""
    picture, disc = _still_life(2)

    result = replace(picture, "a house", "the red disc", 3, 5, 5)

    assert np.abs(result[disc].astype(int) - picture[disc]).mean() > 40
    far = cv2.dilate(disc.astype(np.uint8), np.ones((21, 21))) == 0
    assert np.array_equal(result[far], picture[far])
    assert (result[disc].min(axis=1) > 190).sum() > 40


def test_a_structures_edges_are_in_the_result(photo):
    """With strength 1 most edges of the picture are edges of the drawing; with 0 it is the drawing alone."""
    shares = [
        _same_edges(draw_along(photo, WORDS, "", strength, 5, None, 5, sketch=False)[0], photo)
        for strength in (0, 0.5, 1)
    ]

    assert shares == sorted(shares)
    assert shares[2] > 0.75
    assert shares[0] < 0.3


def test_a_structure_is_coloured_by_the_words(photo):
    """A night is darker and bluer than a sunset, along the same edges."""
    night, sunset = (
        draw_along(photo, f"WS EXT sea, {time}", "", 0.9, 5, None, 5, sketch=False)[0]
        for time in ("night", "sunset")
    )

    assert night.mean() < sunset.mean()
    assert _mean_lab(night)[2] < _mean_lab(sunset)[2]


def _sketch():
    paper = (np.full((200, 280, 3), 240) * np.linspace(1, 0.75, 280)[None, :, None]).astype(np.uint8)
    lines = np.zeros((200, 280), np.uint8)
    cv2.circle(lines, (80, 90), 40, 255, 2)
    cv2.line(lines, (150, 30), (240, 150), 255, 2)
    paper[lines > 0] = 50
    return paper, lines > 0


def test_a_sketchs_strokes_are_in_the_result():
    """Every stroke is dark ink on what the words name, also where the paper is badly lit."""
    paper, lines = _sketch()

    drawn, _ = draw_along(paper, WORDS, "", 1, 5, None, 5, sketch=True)

    grey = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY).astype(int)
    beside = (cv2.dilate(lines.astype(np.uint8), np.ones((13, 13))) > 0) & (
        cv2.dilate(lines.astype(np.uint8), np.ones((5, 5))) == 0
    )
    assert np.median(grey[lines]) < np.median(grey[beside]) - 60
    left, right = grey[:, :140][lines[:, :140]].mean(), grey[:, 140:][lines[:, 140:]].mean()
    assert abs(left - right) < 40


@pytest.mark.parametrize("sketch", [True, False])
def test_drawing_along_lines_repeats_with_its_seed(photo, sketch):
    """Same seed, same bytes; another seed, another drawing."""
    first, again, other = (
        draw_along(photo, WORDS, "", 0.4, seed, None, seed, sketch=sketch)[0] for seed in (1, 1, 2)
    )

    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 2


def test_a_guided_picture_takes_the_styles_palette(photo, coffee):
    """The more fidelity, the nearer to the style's colours; the drawing stays what the words name."""
    plain = draw_like(coffee, WORDS, "", 320, 320, 0, 5, None, 5)[0]
    gaps = [
        _chroma_gap(draw_like(coffee, WORDS, "", 320, 320, fidelity, 5, None, 5)[0], coffee)
        for fidelity in (0, 0.5, 1)
    ]
    full = draw_like(coffee, WORDS, "", 320, 320, 1, 5, None, 5)[0]

    assert gaps == sorted(gaps, reverse=True)
    assert gaps[2] < 0.4 * gaps[0]
    assert _same_edges(full, plain) > 0.6


def test_style_strength_nought_is_the_picture_itself(photo, coffee):
    """As the models' page says."""
    result = transfer_style(photo, coffee, "night", composition=0.2, strength=0, change=1, seed=1)

    assert np.array_equal(result, photo)


@pytest.mark.parametrize("which", ["strength", "change"])
def test_a_transferred_style_comes_nearer_with_its_strengths(photo, coffee, which):
    """Colours move towards the style's as far as asked, in either of the two ways to ask."""
    gaps = []
    for share in (0.1, 0.5, 1.0):
        asked = {"strength": 1.0, "change": 1.0, which: share}
        gaps.append(_chroma_gap(transfer_style(photo, coffee, "", composition=1, seed=1, **asked), coffee))

    assert gaps == sorted(gaps, reverse=True)
    assert gaps[2] < 0.35 * _chroma_gap(photo, coffee)


def test_composition_fidelity_keeps_the_forms(photo, coffee):
    """At 1 the picture's edges stay where they are; at 0 they are bent."""
    kept, loose = (
        transfer_style(photo, coffee, "", composition=share, strength=1, change=1, seed=1) for share in (1, 0)
    )

    assert _same_edges(kept, photo) > 0.9
    assert _same_edges(loose, photo) < _same_edges(kept, photo) - 0.1


def test_another_version_looks_different_and_keeps_its_place(photo):
    """Other colours, the same edges; transparency stays as it is."""
    alpha = np.full((256, 256, 1), 90, np.uint8)

    result = in_version(np.dstack([photo, alpha]), 60.0, 0.74)

    assert np.abs(result[..., :3].astype(int) - photo).mean() > 15
    assert _same_edges(result[..., :3], photo) > 0.7
    assert (result[..., 3] == 90).all()
