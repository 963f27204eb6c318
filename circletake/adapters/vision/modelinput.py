"""Bring a picture into the form a model takes. Runs in a child process only."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import decode, to_eight_bits, to_rgb
from circletake.adapters.vision.encoding import encode_jpeg, encode_png
from circletake.adapters.vision.mattes import read_matte
from circletake.domain.frames import CannotFit, Size, SizeLimits, fit_within
from circletake.ports import ModelInput, PictureRefused

_JPEG_QUALITIES = (95, 92, 88, 82)
_MATTE_THRESHOLD = 128 * 257  # code 128 of 255: half and more is white


def prepare(
    path: Path,
    limits: Mapping[str, Any],
    bounds: Bounds,
    *,
    grayscale: bool,
    invert: bool,
    size: tuple[int, int] | None,
) -> ModelInput:
    """Decode to 8 bits without colour management, drop alpha, scale, encode. Raises PictureRefused.

    The picture is PNG, or JPEG where PNG has more than the limits' `max_bytes`. A matte is PNG, black and white;
    `invert` is for a model that changes what is black.
    """
    if grayscale:
        pixels, _ = read_matte(path, bounds)
    else:
        pixels = to_rgb(to_eight_bits(np.ascontiguousarray(decode(path, bounds).colour())))
    source = Size(pixels.shape[1], pixels.shape[0])
    try:
        fitted = Size(*size) if size else fit_within(source, SizeLimits.of(limits))
    except CannotFit as fault:
        raise PictureRefused("unsupported", str(fault)) from None
    scaled = _scaled(pixels, source, fitted)
    if grayscale:
        white, black = (0, 255) if invert else (255, 0)
        scaled = np.where(scaled >= _MATTE_THRESHOLD, white, black).astype(np.uint8)
    data, media_type = _encoded(scaled, limits, matte=grayscale)
    return ModelInput(
        data=data,
        media_type=media_type,
        width=fitted.width,
        height=fitted.height,
        scale=math.sqrt(fitted.pixels / source.pixels),
    )


def _scaled(pixels: Any, source: Size, fitted: Size) -> Any:
    if source == fitted:
        return pixels
    smaller = fitted.pixels < source.pixels
    return cv2.resize(
        pixels,
        (fitted.width, fitted.height),
        interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC,
    )


def _encoded(pixels: Any, limits: Mapping[str, Any], *, matte: bool) -> tuple[bytes, str]:
    max_bytes = limits.get("max_bytes")
    lossless_only = matte or "image/jpeg" not in limits.get("media_types", ("image/jpeg",))
    data = encode_png(pixels)
    if max_bytes is None or len(data) <= max_bytes:
        return data, "image/png"
    for quality in () if lossless_only else _JPEG_QUALITIES:
        data = encode_jpeg(pixels, quality)
        if len(data) <= max_bytes:
            return data, "image/jpeg"
    raise PictureRefused(
        "too_large", f"the picture has more than this model's {max_bytes:,} bytes in any form: scale it down"
    )
