"""What may fill a hole: only what touches it."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, resized

_SIDE = 256
_BINS = 24
_PRESENT = 0.002
_MOSTLY = 0.75
_ENOUGH = 0.04


def rim_palette(picture: Picture, hole: Mask) -> Mask | None:
    """Where colours that also occur at the hole's rim prevail (255), or None where that would leave too little.

    Best patch matching alone may complete a grey wall with half a face, when its tones happen to fit. What nowhere
    touches the hole has no business in it.
    """
    height, width = hole.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    missing = cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0
    small = resized(picture, size)
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 0.8), cv2.COLOR_RGB2LAB)
    # Chroma of natural pictures fills a small part of its range, so it gets the finer bins.
    bins = np.dstack(
        [lab[..., 0] // 11, *(np.clip((lab[..., k].astype(int) - 68) // 5, 0, _BINS - 1) for k in (1, 2))]
    )
    reach = max(4, round(0.03 * max(cv2.boundingRect(missing.astype(np.uint8))[2:])))
    near = cv2.dilate(missing.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    # The pixels next to the hole may still show the object's own edge.
    edge = cv2.dilate(missing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = near & ~edge
    if not rim.any():
        return None
    counts = np.zeros((_BINS, _BINS, _BINS), np.float32)
    np.add.at(counts, tuple(bins[rim].T), 1)
    share = _spread(counts / counts.sum())
    present = (share[tuple(np.moveaxis(bins, 2, 0))] > _PRESENT).astype(np.float32)
    mostly = (cv2.blur(present, (7, 7)) > _MOSTLY) & ~missing
    if mostly.sum() < max(_ENOUGH * missing.size, 0.5 * missing.sum()):
        return None
    full = cv2.resize(mostly.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, np.uint8)


def _spread(share: Floats) -> Floats:
    """Let each bin count for its neighbours along every axis."""
    for axis in range(3):
        padded = np.pad(share, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        share = np.maximum(
            share, np.maximum(np.take(padded, range(_BINS), axis), np.take(padded, range(2, _BINS + 2), axis))
        )
    return share
