"""Which lights and grades may lie between two pictures of a person, told from the skin they share.

Hair and cloth of one person look different under another lamp or grade, and so does the skin beside them: what
explains the skin is tried on hair and cloth. An explanation that isn't needed is never believed to make things worse:
the best of several counts.
"""

from typing import Any

import numpy as np

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_DARK = 0.02  # keeps gains of near-black finite
_LEAST, _MOST = 0.35, 2.8  # gains beyond these aren't a grade of the same scene
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def skin_of(linear: Any) -> Any:
    """(5, 3): QUANTILES of the skin's linear red, green, blue."""
    return np.quantile(linear, QUANTILES, axis=0).astype(np.float32)


def lights(colours: Any, seen: Any, reference: Any) -> Any:
    """The seen colours (n, 3) as they might look in the reference's light: (k, n, 3), the first one unchanged.

    `seen`, `reference`: skin_of both. The others: von Kries gains from skin to skin in two strengths, then with the
    contrast and with the saturation of the skin taken over too.
    """
    gain = np.clip((reference[2] + _DARK) / (seen[2] + _DARK), _LEAST, _MOST)
    full = colours * gain
    out = [colours, colours * gain**0.7, full]
    out.append(_contrast(full, seen * gain, reference))
    out.append(_saturation(full, seen * gain, reference))
    exposure = float(np.clip(reference[2] @ _LUMA / max(1e-3, float(seen[2] @ _LUMA)), _LEAST, _MOST))
    out.append(colours * exposure)
    return np.clip(np.stack(out), 0, 1).astype(np.float32)


def _contrast(colours: Any, seen: Any, reference: Any) -> Any:
    """Bend luma by a power around the skin's middle, so that the skin's spread becomes the reference's."""
    spread = [np.log((q[3] @ _LUMA + 1e-3) / (q[1] @ _LUMA + 1e-3)) for q in (reference, seen)]
    power = float(np.clip((spread[0] + 0.05) / (spread[1] + 0.05), 0.6, 1.7))
    middle = float(reference[2] @ _LUMA) + 1e-3
    luma = colours @ _LUMA + 1e-4
    return colours * ((luma / middle) ** (power - 1))[..., None]


def _saturation(colours: Any, seen: Any, reference: Any) -> Any:
    """Scale distances from grey as the skin's were scaled."""
    spread = [
        float(np.abs(q[2] - q[2] @ _LUMA).sum() / max(1e-3, float(q[2] @ _LUMA))) for q in (reference, seen)
    ]
    factor = float(np.clip((spread[0] + 0.05) / (spread[1] + 0.05), 0.5, 2.0))
    grey = (colours @ _LUMA)[..., None]
    return grey + (colours - grey) * factor
