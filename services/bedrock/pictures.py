"""Pictures in and out: headers for the limits, pixels for the darkroom.

Pixels are RGB uint8 of shape (height, width, 3), masks uint8 of shape (height, width) with 255 = change.
"""

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_FORMATS = ("PNG", "JPEG", "WEBP")
_JPEG_QUALITY = 95
_WEBP_QUALITY = 95
_WITH_ALPHA = 4
_LARGE = 2_000_000
MAX_ENCODED = 18_700_000  # bytes that as base64 still fit into an answer of 25 MB


class UnreadablePicture(Exception):
    """Not a PNG, JPEG or WebP picture, or a broken one."""


class NoMask(Exception):
    """Neither a mask nor a transparent region says what to change."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file says of itself; `format` is png, jpeg or webp. Nothing was decoded."""

    format: str
    width: int
    height: int
    has_alpha: bool


def read_header(data: bytes) -> Header:
    """Read the size from the header alone, so that limits hold before a pixel is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            return Header((image.format or "").lower(), image.width, image.height, has_alpha)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadablePicture from None


def _decode(data: bytes) -> NDArray[Any]:
    """Any supported picture as BGR or BGRA uint8, in stored orientation."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise UnreadablePicture
    if pixels.dtype == np.uint16:
        pixels = (pixels // 256).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise UnreadablePicture
    if pixels.ndim == 2:  # noqa: PLR2004 - grey has no channel axis
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    elif pixels.shape[2] == 2:  # noqa: PLR2004 - grey and alpha
        pixels = np.dstack([pixels[..., 0]] * 3 + [pixels[..., 1]])
    elif pixels.shape[2] == 1:
        pixels = cv2.cvtColor(pixels[..., 0], cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(pixels)


def decode_image(data: bytes) -> Pixels:
    """RGB; transparency is dropped, the colours under it stay. Raises UnreadablePicture."""
    return np.ascontiguousarray(_decode(data)[..., 2::-1])


def decode_mask(mask: bytes | None, image: bytes) -> Pixels:
    """The mask's luminance at the image's size, or, without a mask, how transparent the image is.

    Raises NoMask, UnreadablePicture.
    """
    if mask is not None:
        grey: Pixels = cv2.cvtColor(_decode(mask)[..., :3], cv2.COLOR_BGR2GRAY).astype(np.uint8)
        header = read_header(image)
        return resize(grey, header.width, header.height)
    pixels = _decode(image)
    if pixels.shape[2] != 4 or not (pixels[..., 3] < 255).any():  # noqa: PLR2004 - BGRA
        raise NoMask
    return np.ascontiguousarray(255 - pixels[..., 3])


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[1] == width and pixels.shape[0] == height:
        return pixels
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), dtype=np.uint8)


def encode(pixels: Pixels, output_format: str, most: int = MAX_ENCODED) -> bytes:
    """RGB or RGBA pixels as a PNG (lossless), JPEG or WebP file; JPEG has no alpha, what is cut out stands on white.

    A PNG of more than `most` bytes, too large for an answer, loses its pixels' two lowest bits.
    """
    if output_format == "jpeg" and pixels.shape[2] == _WITH_ALPHA:
        share = pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    order = [2, 1, 0, 3] if pixels.shape[2] == _WITH_ALPHA else [2, 1, 0]
    stored = np.ascontiguousarray(pixels[..., order])
    if output_format == "png":
        data = _written(".png", stored, _png_parameters(stored))
        if len(data) > most:
            data = _written(".png", stored & np.uint8(0xFC), _png_parameters(stored))
        return data
    if output_format == "jpeg":
        return _written(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return _written(".webp", stored, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])


def _png_parameters(pixels: Pixels) -> list[int]:
    """For a large picture what takes a third of the time; an enlarged photograph is no larger for it."""
    if pixels.shape[0] * pixels.shape[1] < _LARGE:
        return [cv2.IMWRITE_PNG_COMPRESSION, 3]
    return [
        cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG,
        cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
    ]  # fmt: skip


def _written(suffix: str, pixels: Pixels, parameters: list[int]) -> bytes:
    done, buffer = cv2.imencode(suffix, pixels, parameters)
    if not done:
        raise ValueError(f"the picture could not be encoded as {suffix}")
    return bytes(buffer.tobytes())
