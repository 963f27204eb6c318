"""The places behind a panel's subject: sky, ground, mass shapes in perspective, a room."""

from itertools import pairwise

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Mask, Picture, both, minus, moved
from services.bedrock.darkroom.drawing import (
    Point,
    ellipse,
    fill,
    gradient,
    hatch,
    ink_line,
    mask_of,
    outline,
    smooth_noise,
)
from services.bedrock.darkroom.palette import mix
from services.bedrock.darkroom.scenes import Scene

_OVERCAST = -0.7
_GLITTER = 0.4
_HATCHED = 0.3


def draw(picture: Picture, scene: Scene, unit: float, rng: np.random.Generator) -> None:
    """Fill the whole picture with the scene's place, in place. `unit` is the width of a pen stroke."""
    if scene.backdrop == "room":
        _room(picture, scene, unit, rng)
        return
    height, width = picture.shape[:2]
    level = scene.horizon * height
    everything = np.full((height, width), 255, np.uint8)
    gradient(picture, everything, scene.sky, mix(scene.sky, scene.paper, 0.1 if scene.night else 0.65))
    _sky(picture, scene, level, unit, rng)
    _land(picture, scene, level)
    masses = {"hills": _hills, "city": _city, "trees": _trees, "sea": _sea, "plain": _plain}
    masses[scene.backdrop](picture, scene, level, unit, rng)
    if scene.backdrop != "sea":
        _ground_marks(picture, scene, level, unit, rng)
    ink_line(picture, [(0, level), (width, level)], scene.ink, 1.1 * unit, rng)


def _land(picture: Picture, scene: Scene, level: float) -> None:
    height, width = picture.shape[:2]
    ground = mask_of((height, width), [(0, level), (width, level), (width, height), (0, height)])
    gradient(picture, ground, mix(scene.ground, scene.sky, 0.35), mix(scene.ground, scene.ink, 0.22))


