"""Which uploads are taken, and what is said of those that aren't."""

import io
import os
import signal
import struct
import zipfile
import zlib
from functools import partial

import numpy as np
import pytest
import tifffile
from PIL import Image

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.desk import VisionPictureDesk
from circletake.kit.children import ChildPool
from circletake.ports import PictureRefused
from tests.integration.vision_files import (
    chunk,
    jpeg_bytes,
    noise,
    png_bytes,
    png_claiming,
    srgb_profile,
    tiff_bytes,
    video_file,
    webp_bytes,
)

SMALL = noise(24, 32)
SMOOTH = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (200, 1, 3)).copy()


@pytest.fixture(scope="module")
async def desk():
    pool = ChildPool(1)
    desk = VisionPictureDesk(pool, bounds=Bounds(probe_seconds=30.0))
    yield desk
    desk.close()
    pool.close()


@pytest.fixture
def probe(desk, tmp_path):
    """Write bytes and probe them as a type."""

    async def call(data, declared):
        path = tmp_path / "upload"
        path.write_bytes(data)
        return await desk.probe(path, declared)

    return call


@pytest.fixture
def refused(probe):
    async def call(data, declared):
        with pytest.raises(PictureRefused) as caught:
            await probe(data, declared)
        assert len(str(caught.value)) > 20, "the message says what to change"
        return caught.value.code

    return call


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("evil.class", "x")
    return buffer.getvalue()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["png", "tiff"])
async def test_png_and_tiff_tell_depth_channels_and_alpha(probe, kind, channels, depth):
    """Grey or RGB, with or without alpha, at 8 and 16 bits, each is reported as what it is."""
    pixels = noise(24, 32, channels, depth=depth)
    data = png_bytes(pixels) if kind == "png" else tiff_bytes(pixels, compression="zlib")
    found = await probe(data, f"image/{kind}")
    assert (found.width, found.height, found.channels, found.bit_depth) == (32, 24, channels, depth)
    assert found.has_alpha == (channels in {2, 4})


async def test_profile_is_seen_in_every_format(probe):
    """An ICC profile is reported, whatever the container."""
    profile = srgb_profile()
    packed = chunk(b"iCCP", b"p\x00\x00" + zlib.compress(profile))
    assert (await probe(png_bytes(SMALL, packed), "image/png")).icc_profile
    assert (await probe(jpeg_bytes(SMALL, icc_profile=profile), "image/jpeg")).icc_profile
    assert (await probe(webp_bytes(SMALL, icc_profile=profile), "image/webp")).icc_profile
    assert (await probe(tiff_bytes(SMALL, iccprofile=profile), "image/tiff")).icc_profile


async def test_lzw_tiff_from_other_programs_is_taken(probe):
    """TIFF as Photoshop or Nuke saves it by default (LZW) is read."""
    buffer = io.BytesIO()
    Image.fromarray(SMALL).save(buffer, "TIFF", compression="tiff_lzw")
    assert (await probe(buffer.getvalue(), "image/tiff")).bit_depth == 8


async def test_a_turned_phone_photo_has_the_size_it_is_seen_at(probe):
    """EXIF orientation 6 swaps width and height."""
    exif = Image.Exif()
    exif[274] = 6
    found = await probe(jpeg_bytes(SMALL, exif=exif), "image/jpeg")
    assert (found.width, found.height) == (24, 32)


async def test_a_picture_with_a_metadata_box_of_its_own_is_taken(probe):
    """XMP and C2PA chunks are inside the container: they are no reason to refuse."""
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    assert (await probe(png_bytes(SMALL, xmp, chunk(b"caBX", b"\x00" * 64)), "image/png")).width == 32


async def test_video_is_described(desk, tmp_path):
    """Size, rate, length and codec of a video are read, and its frames decode."""
    found = await desk.probe(video_file(tmp_path / "a.mp4", frames=48), "video/mp4")
    assert (found.width, found.height, found.frames) == (64, 48, 48)
    assert found.frames_per_second == pytest.approx(24)
    assert found.duration_seconds == pytest.approx(2.0)
    assert found.codec


