"""Pictures as RGB arrays of eight bits, and the changes that need no face: grades, sizes, frames."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Rgb = NDArray[np.uint8]
Points = NDArray[np.float64]
LONGEST = 1280


@dataclass(frozen=True, slots=True)
class Face:
    """Where a face is: five points (corners of both eyes, base of the nose) in pixels of the picture."""

    points: Points

    @property
    def eyes(self) -> Points:
        return np.asarray(self.points[:4].mean(axis=0), dtype=np.float64)

    @property
    def apart(self) -> float:
        """Distance between the eyes' centres."""
        return float(np.linalg.norm(self.points[:2].mean(axis=0) - self.points[2:4].mean(axis=0)))

    @property
    def height(self) -> float:
        """From hairline to chin, about 2.9 eye distances (a mean of adult faces seen from the front)."""
        return 2.9 * self.apart

    def moved(self, scale: float, dx: float = 0.0, dy: float = 0.0) -> "Face":
        return Face(self.points * scale + np.array([dx, dy]))


def load(path: Path) -> Rgb:
    """Read a picture as it is shown, at most 1280 pixels on its longest side."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.uint8)


def save(path: Path, rgb: Rgb) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, compress_level=1)
    return path


def resized(rgb: Rgb, scale: float) -> Rgb:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)


def exposed(rgb: Rgb, stops: float, *, noise: float = 0.0, seed: int = 1) -> Rgb:
    """Change exposure in linear light; `noise` is that of a sensor pushed there, in eight-bit codes."""
    linear = (rgb.astype(np.float64) / 255) ** 2.2 * 2.0**stops
    codes = np.clip(linear, 0, 1) ** (1 / 2.2) * 255
    codes += np.random.default_rng(seed).normal(0, noise, rgb.shape) if noise else 0
    return _codes(codes)


def _codes(values: NDArray[np.float64]) -> Rgb:
    return np.asarray(np.clip(values + 0.5, 0, 255), dtype=np.uint8)


def compressed(rgb: Rgb, quality: int) -> Rgb:
    _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])


def blurred(rgb: Rgb, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(0.3, sigma)), dtype=np.uint8)


def tinted(rgb: Rgb, gains: tuple[float, float, float]) -> Rgb:
    """Multiply linear light per channel: a lamp of another colour."""
    linear = (rgb.astype(np.float64) / 255) ** 2.2 * np.array(gains)
    return _codes(np.clip(linear, 0, 1) ** (1 / 2.2) * 255)


def mirrored(rgb: Rgb) -> Rgb:
    return np.ascontiguousarray(rgb[:, ::-1])


def framed(rgb: Rgb, face: Face, share: float, *, face_px: float | None = None) -> tuple[Rgb, Face]:
    """Reframe 16:9 so that the face's height is `share` of the frame's. Around the picture lies its own blur.

    The frame is chosen so that the face is enlarged twice at most, between 240 and 720 lines; `face_px` sets the
    distance between the eyes instead and the frame follows.
    """
    if face_px is None:
        lines = int(np.clip(2 * face.height / share, 240, 720))
        scale = lines * share / face.height
    else:
        scale = face_px / face.apart
        lines = int(np.clip(face.height * scale / share, 240, 1080))
    height, width = lines, round(lines * 16 / 9)
    # the eyes go to the upper third in a tight frame, higher up where the body is in view
    target = np.array([width / 2, height * (0.42 if share > 0.4 else 0.3)])
    offset = target - face.eyes * scale
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    small = resized(rgb, scale) if scale < 1 else rgb
    inner = matrix if scale >= 1 else np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
    tiny = cv2.GaussianBlur(cv2.resize(rgb, (48, 27), interpolation=cv2.INTER_AREA), (0, 0), 2.2)
    around = cv2.resize(tiny, (width, height), interpolation=cv2.INTER_CUBIC)
    mask = np.full(small.shape[:2], 255, np.uint8)
    placed = cv2.warpAffine(small, inner, (width, height), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(mask, inner, (width, height)) > 250
    out = np.where(inside[..., None], placed, (around * 0.7).astype(np.uint8))
    return np.asarray(out, dtype=np.uint8), face.moved(scale, *offset)


def thumbnail_of(path: Path) -> NDArray[np.float64] | None:
    """Return the thumbnail of a file; None where it can't be read."""
    try:
        return thumbnail(load(path))
    except (OSError, ValueError):
        return None


def thumbnail(rgb: Rgb, side: int = 24) -> NDArray[np.float64]:
    """A small grey copy with mean 0 and length 1: what two versions of one picture have in common."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
    centred = grey.astype(np.float64) - grey.mean()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-9), dtype=np.float64)
