"""How a subject is drawn or rendered: statistics of its line and texture. Runs in a child process only.

Means and spreads of a network's early features carry a picture's style and little of its content (Gatys et al. 2016,
Huang and Belongie 2017). Taken as logarithms about their mean they don't move with exposure or contrast.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

_FLOOR = 0.02  # of the layer's own spread: a channel that is still says nothing by being still
_FEW = 20  # cells of the subject below which the whole frame is taken


def style_of(layers: Sequence[Any], subject: Any) -> Any:
    """The style of a boolean `subject` mask in feature maps (channels, height, width): (n,) float32, of one length
    for the same layers."""
    parts = []
    for layer in layers:
        size = (layer.shape[2], layer.shape[1])
        inside = cv2.resize(subject.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5  # noqa: PLR2004
        values = layer[:, inside] if inside.sum() >= _FEW else layer.reshape(len(layer), -1)
        for strength in (
            values.std(1) + _FLOOR * values.std(),
            np.abs(values).mean(1) + _FLOOR * np.abs(values).mean(),
        ):
            logarithm = np.log(strength + 1e-9)
            parts.append((logarithm - logarithm.mean()) / np.sqrt(len(logarithm)))
    return np.concatenate(parts).astype(np.float32)


def style_likeness(reference: Any, seen: Any) -> float:
    """Minus the distance of two styles, 0 for the same picture."""
    return -float(np.linalg.norm(reference.astype(np.float32) - seen.astype(np.float32)))
