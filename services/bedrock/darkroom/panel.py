"""A storyboard panel in place of a generated picture: plainly labelled, of the exact size asked for."""

import numpy as np

from services.bedrock.darkroom import backdrops
from services.bedrock.darkroom.arrays import Mask, Picture, blurred, minus, moved, to_bytes, union
from services.bedrock.darkroom.drawing import (
    Point,
    ellipse,
    fill,
    font,
    hatch,
    ink_line,
    mask_of,
    outline,
    paper_grain,
    wrap,
    write,
)
from services.bedrock.darkroom.palette import mix
from services.bedrock.darkroom.scenes import Scene, read_scene
from services.bedrock.darkroom.subjects import make

LABEL = "OFFLINE STAND-IN"
_CAPTION_MIN = 150
_FITS = 0.8
_GROUNDED = 0.99
_READABLE, _FITTING = 7, 0.94
_HEIGHTS = {"WS": 0.42, "MS": 0.95, "CU": 1.9, "ECU": 4.6}


def draw_panel(
    prompt: str, negative_prompt: str, width: int, height: int, seed: int, named_seed: int | None = None
) -> Picture:
    """Draw what the prompt's words suggest as an ink thumbnail over a caption strip with the prompt and the seed.

    Pictures too low for a caption (< 150 px) carry the label alone. `named_seed` is what the label says instead of
    the seed.
    """
    rng = np.random.default_rng(seed)
    scene = read_scene(prompt, negative_prompt, rng)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = scene.paper
    strip = min(max(height // 8, 54), height // 3) if height >= _CAPTION_MIN else 0
    margin = max(2, min(width, height) // 48)
    frame = picture[margin : height - strip - margin, margin : width - margin]
    if frame.size:
        drawn = draw_scene(scene, frame.shape[1], frame.shape[0], rng)
        frame[:] = drawn
    unit = max(1.0, min(width, height) / 420)
    corners: list[Point] = [
        (margin, margin), (width - margin, margin), (width - margin, height - strip - margin),
        (margin, height - strip - margin), (margin, margin),
    ]  # fmt: skip
    ink_line(picture, corners, scene.ink, 1.8 * unit, rng)
    _caption(picture, scene, prompt, seed if named_seed is None else named_seed, strip, margin)
    grain = paper_grain((height, width), 1.6, rng)
    return to_bytes(picture + grain[..., None])


def stamp(picture: Picture, text: str) -> None:
    """A text in the lower left corner, in place, on a dark strip so that it can be read on anything."""
    height, width = picture.shape[:2]
    size = max(7.0, min(width, height) / 44)
    while size > _READABLE and font(size).getlength(text) > _FITTING * width:
        size -= 1
    top, long = height - size * 1.8, font(size).getlength(text) + size
    strip: list[Point] = [(0, top - size * 0.2), (long, top - size * 0.2), (long, height), (0, height)]
    fill(picture, mask_of((height, width), strip), (20, 22, 28), 0.62)
    write(picture, (size * 0.5, top), text, size, (242, 238, 228))


def draw_scene(scene: Scene, width: int, height: int, rng: np.random.Generator) -> Picture:
    """The drawing alone, without frame or caption."""
    picture = np.empty((height, width, 3), np.uint8)
    unit = max(1.0, min(width, height) / 420)
    backdrops.draw(picture, scene, unit, rng)
    _subjects(picture, scene, unit, rng)
    _vignette(picture, scene)
    return picture


def _subjects(picture: Picture, scene: Scene, unit: float, rng: np.random.Generator) -> None:
    names = list(scene.subjects[:3])
    in_sky = {"moon", "bird"}
    main = next((n for n in names if n not in in_sky and n != "window"), None)
    if main is None and scene.size != "WS":
        main = "person"
    others = [n for n in names if n != main]
    third = int(rng.integers(1, 3)) / 3
    for at, name in enumerate(others):
        x = (1 - third) + 0.16 * (at - 0.5) + float(rng.uniform(-0.05, 0.05))
        if name in in_sky:
            _put(picture, scene, name, (x, float(rng.uniform(0.2, 0.34))), 0.16, unit, rng)
        elif name == "window":
            _put(picture, scene, name, (x, scene.horizon - 0.06), 0.34, unit, rng)
        else:
            _put(picture, scene, name, (x, min(0.97, scene.horizon + 0.16)), 0.34, unit, rng)
    if main is None:
        return
    tall = (
        _HEIGHTS[scene.size]
        if main in {"person", "rocket", "tree"}
        else min(_FITS, _HEIGHTS[scene.size] * 0.62)
    )
    top = {"WS": 0.0, "MS": 0.14, "CU": 0.1, "ECU": -0.02}[scene.size]
    foot = min(0.97, scene.horizon + 0.2) if scene.size == "WS" or tall <= _FITS else top + tall
    _put(picture, scene, main, (third, foot), tall, unit, rng)


def _put(
    picture: Picture, scene: Scene, name: str, foot: Point, tall: float, unit: float, rng: np.random.Generator
) -> None:
    """Draw a subject standing at `foot` (shares of the frame), `tall` shares of the height high."""
    height, width = picture.shape[:2]
    subject = make(name, rng)
    high = tall * height
    wide = high * subject.aspect
    left, upper = foot[0] * width - wide / 2, foot[1] * height - high
    flip = bool(rng.integers(2))

    def placed(part: list[Point]) -> list[Point]:
        return [(left + (1 - x if flip else x) * wide, upper + y * high) for x, y in part]

    shapes = [mask_of((height, width), placed(part)) for part in subject.parts]
    whole = union(shapes)
    if name not in {"moon", "bird", "window"} and foot[1] < _GROUNDED:
        shadow = mask_of(
            (height, width),
            ellipse(foot[0] * width - scene.light * wide * 0.5, foot[1] * height, wide * 0.8, high * 0.035),
        )
        fill(picture, shadow, scene.ink, 0.4)
    body = mix(scene.accent, scene.ink, 0.45 if scene.night else 0.25)
    if subject.glows:
        body = mix(scene.accent, (250, 232, 176), 0.7)
        halo = blurred(whole, max(2.0, high * 0.12))
        fill(picture, halo, (250, 232, 176), 0.45)
    fill(picture, whole, body)
    for at, shape in enumerate(shapes[1:]):
        fill(picture, shape, mix(body, scene.paper if at % 2 == 0 else scene.ink, 0.3), 0.55)
        if subject.merged and name == "person":
            outline(picture, shape, mix(scene.ink, body, 0.35), unit)
    shaded = _shade_side(whole, scene.light, wide * 0.22)
    hatch(picture, shaded, scene.ink, 58.0, 5.2 * unit, 1.1 * unit, rng)
    rim = minus(whole, moved(whole, -scene.light * wide * 0.035, 0))
    fill(picture, rim, (250, 242, 220), 0.5)
    for shape in [whole] if subject.merged else shapes:
        outline(picture, shape, scene.ink, 1.3 * unit)


def _shade_side(whole: Mask, light: int, reach: float) -> Mask:
    """The part of a silhouette turned away from the light."""
    return minus(whole, moved(whole, light * max(2.0, reach), 0))


def _vignette(picture: Picture, scene: Scene) -> None:
    height, width = picture.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    dark = np.clip((x * x + y * y - 0.7) * 0.22, 0, 0.3).astype(np.float32)
    fill(picture, np.rint(dark * 255).astype(np.uint8), scene.ink)


def _caption(picture: Picture, scene: Scene, prompt: str, seed: int, strip: int, margin: int) -> None:
    height, width = picture.shape[:2]
    label = f"{LABEL} · seed {seed}"
    if strip == 0:
        size = max(7.0, min(height / 9, width / 16))
        face = font(size)
        wide = int(face.getlength(label)) + 6
        picture[: int(size * 1.5), : min(width, wide)] = scene.ink
        write(picture, (3, 1), label, size, scene.paper)
        return
    size = max(9.0, min(strip * 0.24, width / 34))
    top = height - strip
    tag = f"{scene.size} · {'INT' if scene.interior else 'EXT'} · {'NIGHT' if scene.night else 'DAY'}"
    write(picture, (margin + 2, top), label, size, mix(scene.ink, (170, 40, 30), 0.75))
    face = font(size)
    room = width - 2 * margin - face.getlength(label) - face.getlength(tag)
    if room > size * 2:
        write(picture, (width - margin - 2 - face.getlength(tag), top), tag, size, scene.ink)
    lines = max(1, int((strip - margin - size * 1.35) / (size * 1.28)))
    for at, line in enumerate(wrap(prompt, face, width - 2 * margin - 4, lines)):
        write(picture, (margin + 2, top + size * (1.45 + 1.28 * at)), line, size, scene.ink)
