"""Silhouettes: outlines of the things a prompt may name, in a unit box (x 0-1, y 0-1 downwards, standing on y = 1)."""

from dataclasses import dataclass

import numpy as np

from services.bedrock.darkroom.drawing import Point, ellipse
from services.bedrock.darkroom.palette import words

Outline = list[Point]


@dataclass(frozen=True)
class Subject:
    """`aspect` is width / height; `parts` are filled one over the other; `round` shades it as a solid; `glows` makes
    it a light source; `merged` inks the outer edge only."""

    name: str
    aspect: float
    parts: tuple[Outline, ...]
    round: bool = False
    glows: bool = False
    merged: bool = False


_KEYWORDS: dict[str, str] = {
    **dict.fromkeys(
        ("person", "man", "woman", "girl", "boy", "hero", "detective", "astronaut", "soldier", "actor", "actress",
         "she", "he", "child", "king", "queen", "stranger", "doctor", "officer", "people", "character", "figure"),
        "person",
    ),
    **dict.fromkeys(("tree", "forest", "oak", "pine", "wood", "orchard", "jungle", "bush"), "tree"),
    **dict.fromkeys(("lamp", "lantern", "light", "streetlight", "candle"), "lamp"),
    **dict.fromkeys(("window", "pane"), "window"),
    **dict.fromkeys(("door", "doorway", "gate", "entrance"), "door"),
    **dict.fromkeys(("sign", "billboard", "poster", "placard"), "sign"),
    **dict.fromkeys(("moon", "sun", "planet"), "moon"),
    **dict.fromkeys(("crate", "box", "chest", "case", "suitcase", "package"), "crate"),
    **dict.fromkeys(("bird", "crow", "gull", "seagull", "raven", "eagle", "dove"), "bird"),
    **dict.fromkeys(("car", "taxi", "van", "truck", "vehicle"), "car"),
    **dict.fromkeys(("house", "home", "cabin", "barn", "cottage", "castle"), "house"),
    **dict.fromkeys(("dog", "cat", "horse", "wolf", "fox", "animal", "creature", "bear"), "animal"),
    **dict.fromkeys(("ship", "boat", "sailboat", "yacht"), "boat"),
    **dict.fromkeys(("rocket", "missile", "spaceship", "spacecraft", "tower"), "rocket"),
    **dict.fromkeys(("chair", "seat", "throne"), "chair"),
    **dict.fromkeys(("cup", "mug", "glass", "bottle", "vase", "pot"), "vessel"),
    **dict.fromkeys(("ball", "sphere", "globe", "orb"), "sphere"),
}  # fmt: skip


def named_subjects(prompt: str) -> list[str]:
    """Subjects the prompt names, in its order, each once."""
    return list(dict.fromkeys(_KEYWORDS[w] for w in words(prompt) if w in _KEYWORDS))


def make(name: str, rng: np.random.Generator) -> Subject:
    """The subject of that name; the generator varies stance and proportions. Unknown names give a sphere or crate."""
    maker = _MAKERS.get(name)
    if maker is None:
        maker = _sphere if rng.integers(2) else _crate
    return maker(rng)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Outline:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _smooth(outline: Outline) -> Outline:
    """Two rounds of corner cutting (Chaikin, 1974)."""
    for _ in range(2):
        pairs = zip(outline, [*outline[1:], outline[0]], strict=True)
        outline = [
            (a[0] * (1 - t) + b[0] * t, a[1] * (1 - t) + b[1] * t) for a, b in pairs for t in (0.25, 0.75)
        ]
    return outline


def _person(rng: np.random.Generator) -> Subject:
    lean, stride = float(rng.normal(0, 0.03)), float(rng.uniform(0.08, 0.2))
    arm = float(rng.uniform(0.02, 0.16))
    coat = [
        (0.34 + lean, 0.17), (0.44 + lean, 0.135), (0.56 + lean, 0.135), (0.66 + lean, 0.17), (0.72, 0.34),
        (0.76 + arm, 0.5), (0.7 + arm, 0.52), (0.65, 0.4), (0.66, 0.56), (0.5 + stride + 0.12, 0.98),
        (0.5 + stride - 0.05, 0.98), (0.5, 0.62), (0.5 - stride + 0.05, 0.98), (0.5 - stride - 0.12, 0.98),
        (0.34, 0.56), (0.35, 0.4), (0.28 - arm * 0.5, 0.52), (0.21 - arm * 0.5, 0.5), (0.28, 0.34),
    ]  # fmt: skip
    head = ellipse(0.5 + lean, 0.072, 0.09, 0.066)
    hair = [*ellipse(0.5 + lean, 0.066, 0.1, 0.068, 175, 365), (0.5 + lean, 0.045)]
    neck = _rectangle(0.455 + lean, 0.11, 0.545 + lean, 0.17)
    collar = [(0.44 + lean, 0.138), (0.56 + lean, 0.138), (0.5 + lean, 0.23)]
    feet = [
        [(c - 0.1, 1.0), (c - 0.07, 0.965), (c + 0.08, 0.965), (c + 0.13, 1.0)]
        for c in (0.5 - stride, 0.5 + stride)
    ]
    return Subject("person", 0.46, (_smooth(coat), collar, hair, neck, head, *feet), merged=True)


