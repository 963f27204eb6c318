"""Move a picture away from its reference, as far as asked."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Picture, dissolve, sampled, to_bytes
from services.bedrock.darkroom.drawing import smooth_noise
from services.bedrock.darkroom.palette import Tint, mix, tint, wished_tint

_TONES = ((196, 120, 70), (70, 120, 170), (96, 140, 84), (150, 84, 130), (190, 160, 90), (70, 130, 130))
_WARP_WIDTH = 0.05
_BRUSH = 9
_SMALL = 64


def vary(image: Picture, prompt: str, strength: float, seed: int) -> Picture:
    """0 returns the picture, 1 a very different one: bent by smooth noise, abstracted to brush strokes, and leaning
    to the prompt's colours (a seeded tone where it names none).

    Every step is scaled by `strength`, so the mean absolute difference grows with it.
    """
    strength = float(np.clip(strength, 0, 1))
    if strength == 0:
        return image.copy()
    rng = np.random.default_rng(seed)
    wish = wished_tint(prompt)
    tone = _TONES[int(rng.integers(len(_TONES)))]
    aim = (
        Tint(mix(wish.colour, tone, 0.15), wish.light)
        if wish
        else Tint(tone, float(rng.choice([0.88, 1.08])))
    )
    bent = _bend(image, strength, rng)
    painted = _paint(bent, strength, rng)
    abstracted = dissolve(bent, painted, strength**1.3)
    coloured = tint(abstracted, aim, 0.85 * strength)
    # The last share keeps small strengths small: what the warp moves at an edge is at once a large difference.
    share = min(1.0, 0.35 + strength)
    return dissolve(image, coloured, share)


def _bend(image: Picture, strength: float, rng: np.random.Generator) -> Picture:
    height, width = image.shape[:2]
    reach = _WARP_WIDTH * max(height, width) * strength
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (smooth_noise((height, width), 4, rng) * np.float32(reach) for _ in range(2))
    return sampled(image, x + dx, y + dy)


def _paint(image: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """Brush strokes: colour averaged along a direction field that follows the picture's edges (line integral
    convolution, Cabral and Leedom, 1993), with bristle noise."""
    height, width = image.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 2)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    spread = max(3.0, max(height, width) / 130)
    jxx, jxy, jyy = (cv2.GaussianBlur(j, (0, 0), spread) for j in (gx * gx, gx * gy, gy * gy))
    angle = 0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2 + smooth_noise((height, width), 7, rng) * 0.35
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    step = max(1.0, max(height, width) / 420) * (0.4 + strength)
    bristles = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.2) * 22
    source = (
        cv2.medianBlur(image, 3 + 2 * (min(height, width) > _SMALL)).astype(np.float32) + bristles[..., None]
    )
    total = np.zeros(source.shape, np.float32)
    cos, sin = (
        np.cos(angle).astype(np.float32) * np.float32(step),
        np.sin(angle).astype(np.float32) * np.float32(step),
    )
    for at in range(-_BRUSH, _BRUSH + 1, 2):
        stroke = cv2.remap(source, x + cos * at, y + sin * at, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT_101)
        total += np.asarray(stroke, np.float32)
    return to_bytes(total / np.float32(_BRUSH + 1))
