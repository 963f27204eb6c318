"""What a model really drew of a plate, on pictures whose answer is known."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.compositing import LayBack, lay_back_files
from tests.integration.vision_files import png_bytes

WIDTH, HEIGHT = 960, 540
SIDE = 190  # a matte of 190 × 190 covers 6.96 % of the frame
EVERYWHERE = np.full((HEIGHT, WIDTH), 255, np.uint8)


def plate_like_a_photograph() -> np.ndarray:
    """Shapes, grades and texture, with a little grain."""
    random = np.random.default_rng(3)
    picture = np.linspace(210, 90, HEIGHT)[:, None, None] * np.array([0.8, 0.9, 1.0])
    picture = np.broadcast_to(picture, (HEIGHT, WIDTH, 3)).copy()
    for _ in range(60):
        place = (int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT)))
        colour = tuple(float(each) for each in random.integers(20, 235, 3))
        cv2.circle(picture, place, int(random.integers(6, 60)), colour, -1, cv2.LINE_AA)
    texture = cv2.GaussianBlur(random.normal(0, 40, (HEIGHT, WIDTH, 1)), (0, 0), 1.5)
    return np.clip(picture + texture[..., None] + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


PLATE = plate_like_a_photograph()


def matte(width: int = SIDE) -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[170 : 170 + SIDE, 300 : 300 + width] = 255
    return drawn


def half_redrawn() -> np.ndarray:
    """The model's picture: the left half of the matte is another picture, the rest the plate."""
    result = PLATE.copy()
    result[170 : 170 + SIDE, 300 : 300 + SIDE // 2] = PLATE[::-1, ::-1][
        170 : 170 + SIDE, 300 : 300 + SIDE // 2
    ]
    return result


HALF = 100 * SIDE * (SIDE // 2) / (WIDTH * HEIGHT)  # 3.48 %


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def half_size(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)


def grain(picture: np.ndarray, strength: float, *, clumps: float = 0.0) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, 1, picture.shape[:2])
    if clumps:
        noise = cv2.GaussianBlur(noise, (0, 0), clumps)
    return np.clip(picture + (noise / noise.std() * strength)[..., None], 0, 255).astype(np.uint8)


@pytest.fixture
def measured(tmp_path):
    """Lay a result back; return per cent of the frame, generated and enhanced."""

    def call(result: bytes, over: np.ndarray, plate: np.ndarray = PLATE) -> tuple[float, float]:
        for name, data in (("plate", png_bytes(plate)), ("matte", png_bytes(over)), ("result", result)):
            (tmp_path / name).write_bytes(data)
        paths = {name: tmp_path / name for name in ("plate", "matte", "result", "target")}
        job = LayBack(**paths, target_type="image/png", extend=None, grow_pixels=0)
        report = lay_back_files(job, Bounds())
        return 100 * report.generated_fraction, 100 * report.enhanced_fraction

    return call


@pytest.mark.parametrize(
    ("returned", "data"),
    [
        ("as it was made", lambda: png_bytes(half_redrawn())),
        ("as a JPEG", lambda: jpeg(half_redrawn(), 80)),
        ("at half the size", lambda: png_bytes(half_size(half_redrawn()))),
        ("with grain over all of it", lambda: png_bytes(grain(half_redrawn(), 5))),
        ("at half the size, as a JPEG", lambda: jpeg(half_size(half_redrawn()), 85)),
    ],
)
def test_half_of_a_matte_of_seven_per_cent_is_three_and_a_half(measured, returned, data):
    """The matte covers 7 % of the plate, the model returned half of it unchanged: 3.5 % ± 0.2, however it came."""
    generated, _ = measured(data(), matte())
    assert generated == pytest.approx(HALF, abs=0.2), returned


@pytest.mark.parametrize(
    ("returned", "data"),
    [
        ("as it was", lambda: png_bytes(PLATE)),
        ("as a fine JPEG", lambda: jpeg(PLATE, 95)),
        ("as a JPEG", lambda: jpeg(PLATE, 75)),
        ("at half the size", lambda: png_bytes(half_size(PLATE))),
        ("at half the size, as a JPEG", lambda: jpeg(half_size(PLATE), 85)),
        (
            "larger",
            lambda: png_bytes(
                cv2.resize(PLATE, (WIDTH * 3 // 2, HEIGHT * 3 // 2), interpolation=cv2.INTER_CUBIC)
            ),
        ),
    ],
)
def test_the_same_picture_is_no_change_however_it_is_encoded(measured, returned, data):
    """Over the whole frame: a codec and a resampler draw nothing."""
    generated, _ = measured(data(), EVERYWHERE)
    assert generated < 0.1, returned


@pytest.mark.parametrize(("strength", "clumps"), [(6, 0.0), (12, 0.0), (6, 0.7)])
def test_new_grain_is_enhanced_and_not_generated(measured, strength, clumps):
    """Grain on a clear plate is noise without structure."""
    clear = cv2.GaussianBlur(PLATE, (0, 0), 6)
    generated, enhanced = measured(png_bytes(grain(clear, strength, clumps=clumps)), EVERYWHERE, plate=clear)
    assert generated < 1
    assert enhanced > 50 or clumps


def test_what_the_model_changed_outside_its_matte_counts_for_nothing(measured):
    """It isn't laid back: the plate stands there."""
    result = grain(255 - PLATE, 20)
    window = matte() > 0
    result[window] = PLATE[window]
    assert measured(png_bytes(result), matte())[0] < 0.1


def test_a_soft_edge_counts_by_what_it_changes(measured):
    """A matte that fades out over 60 pixels: where it is so faint that no code changes, nothing counts."""
    soft = np.zeros((HEIGHT, WIDTH), np.uint8)
    soft[170 : 170 + SIDE, 300:360] = np.linspace(0, 255, 60).astype(np.uint8)
    result = PLATE.copy()
    result[soft > 0] = 255 - PLATE[soft > 0]
    generated, _ = measured(png_bytes(result), soft)
    whole = 100 * SIDE * 60 / (WIDTH * HEIGHT)
    assert 0.9 * whole < generated <= whole


def test_a_wire_that_is_taken_out_is_seen(measured):
    """Two pixels wide, across the plate: thin changes are changes."""
    clear = cv2.GaussianBlur(PLATE, (0, 0), 6)
    wired = clear.copy()
    wired[300:302, :] = 30
    over = np.zeros((HEIGHT, WIDTH), np.uint8)
    over[290:312, :] = 255
    generated, _ = measured(png_bytes(clear), over, plate=wired)
    assert generated == pytest.approx(100 * 2 / HEIGHT, rel=0.5)


def test_an_extended_frame_counts_its_border(tmp_path):
    """A quarter more on the right: a fifth of the new frame is generated, and nothing of the plate."""
    wider = Image.fromarray(PLATE).resize((WIDTH * 5 // 4, HEIGHT))
    held = io.BytesIO()
    wider.save(held, "PNG")
    (tmp_path / "plate").write_bytes(png_bytes(PLATE))
    (tmp_path / "result").write_bytes(held.getvalue())
    job = LayBack(
        plate=tmp_path / "plate",
        matte=None,
        result=tmp_path / "result",
        target=tmp_path / "target",
        target_type="image/png",
        extend={"right": WIDTH // 4},
        grow_pixels=0,
    )
    assert lay_back_files(job, Bounds()).generated_fraction == pytest.approx(0.2)
