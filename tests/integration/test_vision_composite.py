"""What comes back onto a plate, and that nothing else does."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.compositing import LayBack, lay_back_files
from circletake.adapters.vision.desk import VisionPictureDesk, output_type_for
from circletake.kit.children import ChildPool
from circletake.ports import LayBackFault
from tests.integration.vision_files import (
    chunk,
    jpeg_bytes,
    noise,
    png_bytes,
    read_png,
    srgb_profile,
    tiff_bytes,
)


@pytest.fixture
def lay_back(tmp_path):
    """Write plate, matte and result; composite; return the report and the target's path."""

    def call(plate, matte, result, target_type="image/png", **options):
        paths = {}
        for name, data in (("plate", plate), ("matte", matte), ("result", result)):
            paths[name] = None
            if data is not None:
                paths[name] = tmp_path / name
                paths[name].write_bytes(data)
        target = tmp_path / "target"
        job = LayBack(
            **paths,
            target=target,
            target_type=target_type,
            extend=options.get("extend"),
            grow_pixels=options.get("grow_pixels", 0),
        )
        return lay_back_files(job, Bounds()), target

    return call


def square_matte(height, width, box=(4, 12, 6, 20), *, value=255):
    matte = np.zeros((height, width), np.uint8)
    matte[box[0] : box[1], box[2] : box[3]] = value
    return matte


def read(path, kind):
    return read_png(path) if kind == "png" else tifffile.imread(path)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_outside_the_matte_every_code_is_the_plates(lay_back, kind, channels, depth):
    """At 8 and 16 bits, grey or RGB, with or without alpha: a second decoder finds the plate outside the matte."""
    plate = noise(24, 32, channels, depth=depth)
    matte = square_matte(24, 32)
    data = png_bytes(plate) if kind == "png" else tiff_bytes(plate)
    report, target = lay_back(data, png_bytes(matte), png_bytes(noise(12, 16, seed=5)), f"image/{kind}")
    written = read(target, kind)
    assert written.dtype == plate.dtype
    assert np.array_equal(written[matte == 0], plate[matte == 0])
    assert not np.array_equal(written[matte > 0], plate[matte > 0])
    if channels in {2, 4}:
        assert np.array_equal(written[..., -1], plate[..., -1]), "alpha is the plate's everywhere"
    assert (report.width, report.height, report.bit_depth) == (32, 24, depth)
    assert report.outside_matte_changed == 0
    differs = written != plate if channels == 1 else (written != plate).any(axis=2)
    assert report.changed_fraction == pytest.approx(differs.mean())


