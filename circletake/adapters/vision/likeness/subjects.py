"""Tell a frame's subject from its background. Runs in a child process only."""

from typing import Any

import cv2
import numpy as np

_SIDE = 160  # pixels of the longer side: GrabCut's time grows with the area
_EDGE = 0.06  # share of the shorter side that is thought to be background
_LEAST = 0.03  # a subject smaller than this share of the frame is a failed cut
_ROUNDS = 3
_SEED = 7


def find_subject(rgb: Any) -> Any:
    """A boolean mask of the subject for an RGB uint8 frame, at most _SIDE pixels wide or high; all True if nothing
    stands out.

    GrabCut (Rother et al., SIGGRAPH 2004) that starts from "everything but the frame's edge".
    """
    height, width = rgb.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)
    mask = np.full(small.shape[:2], cv2.GC_PR_FGD, np.uint8)
    edge = max(2, int(_EDGE * min(mask.shape)))
    mask[:edge] = mask[-edge:] = cv2.GC_BGD
    mask[:, :edge] = mask[:, -edge:] = cv2.GC_BGD
    cv2.setRNGSeed(_SEED)  # its mixtures start from k-means
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cut: Any = cv2.grabCut  # whose stub knows no mask without a rectangle
    try:
        cut(small, mask, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # a frame of one colour has no two mixtures
        return np.ones(mask.shape, bool)
    subject = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if subject.mean() < _LEAST:
        return np.ones(mask.shape, bool)
    return subject
