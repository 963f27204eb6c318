"""A registered figure in front of a drawn place: the stand-in for a generated picture of a known character."""

from dataclasses import replace

import numpy as np

from services.bedrock.darkroom import backdrops
from services.bedrock.darkroom.arrays import Picture, blurred, to_bytes
from services.bedrock.darkroom.drawing import paper_grain, write
from services.bedrock.darkroom.figure import Figure, Placement, set_in
from services.bedrock.darkroom.panel import LABEL
from services.bedrock.darkroom.scenes import read_scene


def draw_portrait(
    prompt: str,
    negative_prompt: str,
    width: int,
    height: int,
    seed: int,
    figure: Figure,
    named_seed: int | None = None,
) -> tuple[Picture, Placement]:
    """The place that the words name, out of focus, the figure before it as large as the framing asks, and a label."""
    rng = np.random.default_rng(seed)
    scene = replace(read_scene(prompt, negative_prompt, rng), subjects=())
    picture = np.empty((height, width, 3), np.uint8)
    unit = max(1.0, min(width, height) / 420)
    backdrops.draw(picture, scene, unit, rng)
    soft = blurred(picture, max(1.0, min(width, height) / 220))
    result, placement = set_in(soft, figure, scene.size, scene.light, rng)
    size = max(7.0, min(width, height) / 48)
    shown = seed if named_seed is None else named_seed
    write(result, (size * 0.7, height - size * 1.9), f"{LABEL} · seed {shown}", size, scene.paper)
    return to_bytes(result + paper_grain((height, width), 1.2, rng)[..., None]), placement