@pytest.mark.parametrize(
    ("data", "declared", "code"),
    [
        (b"", "image/png", "empty"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/png", "svg"),
        (b"<svg onload='alert(1)'/>", "image/svg+xml", "unsupported"),
        (b"<!doctype html><html></html>", "image/jpeg", "unsupported"),
        (b"%PDF-1.7\n", "image/tiff", "unsupported"),
        (archive(), "image/png", "unsupported"),
        (b"\x76\x2f\x31\x01" + b"\x00" * 64, "image/tiff", "unsupported"),
        (b"GIF89a" + b"\x00" * 64, "image/png", "unsupported"),
        (b"\x00" * 64, "image/png", "unsupported"),
        (png_bytes(SMALL), "image/jpeg", "type_mismatch"),
        (jpeg_bytes(SMALL), "video/mp4", "type_mismatch"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 16, "video/mp4", "unsupported"),
    ],
)
async def test_other_files_are_refused_by_name(refused, data, declared, code):
    """SVG, web pages, PDF, archives, unknown bytes and wrong declarations are refused, each with its code."""
    assert await refused(data, declared) == code


@pytest.mark.parametrize(
    "tail",
    [
        archive(),
        b"<?php system($_GET[0]); ?>",
        b"<html><script>1</script></html>",
        b"%PDF-1.4 x",
        b"Rar!\x1a\x07",
    ],
)
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
async def test_a_second_file_behind_the_picture_is_refused(refused, kind, tail):
    """An archive, a page or a script appended to a good picture makes it no picture to us."""
    make = {"png": png_bytes, "jpeg": jpeg_bytes, "webp": webp_bytes, "tiff": tiff_bytes}[kind]
    assert await refused(make(SMALL) + tail, f"image/{kind}") == "polyglot"


async def test_padding_behind_the_picture_is_harmless(probe):
    """A few zeros after the end, as some writers leave, are no reason to refuse."""
    assert (await probe(jpeg_bytes(SMALL) + b"\x00" * 16, "image/jpeg")).width == 32


async def test_scripts_in_metadata_are_refused(refused):
    """A PNG whose text chunk or a JPEG whose comment holds a script is refused."""
    text = chunk(b"tEXt", b"Comment\x00" + b"a" * 2000 + b"<?php evil(); ?>")
    assert await refused(png_bytes(SMALL, text), "image/png") == "polyglot"
    assert await refused(jpeg_bytes(SMALL, comment=b"a" * 2000 + b"<script>"), "image/jpeg") == "polyglot"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
async def test_a_cut_picture_is_refused(refused, kind, share):
    """An upload that stopped in the middle isn't taken for a whole picture."""
    make = {"png": png_bytes, "jpeg": jpeg_bytes, "webp": webp_bytes, "tiff": tiff_bytes}[kind]
    data = make(noise(90, 120))
    assert await refused(data[: int(len(data) * share)], f"image/{kind}") == "truncated"


async def test_a_cut_jpeg_with_a_new_end_is_refused(refused):
    """A JPEG that lost its middle but has an end marker would decode half grey: it is refused."""
    data = jpeg_bytes(noise(200, 300))
    assert await refused(data[: len(data) // 2] + b"\xff\xd9", "image/jpeg") == "truncated"


async def test_a_cut_video_is_refused(refused, tmp_path):
    """A video whose end is missing, or with something behind it, is refused."""
    data = video_file(tmp_path / "a.mp4").read_bytes()
    assert await refused(data[: len(data) * 2 // 3], "video/mp4") == "truncated"
    assert await refused(data + b"MZ\x90\x00 not a box at all", "video/mp4") == "polyglot"
    assert await refused(data + archive(), "video/mp4") == "polyglot"


async def test_a_damaged_byte_is_noticed(refused):
    """One flipped byte in a PNG is seen by its checksum."""
    data = bytearray(png_bytes(SMALL))
    data[60] ^= 0xFF
    assert await refused(bytes(data), "image/png") == "truncated"


async def test_a_small_png_that_claims_a_huge_picture_is_refused(refused):
    """Size is judged by the header, and by whether the bytes can hold it, before decoding."""
    assert await refused(png_claiming(60_000, 60_000, zlib.compress(b"\x00")), "image/png") == "too_large"
    assert await refused(png_claiming(8000, 8000, zlib.compress(b"\x00" * 99)), "image/png") == "bomb"


async def test_a_picture_of_too_many_pixels_is_refused(refused):
    """Sides inside the limit, but too many pixels."""
    assert await refused(png_claiming(16_000, 16_000, zlib.compress(b"\x00")), "image/png") == "too_large"


async def test_metadata_that_unpacks_without_end_is_refused(refused):
    """Forty megabytes of zeros in a profile or a text chunk are a bomb."""
    packed = zlib.compress(b"\x00" * 40_000_000, 9)
    assert await refused(png_bytes(SMALL, chunk(b"zTXt", b"k\x00\x00" + packed)), "image/png") == "bomb"
    assert await refused(png_bytes(SMALL, chunk(b"iCCP", b"k\x00\x00" + packed)), "image/png") == "bomb"


async def test_image_data_that_unpacks_to_more_than_announced_is_refused(refused):
    """A strip or a chunk that holds far more than the header's size is a bomb, in PNG and in TIFF."""
    packed = zlib.compress(b"\x00" * 20_000_000)
    assert await refused(png_claiming(16, 16, packed), "image/png") == "bomb"
    data = bytearray(tiff_bytes(SMALL, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages[0].tags
        offset, count = tags["StripOffsets"].valueoffset, tags["StripByteCounts"].valueoffset
    data[offset : offset + 4] = struct.pack("<I", len(data))
    data[count : count + 4] = struct.pack("<I", len(packed))
    assert await refused(bytes(data) + packed, "image/tiff") == "bomb"


async def test_a_broken_profile_is_refused_and_not_dropped(refused):
    """A picture whose ICC profile is damaged isn't silently taken for sRGB."""
    broken = bytearray(srgb_profile())
    broken[36:40] = b"xxxx"
    packed = chunk(b"iCCP", b"p\x00\x00" + zlib.compress(bytes(broken)))
    assert await refused(png_bytes(SMALL, packed), "image/png") == "unsupported"
    assert await refused(tiff_bytes(SMALL, iccprofile=bytes(broken)), "image/tiff") == "unsupported"


async def test_several_pictures_in_one_file_are_refused(refused):
    """Pages and animations aren't taken for their first picture."""
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]

    def saved(kind):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        return buffer.getvalue()

    for kind in ("png", "webp", "tiff"):
        assert await refused(saved(kind.upper()), f"image/{kind}") == "unsupported"


async def test_colour_models_of_print_and_float_are_refused(refused):
    """CMYK, palette TIFF and float TIFF are refused with the way out."""
    cmyk = io.BytesIO()
    Image.new("CMYK", (16, 16)).save(cmyk, "JPEG")
    assert await refused(cmyk.getvalue(), "image/jpeg") == "unsupported"
    palette = io.BytesIO()
    Image.new("P", (16, 16)).save(palette, "TIFF")
    assert await refused(palette.getvalue(), "image/tiff") == "unsupported"
    assert await refused(tiff_bytes(np.zeros((8, 8, 3), np.float32)), "image/tiff") == "unsupported"


async def test_a_jpeg_of_endless_scans_is_refused(refused):
    """A progressive JPEG that repeats its scans to keep a decoder busy is a bomb."""
    data = jpeg_bytes(SMOOTH, progressive=True)
    last = data.rfind(b"\xff\xda")
    assert await refused(data[:last] + data[last:-2] * 200 + b"\xff\xd9", "image/jpeg") == "bomb"


async def test_a_decoder_that_takes_too_long_is_refused(tmp_path):
    """A file that keeps the decoder busy past the limit is refused, and the next file is judged as ever."""
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(SMALL))
    probes, pool = ChildPool(1), ChildPool(1)
    desk = VisionPictureDesk(pool, probes=probes, bounds=Bounds(probe_seconds=0.0))
    with pytest.raises(PictureRefused) as caught:
        await desk.probe(path, "image/png")
    assert caught.value.code == "bomb"
    patient = VisionPictureDesk(pool, probes=probes)
    assert (await patient.probe(path, "image/png")).width == 32
    probes.close()
    pool.close()


async def test_a_decoder_out_of_memory_is_refused(tmp_path):
    """A picture inside the bounds that needs more memory than a child has is refused, not a crash."""
    path = tmp_path / "a.png"
    path.write_bytes(png_claiming(16_000, 8_000, zlib.compress(b"\x00" * (8_000 * (16_000 * 3 + 1)), 1)))
    probes, pool = ChildPool(1, max_memory_bytes=900 * 1024 * 1024), ChildPool(1)
    desk = VisionPictureDesk(pool, probes=probes)
    with pytest.raises(PictureRefused) as caught:
        await desk.probe(path, "image/png")
    assert caught.value.code == "bomb"
    probes.close()
    pool.close()


async def test_a_child_killed_by_somebody_else_costs_no_good_file(desk, tmp_path):
    """The file is tried once more in a fresh child before it is blamed."""
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(SMALL))
    child = await desk._probes.run(os.getpid)
    killer = partial(os.kill, child, signal.SIGKILL)
    killer()
    assert (await desk.probe(path, "image/png")).width == 32
