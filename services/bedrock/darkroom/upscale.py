"""Make a picture larger. Nothing is invented by the fast and the conservative way: what is reduced again is the
original; the creative way adds grain and local contrast that its seed and the prompt decide."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Picture, softened, to_bytes
from services.bedrock.darkroom.drawing import smooth_noise
from services.bedrock.darkroom.palette import tint, wished_tint

_BAND = 512  # rows worked on at once: sixteen megapixels of floats would be 200 MB
_MILD = 0.35
_CRISP = 0.9
_TILE = 512
_GRAIN = 26.0
_RELIEF = 0.8
_LEAN = 0.5


def upscale_fast(image: Picture, width: int, height: int) -> Picture:
    """Lanczos, then a mild sharpening of what the reduction of the result would not show."""
    return _sharpened(_enlarged(image, width, height), _MILD)


def upscale_conservative(image: Picture, width: int, height: int, creativity: float) -> Picture:
    """Lanczos and sharpening; `creativity` (0.1-0.5) is how crisp. A picture that keeps its size is only sharpened."""
    return _sharpened(_enlarged(image, width, height), _MILD + _CRISP * creativity)


def upscale_creative(
    image: Picture, width: int, height: int, prompt: str, creativity: float, seed: int
) -> Picture:
    """As the conservative, with local contrast, grain in textured places and a leaning to the prompt's colours."""
    rng = np.random.default_rng(seed)
    large = _sharpened(_enlarged(image, width, height), _MILD + _CRISP * creativity)
    large = _detailed(large, creativity, rng)
    wish = wished_tint(prompt)
    return large if wish is None else tint(large, wish, _LEAN * creativity)


def _enlarged(image: Picture, width: int, height: int) -> Picture:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LANCZOS4), np.uint8)


def _sharpened(picture: Picture, amount: float) -> Picture:
    """Unsharp mask over a radius of about an enlarged pixel."""
    soft = cv2.GaussianBlur(picture, (0, 0), 1.6)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def _detailed(picture: Picture, creativity: float, rng: np.random.Generator) -> Picture:
    """Stronger mid-sized contrast, and grain where the picture has texture of its own (flat skies stay flat)."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    around = softened(grey, 6)
    busy = np.clip(np.sqrt(softened((grey - around) ** 2, 4)) / 30, 0, 1).astype(np.float32)
    relief = (grey - around) * np.float32(_RELIEF * creativity) + smooth_noise(
        grey.shape, 9, rng
    ) * np.float32(6 * creativity)
    tile = cv2.GaussianBlur(rng.standard_normal((_TILE, _TILE)).astype(np.float32), (0, 0), 0.9)
    result = np.empty_like(picture)
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        count = rows.stop - rows.start
        lift = _stretched(relief, rows, height, width)
        grain = np.tile(tile, (1, -(-width // _TILE)))[:count, :width]
        lift = lift + grain * _stretched(busy, rows, height, width) * np.float32(_GRAIN * creativity)
        result[rows] = to_bytes(picture[rows] + lift[..., None])
    return result


def _stretched(small: Floats, rows: slice, height: int, width: int) -> Floats:
    """Rows of a map that is stretched to the whole picture, bilinear."""
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * small.shape[0] / height - 0.5
    low = np.clip(np.floor(y).astype(int), 0, small.shape[0] - 1)
    high = np.minimum(low + 1, small.shape[0] - 1)
    share = np.clip(y - low, 0, 1)[:, None]
    lines = small[low] * (1 - share) + small[high] * share
    return np.asarray(cv2.resize(lines, (width, len(y)), interpolation=cv2.INTER_LINEAR), np.float32)
