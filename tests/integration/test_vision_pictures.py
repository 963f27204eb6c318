"""Pictures for models, posters and contact sheets."""

import io

import numpy as np
import pytest
from PIL import Image

from circletake.adapters.vision.desk import VisionPictureDesk
from circletake.kit.children import ChildPool
from circletake.ports import PictureRefused, SheetTake
from tests.integration.vision_files import jpeg_bytes, noise, png_bytes, tiff_bytes, video_file


@pytest.fixture(scope="module")
async def desk():
    pool = ChildPool(1)
    desk = VisionPictureDesk(pool)
    yield desk
    desk.close()
    pool.close()


@pytest.fixture
def file(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def opened(data):
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("make", [png_bytes, tiff_bytes])
async def test_sixteen_bits_are_rounded_to_eight(desk, file, make):
    """Every 16-bit code goes to the nearest 8-bit one; alpha is dropped, not multiplied in."""
    pixels = noise(24, 32, 4, depth=16)
    sent = await desk.for_model(file("a", make(pixels)), limits={})
    expected = np.rint(pixels[..., :3] / 257).astype(np.uint8)
    assert sent.media_type == "image/png"
    assert np.array_equal(np.asarray(opened(sent.data)), expected)
    assert sent.scale == 1.0


async def test_a_plate_is_scaled_into_the_models_limits(desk, file):
    """A plate that is too large arrives smaller in the same shape, and the scale is told."""
    sent = await desk.for_model(
        file("a", png_bytes(noise(216, 384))), limits={"max_side": 192, "max_pixels": 10**6}
    )
    assert (sent.width, sent.height) == (192, 108)
    assert opened(sent.data).size == (192, 108)
    assert sent.scale == pytest.approx(0.5)


async def test_a_picture_of_too_many_bytes_is_sent_as_jpeg(desk, file):
    """Noise doesn't fit as PNG: it is sent as JPEG below the limit."""
    sent = await desk.for_model(file("a", png_bytes(noise(128, 128))), limits={"max_bytes": 45_000})
    assert sent.media_type == "image/jpeg"
    assert len(sent.data) <= 45_000


async def test_a_picture_that_cannot_fit_is_refused(desk, file):
    """A shape or a size the model can't take is refused with the way out."""
    path = file("a", png_bytes(noise(20, 200)))
    with pytest.raises(PictureRefused, match="crop it"):
        await desk.for_model(path, limits={"max_ratio": 2.5})
    with pytest.raises(PictureRefused, match="scale it down"):
        await desk.for_model(path, limits={"max_bytes": 50})


async def test_a_matte_is_sent_black_and_white_at_its_plates_size(desk, file):
    """Half grey and more is white; the size is the one the plate was sent at."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    sent = await desk.for_model(file("m", png_bytes(ramp)), limits={}, grayscale=True, size=(256, 64))
    pixels = np.asarray(opened(sent.data))
    assert (pixels[:, :128] == 0).all()
    assert (pixels[:, 128:] == 255).all()
    smaller = await desk.for_model(file("m", png_bytes(ramp)), limits={}, grayscale=True, size=(128, 32))
    picture = opened(smaller.data)
    assert picture.mode == "L"
    assert picture.size == (128, 32)
    assert set(np.unique(np.asarray(picture))) == {0, 255}


async def test_a_matte_is_inverted_for_a_model_that_changes_what_is_black(desk, file):
    """Exactly the other polarity, half grey included."""
    ramp = png_bytes(np.tile(np.arange(256, dtype=np.uint8), (64, 1)))
    white = await desk.for_model(file("m", ramp), limits={}, grayscale=True, size=(256, 64))
    black = await desk.for_model(file("m", ramp), limits={}, grayscale=True, invert=True, size=(256, 64))
    assert np.array_equal(np.asarray(opened(white.data)), 255 - np.asarray(opened(black.data)))


async def test_a_turned_photo_reaches_the_model_upright(desk, file):
    """A phone's photo isn't sent lying on its side."""
    exif = Image.Exif()
    exif[274] = 6
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, :24] = 255
    sent = await desk.for_model(file("a.jpg", jpeg_bytes(pixels, exif=exif)), limits={})
    upright = np.asarray(opened(sent.data))
    assert upright.shape == (48, 16, 3)
    assert upright[:20].mean() > 240
    assert upright[28:].mean() < 15


async def test_poster_of_a_picture_and_of_a_video(desk, file, tmp_path):
    """A poster is a JPEG of at most 640 pixels; a video shows its middle frame."""
    target = tmp_path / "poster.jpg"
    await desk.poster(file("a", tiff_bytes(noise(300, 1280, depth=16))), "image/tiff", target)
    with Image.open(target) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 150))
    await desk.poster(video_file(tmp_path / "v.mp4", frames=12), "video/mp4", target)
    with Image.open(target) as picture:
        assert picture.size == (64, 48)
        assert np.asarray(picture).mean() == pytest.approx(120, abs=8)  # frame 6 of 12, 20 a frame


def take(number, path, state="succeeded", label="a model"):
    return SheetTake(number, state, number * 1000, "0.07", label, path)


@pytest.mark.parametrize("count", [0, 1, 4, 7, 20])
async def test_a_sheet_shows_every_take(desk, file, tmp_path, count):
    """Each take's own colour is found on the sheet, as large as the others."""
    colours = [(40 + 10 * index, 250 - 11 * index, 30) for index in range(count)]
    takes = [
        take(index + 1, file(f"{index}.png", png_bytes(np.full((54, 96, 3), colour, np.uint8))))
        for index, colour in enumerate(colours)
    ]
    target = tmp_path / "sheet.jpg"
    await desk.contact_sheet(title="AGM_0010", subtitle="cleanup", takes=takes, plate=None, target=target)
    with Image.open(target) as picture:
        sheet = np.asarray(picture)[::4, ::4].astype(int)
    areas = [int((np.abs(sheet - colour).max(axis=2) <= 4).sum()) for colour in colours]
    assert all(area > 1_000 for area in areas)
    assert not areas or max(areas) <= 1.1 * min(areas)


async def test_a_take_without_a_picture_has_its_panel(desk, file, tmp_path):
    """A filtered take and an unreadable file take their place on the sheet; the others still show."""
    good = file("g.png", png_bytes(np.full((54, 96, 3), (10, 200, 30), np.uint8)))
    broken = file("b.png", b"not a picture")
    takes = [
        take(1, good),
        take(2, None, "filtered", "the model's filter refused the output"),
        take(3, broken),
    ]
    target = tmp_path / "sheet.jpg"
    await desk.contact_sheet(title="x" * 500, subtitle="é\n日本", takes=takes, plate=good, target=target)
    with Image.open(target) as picture:
        sheet = np.asarray(picture).astype(int)
    green = int((np.abs(sheet - (10, 200, 30)).max(axis=2) <= 4).sum())
    panel = int((np.abs(sheet - (46, 46, 50)).max(axis=2) <= 2).sum())
    assert green > 200_000
    assert 0.8 < panel / green < 1.2, "two pictures and two panels of one size"


async def test_takes_keep_their_shape(desk, file, tmp_path):
    """A portrait take among landscape ones isn't stretched."""
    takes = [
        take(index, file(f"{index}.png", png_bytes(np.zeros((54, 96, 3), np.uint8)))) for index in (1, 2)
    ]
    tall = np.full((96, 54, 3), (250, 20, 20), np.uint8)
    takes.append(take(3, file("tall.png", png_bytes(tall))))
    target = tmp_path / "sheet.jpg"
    await desk.contact_sheet(title="t", subtitle="s", takes=takes, plate=None, target=target)
    with Image.open(target) as picture:
        red = np.abs(np.asarray(picture).astype(int) - (250, 20, 20)).max(axis=2) <= 6
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1) == pytest.approx(54 / 96, rel=0.02)
