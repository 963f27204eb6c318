"""What of a frame a model really changed. Runs in a child process only.

The model's picture and the plate are compared at the smaller one's size, so that resampling alone is no difference.
Both are looked at twice: smoothed, where grain, quantisation and a codec's noise fall away and only what is drawn
remains (`generated`), and in what smoothing takes off, where new grain and lost noise stand (`enhanced`).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from circletake.domain.frames import Size

_MOST_PIXELS = 8_000_000  # compared at once; a larger region is compared scaled down
_MARGIN = 64  # pixels around the matte, compared with it: what the model left alone shows its codec's noise

# In codes of 255, of luma and of each chroma: how strong a smoothed difference must be. Where the model's picture
# has no noise of its own, anything that can be seen counts; a JPEG's noise lifts the bar, but no higher than that.
_SMOOTH = 1.6  # pixels, standard deviation
_LEAST = np.array([1.0, 1.5, 1.5], np.float32)
_MOST = np.array([5.0, 9.0, 9.0], np.float32)
_QUIET, _ABOVE_QUIET = 0.25, 8.0  # the quietest quarter of the differences, and how far above it noise is
_SHIFT = 0.35  # of a pixel: as far as two resamplers disagree about where an edge is
_FINE = 0.7  # pixels, where a change ends
_EDGE = 0.25  # of the strength beside it: less is the change's own shadow, or a codec's around it
_REACH = 5  # pixels; smaller holes in a change are crossings of zero
_HALF_A_CODE = 0.5
_AROUND = 0.01  # of the compared window
_OF_TEXTURE = 0.3  # of the plate's own roughness: there a codec's noise is strongest

# Noise loses its strength when it is smoothed, white noise all but 0.1 of it, film grain all but 0.3; what is drawn
# keeps more.
_SMOOTHER = 3.0
_REGION, _WINDOW = 12.0, 6.0  # pixels, standard deviation: the surroundings whose strength is compared
_STRUCTURE = 0.33
_NO_GRAIN = 40.0  # codes: no film is that grainy
_LEAST_ROUGH = 5.0  # codes: new grain weaker than that isn't told from a codec's


@dataclass(frozen=True, slots=True)
class Exposed:
    """Pixels of a frame. What is generated isn't counted as enhanced as well."""

    generated: int
    enhanced: int


def exposed(plate: Any, result: Any, weights: Any, *, lossy: bool = False) -> Exposed:
    """Count what a result laid onto a plate with these weights changed.

    `plate` and `result` are colours (both grey or both RGB, 8 or 16 bits each), `result` at the size the model gave
    it; `weights` are 16-bit codes at the plate's size; `lossy`: the result came as JPEG or the like.
    """
    if not weights.any():
        return Exposed(0, 0)
    of_plate = Size(plate.shape[1], plate.shape[0])
    size = _compared_at(of_plate, Size(result.shape[1], result.shape[0]))
    weight = _resized(weights, size).astype(np.float32) / 65535
    covered = _resized((weights > 0).astype(np.float32), size)
    window = _window(weight)
    generated, enhanced = _changed(
        _codes(_resized(plate, size)[window]),
        _codes(_resized(result, size)[window]),
        weight[window],
        as_is=not lossy and result.shape[:2] == plate.shape[:2] and size == of_plate,
    )
    pixels = of_plate.pixels / size.pixels
    return Exposed(
        round(float(covered[window][generated].sum()) * pixels),
        round(float(covered[window][enhanced].sum()) * pixels),
    )


def _compared_at(plate: Size, result: Size) -> Size:
    """Return the size at which both are looked at: the smaller one's, so that neither is enlarged."""
    smaller = plate if plate.pixels <= result.pixels else result
    scale = (_MOST_PIXELS / smaller.pixels) ** 0.5
    if scale >= 1:
        return smaller
    return Size(max(1, round(smaller.width * scale)), max(1, round(smaller.height * scale)))


def _window(weight: Any) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
    height, width = weight.shape
    return (
        slice(max(0, int(rows[0]) - _MARGIN), min(height, int(rows[-1]) + 1 + _MARGIN)),
        slice(max(0, int(columns[0]) - _MARGIN), min(width, int(columns[-1]) + 1 + _MARGIN)),
    )


def _resized(picture: Any, size: Size) -> Any:
    if (picture.shape[1], picture.shape[0]) == (size.width, size.height):
        return picture
    return cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_AREA)


