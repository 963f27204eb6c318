"""Put something into a picture, honestly: the matte's ground is completed, then a drawn, stylised element named by
the prompt is set on it in the light and colours of its surroundings. Nothing is generated."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Mask, Picture, blurred, softened, to_bytes, union
from services.bedrock.darkroom.completion import complete
from services.bedrock.darkroom.drawing import HALF, Point, fill, mask_of
from services.bedrock.darkroom.erase import grown, soft_inside
from services.bedrock.darkroom.palette import Colour, Light, mix, named_colour, read_light
from services.bedrock.darkroom.subjects import Subject, make, named_subjects

_VISIBLE = 55
_BRIGHT_SUM = 330
_FLOATING = {"moon", "bird", "sign", "window"}


def inpaint(
    image: Picture, mask: Mask, prompt: str, grow: int, seed: int, ground: Picture | None = None
) -> Picture:
    """Fill the matte (grown by `grow`) with its rebuilt ground (or the one given) and the element the prompt names
    first; a prompt that names none known gets a sphere or a crate. Pixels outside the grown matte are returned
    unchanged."""
    hole = grown(mask, grow)
    if not hole.any():
        return image.copy()
    rng = np.random.default_rng(seed)
    if ground is None:
        ground = complete(image, hole, seed)
    names = named_subjects(prompt)
    subject = make(names[0] if names else "something", rng)
    around = _surroundings(hole)
    light = read_light(image, around)
    drawn = _draw(ground, hole, subject, light, named_colour(prompt), rng)
    grain = _grain_of(image, around)
    noise = cv2.GaussianBlur(rng.standard_normal(hole.shape).astype(np.float32), (0, 0), 0.6) * np.float32(
        1.8 * grain
    )
    touched = np.any(drawn != ground, axis=2)
    drawn = np.where(touched[..., None], to_bytes(drawn + noise[..., None]), drawn)
    alpha = soft_inside(hole, max(1.0, min(grow * 0.6, 6)))[..., None]
    return to_bytes(image * (1 - alpha) + drawn * alpha)


def _surroundings(hole: Mask) -> Bools:
    _, _, w, h = cv2.boundingRect(hole)
    reach = max(8, max(w, h) // 3)
    away = cv2.distanceTransform((hole == 0).astype(np.uint8), cv2.DIST_C, 3)
    ring: Bools = (away <= reach) & (hole == 0)
    return ring if ring.any() else hole > 0


def _grain_of(image: Picture, around: Bools) -> float:
    """The picture's noise: median absolute deviation of its finest detail (Immerkær's Laplacian mask, 1996)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    return float(np.median(np.abs(cv2.filter2D(grey, -1, kernel)[around])) / 0.6745)


def _fit(hole: Mask, subject: Subject) -> tuple[float, float, float, float]:
    """Where the subject goes: the largest box of its shape that keeps to the matte, as left, top, width, height."""
    x, y, w, h = cv2.boundingRect(hole)
    depth = cv2.distanceTransform(hole, cv2.DIST_L2, 3)
    high = min(h * 0.94, w * 0.9 / subject.aspect)
    wide = high * subject.aspect
    columns = depth[y : y + h, x : x + w].sum(axis=0)
    centre = x + float((columns * np.arange(w)).sum() / max(float(columns.sum()), 1e-6))
    left = float(np.clip(centre - wide / 2, x, x + w - wide))
    top = y + (h - high) / 2 if subject.name in _FLOATING else y + h - high - h * 0.03
    return left, top, wide, high