def _tree(rng: np.random.Generator) -> Subject:
    trunk = [(0.45, 0.5), (0.55, 0.5), (0.57, 0.9), (0.64, 1.0), (0.36, 1.0), (0.43, 0.9)]
    crowns = [
        ellipse(float(x), float(y), float(r), float(r) * 0.8)
        for x, y, r in zip(
            rng.uniform(0.25, 0.75, 7), rng.uniform(0.18, 0.48, 7), rng.uniform(0.14, 0.24, 7), strict=True
        )
    ]
    return Subject("tree", 0.8, (trunk, ellipse(0.5, 0.34, 0.3, 0.26), *crowns), round=True, merged=True)


def _lamp(_: np.random.Generator) -> Subject:
    post = [(0.47, 0.3), (0.53, 0.3), (0.55, 0.95), (0.72, 1.0), (0.28, 1.0), (0.45, 0.95)]
    shade = [(0.28, 0.06), (0.72, 0.06), (0.92, 0.3), (0.08, 0.3)]
    return Subject("lamp", 0.42, (post, shade), glows=True)


def _window(_: np.random.Generator) -> Subject:
    panes = [
        _rectangle(x, y, x + 0.36, y + 0.38)
        for x, y in ((0.1, 0.08), (0.54, 0.08), (0.1, 0.53), (0.54, 0.53))
    ]
    return Subject("window", 0.8, (_rectangle(0, 0, 1, 1), *panes), glows=True)


def _door(_: np.random.Generator) -> Subject:
    panels = [
        _rectangle(x, y, x + 0.28, y + h) for x in (0.17, 0.55) for y, h in ((0.12, 0.34), (0.54, 0.36))
    ]
    return Subject("door", 0.5, (_rectangle(0, 0, 1, 1), *panels, ellipse(0.9, 0.52, 0.035, 0.018)))


def _sign(rng: np.random.Generator) -> Subject:
    tilt = float(rng.normal(0, 0.02))
    board = [(0.02, 0.06 + tilt), (0.98, 0.06 - tilt), (0.98, 0.52 - tilt), (0.02, 0.52 + tilt)]
    bars = [_rectangle(0.14, y, float(rng.uniform(0.55, 0.88)), y + 0.05) for y in (0.17, 0.28, 0.39)]
    return Subject("sign", 0.9, (_rectangle(0.46, 0.5, 0.54, 1.0), board, *bars))


def _moon(rng: np.random.Generator) -> Subject:
    size = float(rng.uniform(0.3, 0.46))
    across, down = (float(each) for each in rng.uniform(size + 0.02, 0.98 - size, 2))
    return Subject("moon", 1.0, (ellipse(across, down, size, size),), round=True, glows=True)


def _crate(rng: np.random.Generator) -> Subject:
    depth = float(rng.uniform(0.12, 0.22))
    front = _rectangle(0.0, depth, 1 - depth, 1.0)
    top = [(0.0, depth), (depth, 0.0), (1.0, 0.0), (1 - depth, depth)]
    side = [(1 - depth, depth), (1.0, 0.0), (1.0, 1 - depth), (1 - depth, 1.0)]
    slat = [_rectangle(0.05, y, 0.95 - depth, y + 0.02) for y in (depth + 0.22, depth + 0.48)]
    return Subject("crate", 1.1, (side, front, top, *slat))


def _bird(rng: np.random.Generator) -> Subject:
    lift = float(rng.uniform(0.1, 0.4))
    body = [
        (0.0, lift), (0.2, 0.36), (0.4, 0.52), (0.5, 0.46), (0.6, 0.52), (0.8, 0.34), (1.0, lift + 0.04),
        (0.82, 0.5), (0.62, 0.68), (0.56, 0.9), (0.44, 0.9), (0.38, 0.68), (0.18, 0.5),
    ]  # fmt: skip
    return Subject("bird", 1.8, (body, ellipse(0.5, 0.5, 0.05, 0.1)))