@given(data=st.data(), depth=st.sampled_from([8, 16]), kind=st.sampled_from(["png", "tiff"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_matte_however_odd_lets_anything_out(lay_back, data, depth, kind):
    """Random soft, hard, empty and scattered mattes, any growth: where the matte is 0 the plate stands."""
    height, width = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    seed = data.draw(st.integers(0, 2**32 - 1))
    share = data.draw(st.floats(0, 1))
    random = np.random.default_rng(seed)
    matte = noise(height, width, 1, depth=data.draw(st.sampled_from([8, 16])), seed=seed)
    matte[random.random((height, width)) >= share] = 0
    plate = noise(height, width, 3, depth=depth, seed=seed + 1)
    result = noise(height * 2, width * 2, 3, seed=seed + 2)
    report, target = lay_back(
        png_bytes(plate) if kind == "png" else tiff_bytes(plate),
        png_bytes(matte),
        png_bytes(result),
        f"image/{kind}",
        grow_pixels=data.draw(st.integers(0, 5)),
    )
    written = read(target, kind)
    assert np.array_equal(written[matte == 0], plate[matte == 0])
    assert report.changed_fraction == pytest.approx((written != plate).any(axis=2).mean())


def test_inside_a_white_matte_stands_the_models_picture(lay_back):
    """At the same size and depth the model's codes arrive unchanged."""
    plate, result, matte = noise(24, 32), noise(24, 32, seed=9), square_matte(24, 32)
    _, target = lay_back(png_bytes(plate), png_bytes(matte), png_bytes(result))
    assert np.array_equal(read_png(target)[matte > 0], result[matte > 0])


def test_a_grey_matte_mixes(lay_back):
    """Half a matte is half the plate and half the result, to the nearest code."""
    plate, result = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 201, np.uint8)
    matte = np.full((8, 8), 32768, np.uint16)
    _, target = lay_back(png_bytes(plate), png_bytes(matte), png_bytes(result))
    assert set(np.unique(read_png(target))) <= {150, 151}


def test_growing_strengthens_the_edge_and_stays_inside(lay_back):
    """A grown soft matte lets more of the result in, but nothing where it was black."""
    plate, result = np.zeros((9, 30, 3), np.uint8), np.full((9, 30, 3), 255, np.uint8)
    ramp = np.tile(np.clip(np.arange(30) - 10, 0, 10) * 25, (9, 1)).astype(np.uint8)
    _, target = lay_back(png_bytes(plate), png_bytes(ramp), png_bytes(result))
    plain = read_png(target)[4, :, 0].astype(int)
    _, target = lay_back(png_bytes(plate), png_bytes(ramp), png_bytes(result), grow_pixels=3)
    grown = read_png(target)[4, :, 0].astype(int)
    assert (grown[:11] == 0).all()
    assert grown[14] > plain[14]


def test_sixteen_bits_get_steps_between_the_models_eight(lay_back):
    """A smooth ramp scaled onto a 16-bit plate has more than the model's 256 levels."""
    ramp = np.tile(np.linspace(0, 60, 64).astype(np.uint8)[None, :, None], (8, 1, 3))
    report, target = lay_back(
        png_bytes(np.zeros((64, 512, 3), np.uint16)),
        png_bytes(np.full((64, 512), 255, np.uint8)),
        png_bytes(ramp),
    )
    assert len(np.unique(read_png(target))) > 200
    assert any("8 bits" in note for note in report.notes)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_extending_keeps_the_plate_in_its_place(lay_back, kind, depth):
    """The canvas grows by what was asked; the plate's own area is the plate, the rest is new."""
    plate = noise(20, 30, 4, depth=depth)
    data = png_bytes(plate) if kind == "png" else tiff_bytes(plate)
    report, target = lay_back(
        data, None, png_bytes(noise(12, 20, seed=3)), f"image/{kind}", extend={"left": 6, "right": 4, "up": 4}
    )
    written = read(target, kind)
    assert written.shape == (24, 40, 4)
    assert np.array_equal(written[4:24, 6:36], plate)
    assert (written[:4, :, 3] == np.iinfo(plate.dtype).max).all()
    assert report.changed_fraction == pytest.approx(1 - 20 * 30 / (24 * 40))
    assert report.outside_matte_changed == 0


def test_colour_and_resolution_chunks_stay_with_the_plate(lay_back):
    """A PNG keeps its profile, gamma, primaries, HDR signalling and resolution, byte for byte."""
    kept = [
        chunk(b"cICP", bytes([9, 16, 0, 1])),
        chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"iCCP", b"show\x00\x00" + zlib.compress(srgb_profile())),
        chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)),
    ]
    _, target = lay_back(
        png_bytes(noise(24, 32, depth=16), *kept, chunk(b"caBX", b"old manifest")),
        png_bytes(square_matte(24, 32)),
        png_bytes(noise(24, 32)),
    )
    written = target.read_bytes()
    assert all(part in written for part in kept)
    assert b"caBX" not in written, "the plate's manifest isn't the composite's"


def test_tiff_keeps_profile_resolution_and_alpha_kind(lay_back):
    """A TIFF keeps its ICC profile, its resolution and what its alpha means."""
    profile = srgb_profile()
    plate = tiff_bytes(
        noise(24, 32, 4, depth=16),
        iccprofile=profile,
        resolution=(300, 300),
        resolutionunit=2,
        extrasamples=["assocalpha"],
    )
    _, target = lay_back(plate, png_bytes(square_matte(24, 32)), png_bytes(noise(24, 32)), "image/tiff")
    with tifffile.TiffFile(target) as file:
        tags = file.pages[0].tags
        assert bytes(tags[34675].value) == profile
        assert tags["XResolution"].value == (300, 1)
        assert int(tags["ResolutionUnit"].value) == 2
        assert tuple(int(value) for value in np.atleast_1d(tags["ExtraSamples"].value)) == (1,)


def test_eight_bit_tiff_alpha_is_not_multiplied_in(lay_back):
    """LZW TIFF with straight alpha keeps the colours under transparent pixels."""
    plate = noise(24, 32, 4)
    buffer = io.BytesIO()
    Image.fromarray(plate).save(buffer, "TIFF", compression="tiff_lzw")
    matte = square_matte(24, 32)
    _, target = lay_back(buffer.getvalue(), png_bytes(matte), png_bytes(noise(24, 32)), "image/tiff")
    assert np.array_equal(tifffile.imread(target)[matte == 0], plate[matte == 0])