def _draw(
    ground: Picture,
    hole: Mask,
    subject: Subject,
    light: Light,
    colour: Colour | None,
    rng: np.random.Generator,
) -> Picture:
    picture = ground.copy()
    left, top, wide, high = _fit(hole, subject)
    flip = bool(rng.integers(2))

    def placed(part: list[Point]) -> list[Point]:
        return [(left + (1 - u if flip else u) * wide, top + v * high) for u, v in part]

    shapes = [mask_of(hole.shape, placed(part)) for part in subject.parts]
    whole = union(shapes)
    if subject.name not in _FLOATING:
        _shadow(picture, whole, light, (left, top, wide, high))
    body = mix(light.middle, colour, 0.75) if colour else _contrasting(light, rng)
    if subject.glows:
        body = mix(light.highlight, (255, 236, 184), 0.6)
        halo = blurred(whole, max(1.5, high * 0.08))
        fill(picture, halo, body, 0.4)
    layer = np.empty_like(picture)
    layer[:] = body
    for at, shape in enumerate(shapes[1:]):
        fill(layer, shape, mix(body, light.highlight if at % 2 == 0 else light.shadow, 0.4))
    for shape in [whole] if subject.merged else shapes:
        edge = cv2.morphologyEx(shape, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        fill(layer, np.asarray(edge, np.uint8), light.shadow, 0.5)
    lit = _shade(layer, whole, light, 1.0 if subject.round else 0.4, dim=not subject.glows)
    alpha = blurred(whole, 0.7)[..., None].astype(np.float32) / 255
    return np.rint(picture + (lit - picture) * alpha).astype(np.uint8)


def _contrasting(light: Light, rng: np.random.Generator) -> Colour:
    """A body colour from the surroundings' own palette, far enough from their middle tone to be seen."""
    dark = sum(light.middle) > _BRIGHT_SUM
    base = mix(light.shadow, light.middle, 0.25) if dark else mix(light.middle, light.highlight, 0.7)
    hue = np.array([[[int(rng.integers(180)), 90, max(60, sum(base) // 3)]]], np.uint8)
    accent = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0]
    colour = mix(base, (int(accent[0]), int(accent[1]), int(accent[2])), 0.35)
    gap = (sum(colour) - sum(light.middle)) / 3
    if abs(gap) >= _VISIBLE:
        return colour
    return mix(colour, (12, 12, 16) if dark else (236, 232, 222), min(0.6, (_VISIBLE - abs(gap)) / 150 + 0.1))


def _shade(layer: Picture, whole: Mask, light: Light, relief: float, *, dim: bool) -> Floats:
    """Light a silhouette as a pillow: its distance from the edge is its height."""
    depth = cv2.distanceTransform((whole >= HALF).astype(np.uint8), cv2.DIST_L2, 5)
    thick = max(float(depth.max()), 1.0)
    swell = np.sqrt(np.clip(1 - (1 - depth / thick) ** 2, 0, 1)) * thick * relief
    swell = softened(swell.astype(np.float32), max(1.0, thick * 0.15))
    nx, ny = (
        -cv2.Sobel(swell, cv2.CV_32F, 1, 0, scale=0.125),
        -cv2.Sobel(swell, cv2.CV_32F, 0, 1, scale=0.125),
    )
    facing = (nx * light.x + ny * light.y + 0.55) / np.sqrt(nx * nx + ny * ny + 1)
    amount = (np.clip(facing, -0.4, 1.1) - 0.5) * np.float32(0.9 * light.contrast + 0.2)
    shaded = layer.astype(np.float32)
    bright, dark = np.array(light.highlight, np.float32), np.array(light.shadow, np.float32)
    up = np.clip(amount, 0, 0.85)[..., None]
    down = np.clip(-amount, 0, 0.85 if dim else 0.3)[..., None]
    lit: Floats = shaded + (bright - shaded) * up + (dark - shaded) * down
    return lit


def _shadow(picture: Picture, whole: Mask, light: Light, box: tuple[float, float, float, float]) -> None:
    """A contact shadow, and the silhouette laid down away from the light."""
    left, top, wide, high = box
    foot = top + high
    lay = np.array([[1, light.x * 0.8, -light.x * 0.8 * foot], [0, 0.22, foot * 0.78]], np.float32)
    cast = cv2.warpAffine(whole, lay, (whole.shape[1], whole.shape[0]))
    fill(
        picture,
        blurred(np.asarray(cast, np.uint8), max(1.0, high * 0.015)),
        light.shadow,
        0.35 + 0.25 * light.contrast,
    )
    contact = np.zeros(whole.shape, np.uint8)
    centre = (round(left + wide / 2), round(foot))
    cv2.ellipse(contact, centre, (max(1, round(wide * 0.42)), max(1, round(high * 0.02))), 0, 0, 360, 255, -1)
    fill(picture, blurred(contact, max(1.0, high * 0.012)), light.shadow, 0.5)