def _changed(shown: Any, laid: Any, weight: Any, *, as_is: bool) -> tuple[Any, Any]:
    """Return the masks of what is generated and of what is enhanced.

    `as_is`: neither a codec nor a resampler stands between the two; then what is equal is equal to the code.
    """
    bare = laid - shown
    difference = bare * weight[..., None]
    inside = weight > 0
    softened = cv2.GaussianBlur(shown, (0, 0), _SMOOTH)
    texture = _spread((shown - softened)[..., :1], _WINDOW)
    untouched = as_is and _untouched(bare, inside)
    tolerated = _OF_TEXTURE * texture[..., None] + _SHIFT * _gradient(softened)
    smooth, fine = (cv2.GaussianBlur(difference, (0, 0), sigma) for sigma in (_SMOOTH, _FINE))
    differs = (np.abs(smooth) > _floor(bare, _SMOOTH, _MOST) + tolerated).any(axis=2)
    # smoothing spreads a change beyond its edge: what lies there must differ by itself as well
    strength = (np.abs(fine) / (_floor(bare, _FINE, 2 * _MOST) + tolerated)).max(axis=2)
    differs &= (strength > 1) & (strength > _EDGE * cv2.dilate(strength, _disc(_REACH)))
    if untouched:
        differs = (np.abs(difference) > _HALF_A_CODE).any(axis=2)
    drawn = _structure(difference) | (_spread(difference, _WINDOW) > _NO_GRAIN)
    generated = _closed(differs & drawn) & inside
    near = cv2.dilate(generated.astype(np.uint8), _disc(round(2 * _WINDOW))).astype(bool)
    rough = _spread((difference - smooth)[..., :1], _WINDOW)
    return generated, (rough > _LEAST_ROUGH + 2 * _OF_TEXTURE * texture) & inside & ~near


def _untouched(bare: Any, inside: Any) -> bool:
    """Say whether the model's picture is the plate itself, to the code, where it had nothing to do.

    With a matte over the whole frame: whether a quarter of it is, and most of the rest is no codec's rounding.
    """
    most = np.abs(bare).max(axis=2)
    equal = most < _HALF_A_CODE
    around = ~inside
    if np.count_nonzero(around) > _AROUND * around.size:
        return bool(np.mean(equal[around]) > 1 - _AROUND)
    return bool(np.mean(equal) > _QUIET and _middle(most[~equal]) > _LEAST_ROUGH)


def _middle(values: Any) -> float:
    return float(np.median(values)) if values.size else 0.0


def _floor(bare: Any, sigma: float, most: Any) -> Any:
    """Return how strong a smoothed difference must be to be more than the model's own noise, per channel."""
    smooth = np.abs(cv2.GaussianBlur(bare, (0, 0), sigma))[::2, ::2].reshape(-1, 3)
    quiet = np.quantile(smooth, _QUIET, axis=0)
    return np.clip(_ABOVE_QUIET * quiet, _LEAST, most).astype(np.float32)


def _structure(difference: Any) -> Any:
    """Where the difference is more than noise."""
    smoother = cv2.GaussianBlur(difference, (0, 0), _SMOOTHER)
    drawn = _spread(smoother, _REGION) > _STRUCTURE * _spread(difference - smoother, _REGION)
    return cv2.dilate(drawn.astype(np.uint8), _disc(_REACH)).astype(bool)


def _spread(values: Any, window: float) -> Any:
    """Root mean square of a pixel's surroundings, over the channels."""
    return np.sqrt(cv2.GaussianBlur((values**2).sum(axis=2), (0, 0), window))


def _closed(mask: Any) -> Any:
    """Fill what crosses zero inside a change: an edge that runs straight stays where it is."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), *(4 * (_REACH + 1,)), cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(_REACH))
    cut = slice(_REACH + 1, -_REACH - 1)
    return closed[cut, cut].astype(bool)


def _disc(radius: int) -> Any:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _gradient(picture: Any) -> Any:
    """Codes per pixel, per channel."""
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.hypot(across, down)


def _codes(picture: Any) -> Any:
    """Return luma and two chromas as floats in codes of 255 (BT.601, as JPEG keeps them)."""
    top = float(np.iinfo(picture.dtype).max)
    values = picture.astype(np.float32) * (255 / top)
    if values.ndim == 2:  # noqa: PLR2004 - grey: no chroma
        values = np.repeat(values[..., None], 3, axis=2)
    return cv2.cvtColor(np.ascontiguousarray(values / 255), cv2.COLOR_RGB2YCrCb) * 255
