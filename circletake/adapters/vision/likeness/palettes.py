"""Small palettes of linear light, and how alike two of them are. Runs in a child process only.

A palette is a float32 array (n, 4): linear red, green, blue in 0-1 and the share of the region. A region of a
picture is kept as its palette, so a grade can be undone on a few colours instead of on the pixels.
"""

from functools import cache
from typing import Any

import cv2
import numpy as np

# Differences of lightness count less than differences of colour: exposure and shading move lightness first.
LIGHTNESS = 0.6
# How far two colours may lie apart to count as one: sigma in weighted CIE Lab, two just noticeable steps.
WIDTH = 4.9

_CELL = (9.0, 7.0, 7.0)  # Lab cells in which pixels are gathered
_ENOUGH = 4000  # pixels; more don't move a palette


def to_linear(rgb: Any) -> Any:
    """sRGB (IEC 61966-2-1) uint8 of any shape to linear light 0-1, float32."""
    return _linear_of_code()[rgb]


@cache
def _linear_of_code() -> Any:
    code = np.arange(256, dtype=np.float32) / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)  # noqa: PLR2004


def to_lab(linear: Any) -> Any:
    """Linear light (..., 3) to CIE Lab (D65), L 0-100, float32 of the same shape."""
    flat = np.ascontiguousarray(np.clip(linear, 0, 1).reshape(1, -1, 3), np.float32)
    return cv2.cvtColor(flat, cv2.COLOR_LRGB2Lab).reshape(linear.shape)


def palette_of(pixels: Any, size: int = 16) -> Any:
    """The `size` most frequent colours of (n, 3) uint8 pixels as means of Lab cells; (0, 4) for no pixels."""
    if len(pixels) == 0:
        return np.zeros((0, 4), np.float32)
    linear = to_linear(pixels[:: len(pixels) // _ENOUGH + 1])
    cells = np.floor(to_lab(linear) / np.array(_CELL, np.float32)).astype(np.int64) + 64
    key = (cells[:, 0] * 256 + cells[:, 1]) * 256 + cells[:, 2]
    _, which, counts = np.unique(key, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(which, linear[:, channel]) for channel in range(3)], 1)
    order = np.argsort(-counts, kind="stable")[:size]
    share = counts[order] / counts[order].sum()
    return np.column_stack([sums[order] / counts[order, None], share]).astype(np.float32)


def alike(seen: Any, share: Any, reference: Any, reference_share: Any) -> Any:
    """Bhattacharyya coefficients (k,) in 0-1 of a palette under k lights with a reference's palette.

    `seen` (k, n, 3) and `reference` (m, 3) in Lab, with their shares (n,), (m,). Both palettes are densities under a
    Gaussian of WIDTH in weighted Lab; the integral is taken over the colours of both.
    """
    scale = np.array([LIGHTNESS, 1, 1], np.float32) / WIDTH
    ours = seen * scale
    theirs = np.broadcast_to(reference * scale, (len(seen), *reference.shape))
    everywhere = np.concatenate([ours, theirs], 1)
    p = _density(everywhere, ours, share)
    q = _density(everywhere, theirs, reference_share)
    weight = np.concatenate([share, reference_share])[None] / (p + q)
    common = (weight * np.sqrt(p * q)).sum(1)
    return common / np.sqrt((weight * p).sum(1) * (weight * q).sum(1))


def shift(seen: Any, share: Any, reference: Any, reference_share: Any) -> Any:
    """How far the mean colour, lightness aside, of a palette under k lights lies from a reference's: Lab steps (k,).

    Arguments as of `alike`. It sees a tint of the whole, which a Gaussian's width forgives.
    """
    ours = (seen * share[None, :, None]).sum(1)
    return np.linalg.norm((ours - reference_share @ reference)[:, 1:], axis=1)


def _density(at: Any, centres: Any, share: Any) -> Any:
    """Gaussian mixtures (k, n, 3) with shares (n,) at points (k, m, 3): (k, m)."""
    squares = (at * at).sum(-1)[:, :, None] + (centres * centres).sum(-1)[:, None, :]
    squares -= 2 * at @ np.swapaxes(centres, 1, 2)
    return np.exp(-0.25 * np.maximum(squares, 0)) @ share
