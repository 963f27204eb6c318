"""Ink on paper: the marks a storyboard artist makes, drawn oversampled and deterministic for a generator."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, both
from services.bedrock.darkroom.palette import Colour

Point = tuple[float, float]
_SHIFT = 4
HALF = 128
_SMALLEST = 2


def fixed(points: Iterable[Point]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Points as OpenCV's fixed-point coordinates (1/16 pixel), so that lines keep their angle when small."""
    return np.rint(np.array(list(points), np.float64) * (1 << _SHIFT)).astype(np.int32)


def mask_of(shape: tuple[int, int], *outlines: Sequence[Point]) -> Mask:
    """Union of filled outlines, anti-aliased."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
    return mask


def ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> list[Point]:
    """Outline of an ellipse, or of its arc in degrees."""
    angles = np.radians(np.linspace(start, end, 40))
    return [(x + rx * float(np.cos(a)), y + ry * float(np.sin(a))) for a in angles]


def fill(picture: Picture, mask: Mask, colour: Colour, opacity: float = 1.0) -> None:
    """Paint the colour where the mask is, in place."""
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return
    part = picture[y : y + h, x : x + w]
    alpha = mask[y : y + h, x : x + w, None].astype(np.float32) * np.float32(opacity / 255)
    part[:] = np.rint(part + (np.array(colour, np.float32) - part) * alpha).astype(np.uint8)


def gradient(picture: Picture, mask: Mask, top: Colour, bottom: Colour) -> None:
    """Paint a vertical gradient over the mask's height, in place."""
    _, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return
    share = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    tones = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    part = picture[y : y + h]
    alpha = mask[y : y + h, :, None].astype(np.float32) / 255
    part[:] = np.rint(part + (tones - part) * alpha).astype(np.uint8)


def ink_line(
    picture: Picture, points: Sequence[Point], colour: Colour, width: float, rng: np.random.Generator
) -> None:
    """A hand-drawn line: slightly bowed between its points and drawn twice, the second stroke thinner and astray."""
    for stroke, thickness in enumerate((width, max(1.0, width * 0.5))):
        wobble = width * (0.5 + 0.7 * stroke)
        path: list[Point] = []
        for (x0, y0), (x1, y1) in pairwise(points):
            length = float(np.hypot(x1 - x0, y1 - y0))
            count = max(2, int(length / 24))
            bow = rng.normal(0, wobble * min(1.0, length / 80))
            for t in np.linspace(0, 1, count, endpoint=False):
                lift = bow * float(np.sin(np.pi * t))
                path.append(
                    (x0 + (x1 - x0) * t - lift * (y1 - y0) / max(length, 1), y0 + (y1 - y0) * t + lift)
                )
        path.append(points[-1])
        cv2.polylines(picture, [fixed(path)], False, colour, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def outline(picture: Picture, mask: Mask, colour: Colour, width: float) -> None:
    """Ink the edge of a mask."""
    contours, _ = cv2.findContours(
        (mask >= HALF).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_KCOS
    )
    cv2.drawContours(picture, contours, -1, colour, max(1, round(width)), cv2.LINE_AA)


def hatch(
    picture: Picture,
    mask: Mask,
    colour: Colour,
    angle: float,
    spacing: float,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Parallel strokes of uneven length inside the mask, in place. `angle` in degrees, `spacing` in pixels."""
    x, y, w, h = cv2.boundingRect(mask)
    if min(w, h) < _SMALLEST:
        return
    layer = np.zeros((h, w), np.uint8)
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    normal = np.array([-along[1], along[0]])
    reach = float(np.hypot(w, h)) / 2 + spacing
    centre = np.array([w / 2, h / 2])
    strokes = []
    for offset in np.arange(-reach, reach, spacing):
        start = centre + normal * (offset + rng.normal(0, spacing * 0.12)) - along * reach
        at = float(rng.uniform(0, spacing * 3))
        while at < 2 * reach:
            length = float(rng.uniform(spacing * 7, spacing * 22))
            a, b = start + along * at, start + along * (at + length) + normal * rng.normal(0, spacing * 0.15)
            strokes.append(fixed([(float(a[0]), float(a[1])), (float(b[0]), float(b[1]))]))
            at += length + float(rng.uniform(spacing * 0.4, spacing * 2))
    cv2.polylines(layer, strokes, False, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
    fill(picture[y : y + h, x : x + w], both(layer, mask[y : y + h, x : x + w]), colour, 0.8)


def paper_grain(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> Floats:
    """Tooth of the paper, H×W around zero, in grey levels."""
    height, width = shape
    tile = rng.standard_normal((min(height, 256), min(width, 256))).astype(np.float32)
    fine = np.asarray(cv2.GaussianBlur(tile, (0, 0), 0.8), np.float32)
    repeat = (-(-height // fine.shape[0]), -(-width // fine.shape[1]))
    cloud = smooth_noise(shape, 4, rng)
    grain: Floats = np.tile(fine, repeat)[:height, :width] * (2 * strength) + cloud * strength
    return grain


def smooth_noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> Floats:
    """Noise with about `cells` bumps across the longer side, H×W, unit variance."""
    height, width = shape
    longest = max(shape)
    grid = (max(3, round(cells * height / longest) + 2), max(3, round(cells * width / longest) + 2))
    coarse = rng.standard_normal(grid).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own scalable face: no font file to find."""
    return ImageFont.load_default(size=max(6.0, size))


def wrap(
    text: str, face: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float, lines: int
) -> list[str]:
    """Break into at most `lines` lines of at most `width` pixels; what doesn't fit is cut with an ellipsis."""
    rows: list[str] = []
    row = ""
    for word in text.split():
        longer = f"{row} {word}".strip()
        if face.getlength(longer) <= width:
            row = longer
            continue
        if row:
            rows.append(row)
        row = word
        if len(rows) == lines:
            break
    if row and len(rows) < lines:
        rows.append(row)
        row = ""
    cut = bool(row)
    for at, line in enumerate(rows):
        last = cut and at == len(rows) - 1
        fitted = line
        while fitted and face.getlength(fitted + ("…" if last or fitted != line else "")) > width:
            fitted = fitted[:-1]
        rows[at] = fitted.rstrip() + ("…" if last or fitted != line else "")
    return rows


def write(picture: Picture, at: Point, text: str, size: float, colour: Colour) -> None:
    """Write one line with its top left corner at `at`, in place; clipped at the edge."""
    face = font(size)
    _, _, right, bottom = (int(v) for v in face.getbbox(text))
    plate = Image.new("L", (max(1, right + 2), max(1, bottom + 2)))
    ImageDraw.Draw(plate).text((0, 0), text, fill=255, font=face)
    x, y = int(at[0]), int(at[1])
    letters = np.asarray(plate)[: max(0, picture.shape[0] - y), : max(0, picture.shape[1] - x)]
    if letters.size:
        fill(
            picture[y : y + letters.shape[0], x : x + letters.shape[1]], np.ascontiguousarray(letters), colour
        )
