"""Pictures that the words alone would have asked for, drawn and labelled, which keep to another picture's lines or
look. The label is written last, over everything."""

from dataclasses import replace

import numpy as np

from services.bedrock.darkroom import backdrops
from services.bedrock.darkroom.arrays import Picture, blurred, resized
from services.bedrock.darkroom.figure import Figure, Placement, set_in
from services.bedrock.darkroom.lines import follow_sketch, follow_structure
from services.bedrock.darkroom.palette import Colour, mix
from services.bedrock.darkroom.panel import LABEL, draw_scene, stamp
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
    """What the words name along the lines of a sketch or the structure of a picture, of the picture's size.

    A named figure stands before it: lines over a face would leave nobody.
    """
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    scene = read_scene(prompt, negative_prompt, rng)
    follow = follow_sketch if sketch else follow_structure
    drawn = follow(_place(scene, width, height, figure, rng), image, strength, _tones(scene))
    return _finished(drawn, scene, figure, named_seed, rng)


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
    rng = np.random.default_rng(seed)
    scene = read_scene(prompt, negative_prompt, rng)
    drawn = _place(scene, width, height, figure, rng)
    placement = None
    if figure is not None:
        drawn, placement = set_in(drawn, figure, scene.size, scene.light, rng)
    result = guided_style(drawn, style, fidelity)
    stamp(result, f"{LABEL} · seed {named_seed}")
    return result, placement


def _place(scene: Scene, width: int, height: int, figure: Figure | None, rng: np.random.Generator) -> Picture:
    """The scene drawn, or only its place, out of focus, where a figure will stand."""
    scale = min(1.0, (_DRAWN / (width * height)) ** 0.5)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    if figure is None:
        return resized(draw_scene(scene, *size, rng), (width, height))
    place = np.empty((size[1], size[0], 3), np.uint8)
    backdrops.draw(place, replace(scene, subjects=()), max(1.0, min(size) / 420), rng)
    return resized(blurred(place, max(1.0, min(size) / 220)), (width, height))


def _finished(
    drawn: Picture, scene: Scene, figure: Figure | None, named_seed: int, rng: np.random.Generator
) -> tuple[Picture, Placement | None]:
    placement = None
    if figure is not None:
        drawn, placement = set_in(drawn, figure, scene.size, scene.light, rng)
    stamp(drawn, f"{LABEL} · seed {named_seed}")
    return drawn, placement


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
