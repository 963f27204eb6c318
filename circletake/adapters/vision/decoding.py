"""Decode a still picture to the very numbers its file holds. Runs in a child process only."""

# ruff: noqa: PLR2004 - channel counts and bit depths are the picture's own

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from circletake.adapters.vision import jpeg, png, tiff, webp
from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.magic import Header, sniff
from circletake.domain.frames import Size
from circletake.ports import PictureRefused

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
_UNREADABLE = "the picture can't be decoded: export it again"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels as (height, width) for grey, else (height, width, channels) in the order grey alpha, RGB or RGBA."""

    pixels: Any  # uint8 or uint16
    media_type: str
    has_alpha: bool

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def bit_depth(self) -> int:
        return int(self.pixels.dtype.itemsize * 8)

    @property
    def lossy(self) -> bool:
        return self.media_type in {"image/jpeg", "image/webp"}

    def colour(self) -> Any:
        """Return the pixels without alpha: (height, width) or (height, width, 3)."""
        if not self.has_alpha:
            return self.pixels
        return self.pixels[..., 0] if self.pixels.shape[2] == 2 else self.pixels[..., :3]

    def alpha(self) -> Any:
        """Return the alpha plane, or None."""
        return self.pixels[..., -1] if self.has_alpha else None


def media_type_of(path: Path) -> str:
    with path.open("rb") as file:
        return sniff(file.read(4096))


def read_size(path: Path, media_type: str) -> Header:
    """Read what the header announces, nothing else. The orientation isn't known yet."""
    if not path.stat().st_size:
        raise PictureRefused("empty", "the file is empty: upload it again")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        if media_type == "image/png":
            head = png.read_size(data)
            return Header(head.width, head.height, 4, 16 if head.depth == 16 else 8)
        return {"image/jpeg": jpeg.read_size, "image/tiff": tiff.read_size, "image/webp": webp.read_size}[
            media_type
        ](data)


def read_header(path: Path, media_type: str, bounds: Bounds) -> Header:
    """Walk the whole container; raises PictureRefused for whatever is wrong with it."""
    reader = {
        "image/png": png.read_header,
        "image/jpeg": jpeg.read_header,
        "image/tiff": tiff.read_header,
        "image/webp": webp.read_header,
    }[media_type]
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        return reader(data, bounds)


def check_size(header: Header, bounds: Bounds) -> None:
    """Refuse a picture by its announced size, before a byte of it is decoded."""
    if max(header.width, header.height) > bounds.max_side:
        raise PictureRefused(
            "too_large",
            f"{header.width}×{header.height}: a side may have at most {bounds.max_side} pixels; scale it down",
        )
    pixels = header.width * header.height
    if (
        pixels > bounds.max_pixels
        or pixels * header.channels * header.bit_depth // 8 > bounds.max_decoded_bytes
    ):
        raise PictureRefused(
            "too_large",
            f"{header.width}×{header.height} is {pixels:,} pixels, at most {bounds.max_pixels:,} are taken; "
            "scale it down",
        )


def decode(path: Path, bounds: Bounds | None = None) -> Decoded:
    """Decode a picture bit for bit: no colour management, no gamma, no premultiplication.

    JPEG and WebP are turned upright as their EXIF orientation says; PNG and TIFF stand as they are.
    Raises PictureRefused.
    """
    bounds = bounds or Bounds()
    media_type = media_type_of(path)
    if media_type.startswith("video/"):
        raise PictureRefused("type_mismatch", "a video stands where a picture is needed: send one frame")
    check_size(read_size(path, media_type), bounds)
    if media_type == "image/tiff":
        return _decode_tiff(path)
    pixels = _read_by_opencv(path)
    if media_type == "image/png":
        return _as_png_says(path, pixels)
    orientation = read_header(path, media_type, bounds).orientation
    return Decoded(upright(pixels, orientation), media_type, pixels.ndim == 3 and pixels.shape[2] == 4)


def _read_by_opencv(path: Path) -> Any:
    with _complaints() as said:
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    # libjpeg fills what is missing with grey and only says so on stderr
    if b"premature end" in said.lower():
        raise PictureRefused("truncated", "the picture's data ends early: upload it again")
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise PictureRefused("truncated", _UNREADABLE)
    if pixels.ndim == 3:
        channels = pixels.shape[2]
        if channels == 1:
            return pixels[..., 0]
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA, dst=pixels)
    return pixels


@contextmanager
def _complaints() -> Iterator[bytearray]:
    """Collect what C libraries write to stderr meanwhile."""
    said = bytearray()
    reading, writing = os.pipe()

    def drain() -> None:
        while block := os.read(reading, 4096):
            if len(said) < 65_536:
                said.extend(block)

    kept = os.dup(2)
    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield said
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        thread.join()
        os.close(reading)


def _as_png_says(path: Path, pixels: Any) -> Decoded:
    with path.open("rb") as file:
        colour = file.read(26)[25]
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    if has_alpha and colour in {0, 4}:  # OpenCV spreads grey with alpha over RGBA
        pixels = np.ascontiguousarray(pixels[..., [0, 3]])
    return Decoded(pixels, "image/png", has_alpha)


def _decode_tiff(path: Path) -> Decoded:
    header = read_size(path, "image/tiff")
    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            if int(page.compression) not in {5, 32773}:
                pixels = page.asarray(maxworkers=1)
                if int(page.planarconfig) == 2 and pixels.ndim == 3:
                    pixels = np.moveaxis(pixels, 0, -1)
            elif header.bit_depth == 16:
                pixels = _read_by_opencv(path)
            else:
                # OpenCV premultiplies 8-bit RGBA; libtiff under Pillow leaves it
                Image.MAX_IMAGE_PIXELS = None  # bounded by check_size
                with Image.open(path, formats=["TIFF"]) as picture:
                    pixels = np.asarray(picture)
    except PictureRefused:
        raise
    except (OSError, ValueError, IndexError, KeyError, TypeError, tifffile.TiffFileError) as fault:
        raise PictureRefused("truncated", _UNREADABLE) from fault
    shape = (header.height, header.width, *((header.channels,) if header.channels > 1 else ()))
    pixels = np.ascontiguousarray(pixels, dtype=np.uint16 if header.bit_depth == 16 else np.uint8)
    return Decoded(pixels.reshape(shape), "image/tiff", header.has_alpha)


def upright(pixels: Any, orientation: int) -> Any:
    """Turn pixels as an EXIF orientation says (CIPA DC-008: 1–8)."""
    if orientation in {5, 6, 7, 8}:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def to_eight_bits(pixels: Any) -> Any:
    """16-bit codes to the nearest 8-bit ones (65535 → 255, one step is 257); 8-bit ones unchanged."""
    if pixels.dtype == np.uint8:
        return pixels
    return cv2.convertScaleAbs(pixels, alpha=1 / 257).reshape(pixels.shape)


def to_rgb(pixels: Any) -> Any:
    """Grey spread over three channels; RGB unchanged."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
