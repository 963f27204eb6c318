"""What a storyboard panel shows: framing, place and time read from a prompt's words."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.bedrock.darkroom.palette import Colour, mix, named_colour, wished_tint, words
from services.bedrock.darkroom.subjects import named_subjects

Size = Literal["ECU", "CU", "MS", "WS"]
Place = Literal["hills", "city", "trees", "sea", "room", "plain"]


@dataclass(frozen=True)
class Scene:
    """`horizon` is a share of the height; `vanish` a share of the width; `light` is -1 (from the left) or 1."""

    size: Size
    interior: bool
    night: bool
    horizon: float
    vanish: float
    light: int
    subjects: tuple[str, ...]
    backdrop: Place
    paper: Colour
    ink: Colour
    sky: Colour
    ground: Colour
    accent: Colour


_SIZES: dict[str, Size] = {
    "ecu": "ECU", "cu": "CU", "mcu": "CU", "closeup": "CU", "portrait": "CU", "face": "CU", "ms": "MS", "medium": "MS",
    "waist": "MS", "ws": "WS", "wide": "WS", "ews": "WS", "establishing": "WS", "landscape": "WS", "panorama": "WS",
    "aerial": "WS", "vista": "WS", "skyline": "WS",
}  # fmt: skip
_INSIDE = {
    "int", "interior", "inside", "room", "kitchen", "office", "corridor", "hallway", "bedroom", "bar", "cafe", "studio",
    "cockpit", "cabin", "church", "cellar", "basement", "library", "apartment", "restaurant", "indoors", "attic", "lab",
}  # fmt: skip
_NIGHT = {"night", "midnight", "moon", "moonlight", "dark", "noir", "stars", "nocturnal"}
_BACKDROPS: dict[str, Place] = {
    **dict.fromkeys(("city", "street", "alley", "skyline", "downtown", "rooftop", "urban", "neon"), "city"),
    **dict.fromkeys(("forest", "tree", "jungle", "park", "garden", "wood"), "trees"),
    **dict.fromkeys(("sea", "ocean", "beach", "lake", "harbour", "harbor", "coast", "boat", "ship", "river"), "sea"),
    **dict.fromkeys(("mountain", "hill", "valley", "canyon", "desert", "dune", "cliff"), "hills"),
}  # fmt: skip


def read_scene(prompt: str, negative_prompt: str, rng: np.random.Generator) -> Scene:
    """Words decide what they name, the generator decides the rest; what the negative prompt names isn't drawn."""
    found = words(prompt)
    unwanted = set(named_subjects(negative_prompt))
    subjects = tuple(s for s in named_subjects(prompt) if s not in unwanted)
    lowered = prompt.lower()
    size: Size = "MS"
    if "extreme close" in lowered:
        size = "ECU"
    elif "close-up" in lowered or "close up" in lowered:
        size = "CU"
    else:
        size = next((_SIZES[w] for w in found if w in _SIZES), ("WS", "MS", "MS")[int(rng.integers(3))])
    interior = any(w in _INSIDE for w in found) and "ext" not in found
    night = any(w in _NIGHT for w in found)
    backdrop = (
        "room" if interior else next((_BACKDROPS[w] for w in found if w in _BACKDROPS), _chance_place(rng))
    )
    base = wished_tint(prompt)
    tone = base.colour if base else _SKETCH_TONES[int(rng.integers(len(_SKETCH_TONES)))]
    dim = 0.55 if night else 0.0
    ink: Colour = (24, 26, 34)
    sky = mix(mix((226, 224, 214), tone, 0.42), ink, dim)
    ground = mix(mix((206, 198, 182), tone, 0.3), ink, 0.14 + dim * 0.9)
    return Scene(
        size=size,
        interior=interior,
        night=night,
        horizon=float(rng.uniform(0.44, 0.66)) if size in {"WS", "MS"} else float(rng.uniform(0.6, 0.78)),
        vanish=float(rng.uniform(0.25, 0.75)),
        light=(-1, 1)[int(rng.integers(2))],
        subjects=subjects,
        backdrop=backdrop,
        paper=(240, 235, 224),
        ink=ink,
        sky=sky,
        ground=ground,
        accent=named_colour(prompt) or mix(tone, (214, 96, 52), 0.5),
    )


_SKETCH_TONES: tuple[Colour, ...] = (
    (110, 132, 150),
    (150, 128, 104),
    (112, 136, 116),
    (148, 116, 122),
    (124, 124, 146),
)


def _chance_place(rng: np.random.Generator) -> Place:
    open_places: tuple[Place, ...] = ("hills", "plain", "trees")
    return open_places[int(rng.integers(len(open_places)))]
