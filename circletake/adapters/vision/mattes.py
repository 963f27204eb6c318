"""Read mattes: white is what changes, black stays. Runs in a child process only."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import Decoded, decode
from circletake.ports import PictureRefused

# JPEG and lossy WebP ring around edges: below this a 'black' isn't meant
_RGB_DIMENSIONS = 3  # height, width, channel
_RINGING = 8 / 255
_COLOUR_TOLERANCE = 16 / 255


def read_matte(path: Path, bounds: Bounds) -> tuple[Any, list[str]]:
    """Return weights as uint16 (0 … 65535) and notes on how the file was read.

    One grey channel, or equal channels, is the matte. Where the colours are all one value and there is an alpha,
    the alpha is. Colours that differ raise PictureRefused: they are several mattes, and nobody said which.
    """
    decoded = decode(path, bounds)
    notes: list[str] = []
    plane = _plane(decoded)
    if decoded.has_alpha and plane.min() == plane.max():
        plane = decoded.alpha()
        notes.append("the matte was taken from the file's alpha channel")
    weights = np.ascontiguousarray(plane)
    if weights.dtype == np.uint8:
        weights = weights.astype(np.uint16) * 257
    if decoded.lossy:
        faint = (weights > 0) & (weights < round(_RINGING * 65535))
        if faint.any():
            weights[faint] = 0
            notes.append("the matte is lossy (JPEG or WebP): its faintest greys were read as black")
    return weights, notes


def _plane(decoded: Decoded) -> Any:
    colour = decoded.colour()
    if colour.ndim != _RGB_DIMENSIONS:
        return colour
    highest, lowest = colour.max(axis=2), colour.min(axis=2)
    tolerance = round(_COLOUR_TOLERANCE * np.iinfo(colour.dtype).max) if decoded.lossy else 0
    if np.any(highest - lowest > tolerance):
        raise PictureRefused(
            "unsupported",
            "the matte's colour channels differ: save the one matte that is meant as a grey picture",
        )
    return colour[..., 1]


def grown(weights: Any, pixels: int) -> Any:
    """Strengthen a soft edge by `pixels` without reaching outside the matte: where it is 0 it stays 0."""
    if pixels <= 0:
        return weights
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.where(weights > 0, cv2.dilate(weights, kernel), 0).astype(np.uint16)