def _car(_: np.random.Generator) -> Subject:
    body = [
        (0.0, 0.84), (0.01, 0.56), (0.18, 0.48), (0.3, 0.16), (0.66, 0.16), (0.8, 0.48), (0.98, 0.56), (1.0, 0.84),
    ]  # fmt: skip
    glass = [
        [(0.26, 0.46), (0.34, 0.23), (0.47, 0.23), (0.47, 0.46)],
        [(0.5, 0.46), (0.5, 0.23), (0.63, 0.23), (0.73, 0.46)],
    ]
    wheels = [ellipse(x, 0.84, 0.085, 0.16) for x in (0.22, 0.78)]
    return Subject("car", 2.3, (body, *glass, *wheels))


def _house(rng: np.random.Generator) -> Subject:
    ridge = float(rng.uniform(0.4, 0.6))
    roof = [(-0.04, 0.46), (ridge, 0.04), (1.04, 0.46)]
    openings = [
        _rectangle(0.16, 0.58, 0.34, 0.76),
        _rectangle(0.66, 0.58, 0.84, 0.76),
        _rectangle(0.42, 0.62, 0.58, 1.0),
    ]
    return Subject(
        "house", 1.2, (_rectangle(0.04, 0.44, 0.96, 1.0), roof, _rectangle(0.74, 0.08, 0.83, 0.36), *openings)
    )


def _animal(rng: np.random.Generator) -> Subject:
    tail = float(rng.uniform(0.1, 0.5))
    body = [
        (0.08, tail), (0.14, 0.42), (0.62, 0.4), (0.72, 0.2), (0.74, 0.06), (0.8, 0.16), (0.94, 0.24), (0.98, 0.34),
        (0.84, 0.4), (0.8, 0.6), (0.78, 1.0), (0.71, 1.0), (0.69, 0.7), (0.36, 0.72), (0.3, 1.0), (0.23, 1.0), (0.22, 0.72),
        (0.13, 0.6), (0.1, 0.48),
    ]  # fmt: skip
    return Subject("animal", 1.4, (_smooth(body),))


def _boat(_: np.random.Generator) -> Subject:
    sails = ([(0.52, 0.04), (0.52, 0.72), (0.92, 0.72)], [(0.46, 0.12), (0.46, 0.72), (0.14, 0.72)])
    return Subject(
        "boat",
        1.1,
        ([(0.02, 0.78), (0.98, 0.78), (0.82, 1.0), (0.18, 1.0)], _rectangle(0.475, 0.02, 0.5, 0.8), *sails),
    )


def _rocket(_: np.random.Generator) -> Subject:
    hull = [(0.3, 0.3), (0.36, 0.14), (0.5, 0.0), (0.64, 0.14), (0.7, 0.3), (0.7, 0.92), (0.3, 0.92)]
    fins = [[(0.3, 0.66), (0.04, 1.0), (0.3, 0.92)], [(0.7, 0.66), (0.96, 1.0), (0.7, 0.92)]]
    return Subject("rocket", 0.34, (*fins, hull, ellipse(0.5, 0.36, 0.09, 0.035)), round=True)


def _chair(_: np.random.Generator) -> Subject:
    legs = [_rectangle(x, 0.58, x + 0.07, 1.0) for x in (0.1, 0.83)]
    return Subject(
        "chair",
        0.6,
        (
            *legs,
            _rectangle(0.1, 0.0, 0.2, 0.6),
            _rectangle(0.12, 0.05, 0.3, 0.5),
            _rectangle(0.08, 0.52, 0.94, 0.62),
        ),
    )


def _vessel(rng: np.random.Generator) -> Subject:
    belly = float(rng.uniform(0.4, 0.5))
    body = [
        (0.28, 0.06),
        (0.72, 0.06),
        (0.68, 0.3),
        (0.5 + belly, 0.6),
        (0.74, 1.0),
        (0.26, 1.0),
        (0.5 - belly, 0.6),
        (0.32, 0.3),
    ]
    return Subject("vessel", 0.7, (_smooth(body), ellipse(0.5, 0.1, 0.2, 0.045)), round=True)


def _sphere(_: np.random.Generator) -> Subject:
    return Subject("sphere", 1.0, (ellipse(0.5, 0.5, 0.48, 0.48),), round=True)


_MAKERS = {
    "person": _person, "tree": _tree, "lamp": _lamp, "window": _window, "door": _door, "sign": _sign, "moon": _moon,
    "crate": _crate, "bird": _bird, "car": _car, "house": _house, "animal": _animal, "boat": _boat, "rocket": _rocket,
    "chair": _chair, "vessel": _vessel, "sphere": _sphere,
}  # fmt: skip
