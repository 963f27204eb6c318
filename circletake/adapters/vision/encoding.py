"""Write PNG, TIFF and JPEG with the plate's colour and size metadata. Runs in a child process only."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from circletake.adapters.vision import png
from circletake.ports import LayBackFault

_INCH = 0.0254
# half the time of OpenCV's default on 16-bit plates, and no larger
_PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
# TransferFunction, WhitePoint, PrimaryChromaticities
_TIFF_COLOUR_TAGS = (301, 318, 319)


@dataclass(frozen=True, slots=True)
class Dress:
    """What belongs to a picture's numbers without being pixels: colour, resolution, kind of alpha."""

    icc: bytes | None = None
    dots_per_inch: tuple[float, float] | None = None
    png_chunks: list[bytes] = field(default_factory=list)
    tiff_tags: list[tuple[Any, ...]] = field(default_factory=list)
    tiff_resolution: tuple[Any, Any, int] | None = None
    associated_alpha: bool = False


def dress_of(path: Path, media_type: str) -> Dress:
    """Read the colour and resolution metadata of a plate."""
    if media_type == "image/tiff":
        return _tiff_dress(path)
    with Image.open(path, formats=[media_type.partition("/")[2].upper()]) as picture:
        info = dict(picture.info)
    dpi = info.get("dpi")
    density = (float(dpi[0]), float(dpi[1])) if dpi and dpi[0] > 1 and dpi[1] > 1 else None
    return Dress(
        icc=info.get("icc_profile"),
        dots_per_inch=density,
        png_chunks=png.carried_chunks(path) if media_type == "image/png" else [],
    )


def _tiff_dress(path: Path) -> Dress:
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        tags = page.tags
        icc = tags.valueof(34675)
        unit = int(tags.valueof(296) or 2)
        across, down = tags.valueof(282), tags.valueof(283)
        resolution = (across, down, unit) if across and down and across[1] and down[1] else None
        carried = [
            (tag.code, int(tag.dtype), tag.count, tag.value, True)
            for code in _TIFF_COLOUR_TAGS
            if (tag := tags.get(code)) is not None
        ]
        extra = tags.valueof(338)
    per_inch = None
    if resolution and unit in {2, 3}:
        factor = 2.54 if unit == 3 else 1.0
        per_inch = (across[0] / across[1] * factor, down[0] / down[1] * factor)
    return Dress(
        icc=bytes(icc) if icc else None,
        dots_per_inch=per_inch,
        tiff_tags=carried,
        tiff_resolution=resolution,
        associated_alpha=extra is not None and 1 in np.atleast_1d(extra),
    )


def write_picture(path: Path, pixels: Any, target_type: str, dress: Dress, *, has_alpha: bool) -> None:
    """Write pixels losslessly as PNG or TIFF. Raises LayBackFault for another type."""
    if target_type == "image/png":
        path.write_bytes(_png_with(encode_png(pixels), dress))
    elif target_type == "image/tiff":
        _write_tiff(path, pixels, dress, has_alpha=has_alpha)
    else:
        raise LayBackFault(f"a composite is written as PNG or TIFF, not as {target_type}")


def encode_png(pixels: Any) -> bytes:
    """Encode grey, grey with alpha, RGB or RGBA at 8 or 16 bits as PNG without any metadata."""
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        return _encode_grey_alpha(pixels)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    _, encoded = cv2.imencode(".png", pixels, _PNG_OPTIONS)
    return bytes(encoded.data)


def _encode_grey_alpha(pixels: Any) -> bytes:
    # OpenCV has no grey with alpha, Pillow none at 16 bits
    height, width, _ = pixels.shape
    depth = pixels.dtype.itemsize * 8
    rows = (
        np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    )
    filtered = np.zeros((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # Up
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    return b"".join(
        (
            png.SIGNATURE,
            png.make_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 4, 0, 0, 0)),
            png.make_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 3)),
            png.make_chunk(b"IEND", b""),
        )
    )


def _png_with(encoded: bytes, dress: Dress) -> bytes:
    carried = list(dress.png_chunks)
    names = {chunk[4:8] for chunk in carried}
    if dress.icc and not names & {b"iCCP", b"sRGB"}:
        carried.append(png.profile_chunk(dress.icc))
    if dress.dots_per_inch and b"pHYs" not in names:
        across, down = (round(value / _INCH) for value in dress.dots_per_inch)
        carried.append(png.make_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    return png.with_chunks(encoded, carried) if carried else encoded


def _write_tiff(path: Path, pixels: Any, dress: Dress, *, has_alpha: bool) -> None:
    resolution: dict[str, Any] = {}
    if dress.tiff_resolution:
        across, down, unit = dress.tiff_resolution
        resolution = {"resolution": (across, down), "resolutionunit": unit}
    elif dress.dots_per_inch:
        resolution = {"resolution": dress.dots_per_inch, "resolutionunit": 2}
    colours = (pixels.shape[2] if pixels.ndim == 3 else 1) - has_alpha
    row_bytes = pixels.nbytes // pixels.shape[0]
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if pixels.ndim == 3 else None,
        extrasamples=[("assocalpha" if dress.associated_alpha else "unassalpha")] if has_alpha else None,
        compression="zlib",
        predictor=True,
        rowsperstrip=max(1, min(pixels.shape[0], (1 << 20) // row_bytes)),
        iccprofile=dress.icc,
        extratags=dress.tiff_tags,
        metadata=None,
        software=False,
        maxworkers=1,
        **resolution,
    )


def encode_jpeg(rgb: Any, quality: int) -> bytes:
    """Encode 8-bit RGB as a baseline JPEG with full colour resolution."""
    _, encoded = cv2.imencode(
        ".jpg",
        cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR),
        [  # not optimised: that takes half as long again and saves a few per cent
            *(cv2.IMWRITE_JPEG_QUALITY, quality),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ],
    )
    return bytes(encoded.data)
