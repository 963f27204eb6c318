"""A drawn picture that keeps to another's lines: a sketch's strokes, or the edges of whatever is in a picture.

The lines and the tones are the input's own; what the words add is drawn as in a panel and labelled as one.
"""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Picture, dissolve, resized, to_bytes
from services.bedrock.darkroom.palette import Colour

_SIDE = 768  # lines are looked for at no more than this, and drawn at the picture's own size
_PAPER_BLUR = 0.06
_INK = 0.9
_TONES = 5
_SHARPNESS = 18.0
_SKETCH_WHITE = 0.55


def follow_structure(drawn: Picture, image: Picture, strength: float, tones: tuple[Colour, ...]) -> Picture:
    """`drawn` gives way to the input's tonal masses, painted in the drawing's `tones` (dark to light), and its edges.

    `strength` 0 leaves the drawing, 1 leaves nothing of it but its colours.
    """
    grey = _grey(image)
    masses = _painted(grey, tones, image.shape[:2])
    return _inked(dissolve(drawn, masses, strength), _edges(grey), image.shape[:2], strength)


def follow_sketch(drawn: Picture, image: Picture, strength: float, tones: tuple[Colour, ...]) -> Picture:
    """The sketch's strokes on the drawing, which is washed out so that they carry the picture.

    A picture that isn't drawn on light paper is taken by its contours.
    """
    grey = _grey(image)
    strokes = _strokes(grey) if is_sketch(image) else _edges(grey)
    wash = np.empty_like(drawn)
    wash[:] = tones[-1]
    pale = dissolve(drawn, wash, 0.75 * strength)
    return _inked(pale, strokes, image.shape[:2], strength)


def is_sketch(image: Picture) -> bool:
    """Mostly one light, colourless tone with some dark marks: drawn on paper."""
    small = resized(image, (96, 96)).astype(np.float32)
    grey = small.mean(axis=2)
    paper = float(np.quantile(grey, 0.9))
    plain = np.ptp(small, axis=2) < 40  # noqa: PLR2004 - grey levels
    near = (grey > paper - 45) & plain
    return paper > 150 and float(near.mean()) > _SKETCH_WHITE  # noqa: PLR2004 - a light grey


def _grey(image: Picture) -> Floats:
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    small = resized(image, (max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))))
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _edges(grey: Floats) -> Floats:
    """Ink (0-1) along edges: the extended difference of Gaussians (Winnemöller, Kyprianidis and Olsen, 2012)."""
    smooth = cv2.bilateralFilter(grey, 7, 0.12, 3)
    fine, coarse = cv2.GaussianBlur(smooth, (0, 0), 1.1), cv2.GaussianBlur(smooth, (0, 0), 1.9)
    response = fine - coarse
    spread = max(float(np.quantile(np.abs(response), 0.93)), 0.006)
    dark = np.clip(-response / spread - 0.35, 0, None)
    gx, gy = cv2.Sobel(fine, cv2.CV_32F, 1, 0), cv2.Sobel(fine, cv2.CV_32F, 0, 1)
    slope = np.hypot(gx, gy)
    firm = np.clip(slope / max(float(np.quantile(slope, 0.95)), 0.05) - 0.15, 0, 1)
    return np.asarray(np.tanh(1.6 * dark) * np.clip(firm * 2.2, 0, 1), np.float32)


def _strokes(grey: Floats) -> Floats:
    """Ink (0-1) of a sketch: darker than the paper around it, however the paper is lit."""
    spread = _PAPER_BLUR * max(grey.shape)
    paper = cv2.GaussianBlur(cv2.dilate(grey, np.ones((7, 7), np.uint8)), (0, 0), spread)
    depth = np.clip(1 - grey / np.maximum(paper, 0.05), 0, 1)
    return np.clip((depth - 0.08) / 0.4, 0, 1).astype(np.float32)


def _painted(grey: Floats, tones: tuple[Colour, ...], shape: tuple[int, ...]) -> Picture:
    """The input in a few flat tones (soft quantisation: Winnemöller, Olsen and Gooch, 2006), in given colours."""
    calm = cv2.medianBlur(np.rint(grey * 255).astype(np.uint8), 5).astype(np.float32) / 255
    flat = cv2.bilateralFilter(calm, 9, 0.15, 5)
    low, high = float(np.quantile(flat, 0.02)), float(np.quantile(flat, 0.98))
    level = np.clip((flat - low) / max(high - low, 0.05), 0, 1) * (_TONES - 1)
    step = np.rint(level) + np.tanh(_SHARPNESS * (level - np.rint(level)) / 4) * 0.35
    at = np.clip(step / (_TONES - 1), 0, 1)
    places = np.linspace(0, 1, len(tones))
    planes = [np.interp(at, places, [tone[k] for tone in tones]) for k in range(3)]
    return resized(to_bytes(np.dstack(planes).astype(np.float32)), (shape[1], shape[0]))


def _inked(picture: Picture, ink: Floats, shape: tuple[int, ...], strength: float) -> Picture:
    """Ink on the picture, as strong as asked."""
    full = cv2.resize(ink, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    amount = np.clip(full, 0, 1)[..., None] * np.float32(_INK * strength**0.5)
    under = picture.astype(np.float32)
    return to_bytes(under + (np.array((24, 26, 34), np.float32) - under) * amount)