def test_a_jpeg_plate_comes_back_as_png(lay_back):
    """JPEG can't be written again without change, so the composite is a PNG of the JPEG's decoded pixels."""
    plate = jpeg_bytes(noise(24, 32), icc_profile=srgb_profile())
    matte = square_matte(24, 32)
    assert output_type_for("image/jpeg") == "image/png"
    report, target = lay_back(plate, png_bytes(matte), png_bytes(noise(24, 32, seed=2)))
    decoded = np.asarray(Image.open(io.BytesIO(plate)))
    assert np.array_equal(read_png(target)[matte == 0], decoded[matte == 0])
    assert any("image/jpeg" in note for note in report.notes)
    with Image.open(target) as picture:
        assert picture.info["icc_profile"] == srgb_profile()


def test_a_lossy_matte_does_not_leak(lay_back):
    """JPEG's ringing around a matte's edge is read as black, and said."""
    matte = jpeg_bytes(square_matte(48, 64, (19, 29, 21, 43)))
    plate = noise(48, 64)
    report, target = lay_back(png_bytes(plate), matte, png_bytes(noise(48, 64, seed=4)))
    changed = (read_png(target) != plate).any(axis=2)
    assert not changed[:, :8].any()
    assert any("lossy" in note for note in report.notes)


def test_a_matte_in_the_alpha_channel_is_found(lay_back):
    """A flat white picture whose alpha is the matte works as the artist meant it."""
    matte = square_matte(24, 32)
    white = np.dstack([np.full((24, 32, 3), 255, np.uint8), matte])
    plate = noise(24, 32)
    _, target = lay_back(png_bytes(plate), png_bytes(white), png_bytes(noise(24, 32, seed=4)))
    assert np.array_equal(read_png(target)[matte == 0], plate[matte == 0])


@pytest.mark.parametrize(
    ("matte", "result", "extend", "says"),
    [
        (png_bytes(square_matte(20, 32)), png_bytes(noise(24, 32)), None, "same size"),
        (png_bytes(square_matte(24, 32)), png_bytes(noise(32, 32)), None, "stretched"),
        (png_bytes(noise(24, 32)), png_bytes(noise(24, 32)), None, "channels differ"),
        (png_bytes(square_matte(24, 32)), b"not a picture", None, "recognised"),
        (None, png_bytes(noise(24, 32)), None, "matte"),
        (None, png_bytes(noise(24, 32)), {"left": 0}, "extend"),
    ],
)
def test_what_does_not_belong_together_is_a_fault(lay_back, matte, result, extend, says):
    """Wrong sizes, shapes and mattes are faults with a reason: nothing is stretched or guessed."""
    with pytest.raises(LayBackFault, match=says):
        lay_back(png_bytes(noise(24, 32)), matte, result, extend=extend)


def test_a_composite_is_never_written_lossy(lay_back):
    """Asking for JPEG is a fault, since the plate's pixels wouldn't survive it."""
    with pytest.raises(LayBackFault, match="PNG or TIFF"):
        lay_back(
            png_bytes(noise(24, 32)), png_bytes(square_matte(24, 32)), png_bytes(noise(24, 32)), "image/jpeg"
        )


async def test_the_desk_composites_in_a_child(tmp_path):
    """The same through the desk: report and fault cross from the child whole."""
    pool = ChildPool(1)
    desk = VisionPictureDesk(pool)
    plate, matte = noise(24, 32), square_matte(24, 32)
    for name, data in (
        ("p", png_bytes(plate)),
        ("m", png_bytes(matte)),
        ("r", png_bytes(noise(24, 32, seed=1))),
    ):
        (tmp_path / name).write_bytes(data)
    files = {"plate": tmp_path / "p", "result": tmp_path / "r", "target": tmp_path / "t"}
    report = await desk.lay_back(**files, matte=tmp_path / "m", target_type="image/png")
    assert report.changed_fraction == pytest.approx((matte > 0).mean(), abs=0.01)
    with pytest.raises(LayBackFault, match="matte"):
        await desk.lay_back(**files, matte=None, target_type="image/png")
    desk.close()
    pool.close()
