"""Pictures that the words alone would have asked for, drawn and labelled, which keep to another picture's lines or
look. The label is written last, over everything."""

from dataclasses import replace

import numpy as np

from services.bedrock.darkroom import backdrops
from services.bedrock.darkroom.arrays import Picture, blurred, resized
from services.bedrock.darkroom.drawing import fill, font, mask_of, write
from services.bedrock.darkroom.figure import Figure, Placement, set_in
from services.bedrock.darkroom.lines import follow_sketch, follow_structure
from services.bedrock.darkroom.palette import Colour, mix
from services.bedrock.darkroom.panel import LABEL, draw_scene
from services.bedrock.darkroom.scenes import Scene, read_scene
from services.bedrock.darkroom.styling import guided_style

_DRAWN = 1_200_000  # pixels; a larger picture is drawn at this and enlarged, its lines are not


def draw_along(
    image: Picture,
    prompt: str,
    negative_prompt: str,
    strength: float,
    seed: int,
    figure: Figure | None,
    named_seed: int,
    *,
    sketch: bool,
) -> tuple[Picture, Placement | None]:
    """What the words name along the lines of a sketch or the structure of a picture, of the picture's size."""
    height, width = image.shape[:2]
    drawn, placement, scene = _drawn(prompt, negative_prompt, width, height, seed, figure)
    follow = follow_sketch if sketch else follow_structure
    result = follow(drawn, image, strength, _tones(scene))
    _stamp(result, named_seed)
    return result, placement


def draw_like(
    style: Picture,
    prompt: str,
    negative_prompt: str,
    width: int,
    height: int,
    fidelity: float,
    seed: int,
    figure: Figure | None,
    named_seed: int,
) -> tuple[Picture, Placement | None]:
    """What the words name in the look of a picture."""
    drawn, placement, _ = _drawn(prompt, negative_prompt, width, height, seed, figure)
    result = guided_style(drawn, style, fidelity)
    _stamp(result, named_seed)
    return result, placement


def _drawn(
    prompt: str, negative_prompt: str, width: int, height: int, seed: int, figure: Figure | None
) -> tuple[Picture, Placement | None, Scene]:
    rng = np.random.default_rng(seed)
    scene = read_scene(prompt, negative_prompt, rng)
    scale = min(1.0, (_DRAWN / (width * height)) ** 0.5)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    if figure is None:
        return resized(draw_scene(scene, *size, rng), (width, height)), None, scene
    scene = replace(scene, subjects=())
    place = np.empty((size[1], size[0], 3), np.uint8)
    backdrops.draw(place, scene, max(1.0, min(size) / 420), rng)
    place = resized(blurred(place, max(1.0, min(size) / 220)), (width, height))
    picture, placement = set_in(place, figure, scene.size, scene.light, rng)
    return picture, placement, scene


def _tones(scene: Scene) -> tuple[Colour, ...]:
    """The scene's colours from dark to light, its accent in the middle."""
    tones = [
        mix(scene.ink, scene.accent, 0.12),
        mix(scene.ink, scene.ground, 0.45),
        mix(scene.accent, scene.ground, 0.5),
        mix(scene.sky, scene.ground, 0.3),
        mix(scene.paper, scene.sky, 0.25),
    ]
    return tuple(sorted(tones, key=sum))


def _stamp(picture: Picture, seed: int) -> None:
    """The label in the lower left corner, on a dark strip so that it can be read on anything."""
    height, width = picture.shape[:2]
    text = f"{LABEL} · seed {seed}"
    size = max(7.0, min(width, height) / 44)
    while size > 7 and font(size).getlength(text) > 0.94 * width:  # noqa: PLR2004 - smaller can't be read
        size -= 1
    top, long = height - size * 1.8, font(size).getlength(text) + size
    strip = mask_of(
        (height, width), [(0, top - size * 0.2), (long, top - size * 0.2), (long, height), (0, height)]
    )
    fill(picture, strip, (20, 22, 28), 0.62)
    write(picture, (size * 0.5, top), text, size, (242, 238, 228))