def _sky(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    above = np.zeros((height, width), np.uint8)
    above[: max(1, int(level))] = 255
    if scene.night:
        for x, y in zip(rng.uniform(0, width, 34), rng.uniform(0, max(1.0, level * 0.8), 34), strict=True):
            fill(
                picture, mask_of((height, width), ellipse(float(x), float(y), unit, unit)), scene.paper, 0.75
            )
        hatch(picture, above, mix(scene.ink, scene.sky, 0.35), 18.0, 11 * unit, unit, rng)
        return
    clouds = smooth_noise((height, width), 5, rng)
    strip = np.ascontiguousarray(clouds[:, : max(2, width // 3)])
    stretched = np.asarray(cv2.resize(strip, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    cloud = (np.clip((stretched - 0.25) * 180, 0, 150)).astype(np.uint8)
    fill(picture, both(cloud, above), scene.paper, 0.9)
    shade = (stretched < _OVERCAST).astype(np.uint8) * 255
    hatch(picture, both(shade, above), mix(scene.ink, scene.sky, 0.35), 12.0, 8 * unit, unit, rng)


def _ridge(width: int, base: float, tall: float, bumps: int, rng: np.random.Generator) -> list[Point]:
    x = np.linspace(0, width, 64)
    coarse = np.interp(x, np.linspace(0, width, bumps), rng.uniform(0.15, 1.0, bumps))
    y = base - tall * np.clip(coarse + rng.normal(0, 0.025, 64), 0.02, 1.2)
    return [(0.0, base), *((float(a), float(b)) for a, b in zip(x, y, strict=True)), (float(width), base)]


def _layer(
    picture: Picture, scene: Scene, ridge: list[Point], depth: float, unit: float, rng: np.random.Generator
) -> Mask:
    """One mass in aerial perspective (`depth` 0 near, 1 far): flat tone, hatched away from the light, inked."""
    mask = mask_of((picture.shape[0], picture.shape[1]), ridge)
    near = mix(scene.ground, scene.ink, 0.5 if scene.night else 0.3)
    fill(picture, mask, mix(near, scene.sky, depth))
    turned_away = minus(mask, moved(mask, scene.light * 26 * unit, 12 * unit))
    hatch(picture, turned_away, mix(scene.ink, scene.sky, depth * 0.7), 62.0, 6 * unit, unit, rng)
    outline(picture, mask, mix(scene.ink, scene.sky, depth * 0.7), 1.2 * unit)
    return mask


def _hills(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    width = picture.shape[1]
    for depth, tall, bumps in ((0.75, 0.62, 6), (0.5, 0.4, 8), (0.2, 0.2, 10)):
        _layer(picture, scene, _ridge(width, level, level * tall, bumps, rng), depth, unit, rng)


def _plain(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    _layer(picture, scene, _ridge(picture.shape[1], level, level * 0.14, 9, rng), 0.6, unit, rng)


def _trees(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    width = picture.shape[1]
    for depth, tall, count in ((0.65, 0.4, 16), (0.25, 0.62, 9)):
        ridge: list[Point] = [(0.0, level + 2)]
        for x in np.sort(rng.uniform(-0.05, 1.05, count)) * width:
            high, wide = level * tall * float(rng.uniform(0.5, 1)), width * float(rng.uniform(0.025, 0.05))
            ridge += [(x - wide, level), (x - wide * 0.35, level - high * 0.55), (x, level - high)]
            ridge += [(x + wide * 0.35, level - high * 0.55), (x + wide, level)]
        ridge.append((float(width), level + 2))
        _layer(picture, scene, ridge, depth, unit, rng)


def _city(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    for depth, tall, count in ((0.7, 0.72, 13), (0.3, 0.5, 8)):
        edges = np.linspace(0, width, count + 1) + rng.normal(0, width * 0.008, count + 1)
        edges[0], edges[-1] = 0, width
        skyline: list[Point] = [(0.0, level + 2)]
        for a, b in pairwise(edges):
            middle = abs((a + b) / 2 / width - scene.vanish)
            top = level - level * tall * float(rng.uniform(0.4, 1)) * (0.45 + 0.9 * float(middle))
            skyline += [(float(a), top), (float(b), top)]
        mask = _layer(picture, scene, [*skyline, (float(width), level + 2)], depth, unit, rng)
        panes = np.zeros((height, width), np.uint8)
        pitch = max(4, int(9 * unit))
        for y in range(pitch, int(level), pitch + pitch // 2):
            for x in range(pitch // 2, width - pitch, pitch):
                if rng.random() < (0.22 if scene.night else 0.12):
                    panes[y : y + pitch // 2, x : x + max(2, pitch // 3)] = 255
        inner = np.asarray(cv2.erode(mask, np.ones((pitch, pitch), np.uint8)), np.uint8)
        lit = (244, 214, 138) if scene.night else mix(scene.ink, scene.sky, 0.4)
        fill(picture, both(panes, inner), lit, 0.8 - 0.5 * depth)


def _sea(picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    _layer(picture, scene, _ridge(width, level, level * 0.1, 7, rng), 0.7, unit, rng)
    for at in range(70):
        depth = (at / 70) ** 1.8
        y = level + (height - level) * depth + float(rng.uniform(0, 6 * unit))
        x, long = (
            float(rng.uniform(-0.1, 1)) * width,
            width * (0.03 + 0.16 * depth) * float(rng.uniform(0.4, 1)),
        )
        tone = scene.paper if rng.random() < _GLITTER else scene.ink
        ink_line(picture, [(x, y), (x + long, y)], mix(tone, scene.ground, 0.35), (0.7 + depth) * unit, rng)


def _ground_marks(
    picture: Picture, scene: Scene, level: float, unit: float, rng: np.random.Generator
) -> None:
    """Lines towards the vanishing point and a shadow that grounds the foreground."""
    height, width = picture.shape[:2]
    point = (scene.vanish * width, level)
    ink = mix(scene.ink, scene.ground, 0.35)
    for x in rng.uniform(-0.7, 1.7, 9):
        far = float(rng.uniform(0.15, 0.5))
        end = (float(x) * width, float(height))
        start = (point[0] + (end[0] - point[0]) * far, point[1] + (end[1] - point[1]) * far)
        ink_line(picture, [start, end], ink, 0.8 * unit, rng)
    corner = width if scene.light < 0 else 0
    reach = width * 0.55 * (1 if corner == 0 else -1)
    dark = mask_of(
        (height, width),
        [(corner, height), (corner, height - (height - level) * 0.55), (corner + reach, height)],
    )
    hatch(picture, dark, scene.ink, -12.0 * scene.light, 7 * unit, unit, rng)


def _room(picture: Picture, scene: Scene, unit: float, rng: np.random.Generator) -> None:
    """A box room in one-point perspective with a lit opening on the light's side."""
    height, width = picture.shape[:2]
    shape = (height, width)
    vx, vy = scene.vanish * width, scene.horizon * height * 0.9
    small = float(rng.uniform(0.34, 0.48))
    left, right = vx - vx * small, vx + (width - vx) * small
    top, bottom = vy - vy * small, vy + (height - vy) * small
    wall = mix(scene.sky, scene.paper, 0.15 if scene.night else 0.4)
    planes: list[tuple[list[Point], float]] = [  # outline, darkness; the second is the floor
        ([(0, 0), (width, 0), (right, top), (left, top)], 0.34),
        ([(0, height), (width, height), (right, bottom), (left, bottom)], 0.22),
        ([(0, 0), (left, top), (left, bottom), (0, height)], 0.3 if scene.light < 0 else 0.1),
        ([(width, 0), (right, top), (right, bottom), (width, height)], 0.1 if scene.light < 0 else 0.3),
        ([(left, top), (right, top), (right, bottom), (left, bottom)], 0.04),
    ]
    for at, (points, dark) in enumerate(planes):
        mask = mask_of(shape, points)
        fill(picture, mask, mix(scene.ground if at == 1 else wall, scene.ink, dark))
        if dark >= _HATCHED:
            hatch(picture, mask, mix(scene.ink, wall, 0.25), 40.0 * scene.light, 9 * unit, unit, rng)
        ink_line(picture, [*points, points[0]], scene.ink, 1.2 * unit, rng)
    _opening(picture, scene, (left, top, right, bottom), unit, rng)
    for x in np.linspace(-0.4, 1.4, 8):
        end = (float(x) * width, float(height))
        share = (bottom - vy) / (height - vy)
        start = (vx + (end[0] - vx) * share, bottom)
        ink_line(picture, [start, end], mix(scene.ink, scene.ground, 0.4), 0.8 * unit, rng)


def _opening(
    picture: Picture,
    scene: Scene,
    wall: tuple[float, float, float, float],
    unit: float,
    rng: np.random.Generator,
) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = wall
    wide, high = right - left, bottom - top
    x0 = left + wide * (0.12 if scene.light < 0 else 0.56)
    x1, y0, y1 = x0 + wide * 0.32, top + high * 0.16, top + high * 0.66
    pane: list[Point] = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    glow = (150, 170, 206) if scene.night else (252, 240, 206)
    fill(picture, mask_of((height, width), pane), glow)
    spill: list[Point] = [
        (x0, bottom), (x1, bottom), (x1 - scene.light * wide * 0.7, height), (x0 - scene.light * wide * 1.1, height),
    ]  # fmt: skip
    fill(picture, mask_of((height, width), spill), glow, 0.4)
    ink_line(picture, [*pane, pane[0]], scene.ink, 1.3 * unit, rng)
    ink_line(picture, [((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)], scene.ink, unit, rng)
    ink_line(picture, [(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)], scene.ink, unit, rng)
