"""Move a picture away from its reference, as far as asked."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Picture, dissolve, sampled, to_bytes
from services.bedrock.darkroom.drawing import smooth_noise
from services.bedrock.darkroom.palette import Tint, mix, tint, wished_tint

_TONES = ((196, 120, 70), (70, 120, 170), (96, 140, 84), (150, 84, 130), (190, 160, 90), (70, 130, 130))
_KEEPS = 0.5  # the strength up to which a face stays the same person's
_NEARER = 0.14
_LIGHT = 0.3
_COLOUR = 0.4
_WARP_WIDTH = 0.05
_BRUSH = 9
_SMALL = 64


def vary(image: Picture, prompt: str, strength: float, seed: int) -> Picture:
    """0 returns the picture, 1 a very different one.

    Up to `_KEEPS` it is another take of the same thing: reframed a little, lit from a side, leaning to the prompt's
    colours (a seeded tone where it names none); who or what is in it stays as it is. Beyond, it is bent by smooth noise
    and abstracted to brush strokes. Every step is scaled by `strength`, so the mean absolute difference grows with it.
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
    result = _lit(_reframed(image, strength, rng), strength, rng)
    beyond = max(0.0, (strength - _KEEPS) / (1 - _KEEPS))
    if beyond:
        result = _bend(result, beyond, rng)
        result = dissolve(result, _paint(result, beyond, rng), beyond**1.1)
    return tint(result, aim, _COLOUR * min(strength, _KEEPS) + (0.85 - _COLOUR * _KEEPS) * beyond)


def _reframed(image: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """Nearer by a few hundredths, a little to one side; nothing new comes into view."""
    height, width = image.shape[:2]
    share = _NEARER * strength
    left, up = (float(value) for value in rng.uniform(0.25, 0.75, 2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x * np.float32(1 - share) + np.float32(left * share * width)
    y = y * np.float32(1 - share) + np.float32(up * share * height)
    return sampled(image, x, y)


def _lit(image: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """A light from a seeded side, brighter there and darker on the other."""
    height, width = image.shape[:2]
    angle = float(rng.uniform(0, 2 * np.pi))
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = (x * np.cos(angle) + y * np.sin(angle)).astype(np.float32)
    return to_bytes(image * (1 + np.float32(_LIGHT * strength) * slope)[..., None])


def _bend(image: Picture, share: float, rng: np.random.Generator) -> Picture:
    height, width = image.shape[:2]
    reach = _WARP_WIDTH * max(height, width) * share
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
