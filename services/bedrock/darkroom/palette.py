"""Colour from words and light from pictures."""

import re
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.bedrock.darkroom.arrays import Floats, Picture

Colour = tuple[int, int, int]
_SHORT = 3


@dataclass(frozen=True)
class Tint:
    """A colour to lean towards and a factor on lightness."""

    colour: Colour
    light: float = 1.0


_COLOURS: dict[str, Colour] = {
    "red": (178, 44, 38), "crimson": (158, 24, 48), "orange": (222, 126, 44), "amber": (226, 158, 60),
    "yellow": (226, 200, 76), "gold": (206, 164, 72), "golden": (214, 170, 80), "green": (72, 128, 70),
    "emerald": (32, 124, 92), "teal": (40, 124, 130), "cyan": (70, 170, 190), "blue": (58, 96, 168),
    "navy": (32, 48, 92), "purple": (112, 70, 150), "violet": (124, 84, 170), "magenta": (176, 60, 140),
    "pink": (224, 146, 164), "brown": (118, 82, 56), "beige": (204, 186, 156), "white": (226, 226, 224),
    "grey": (128, 130, 134), "gray": (128, 130, 134), "black": (36, 38, 44), "silver": (176, 182, 190),
}  # fmt: skip

_MOODS: dict[str, Tint] = {
    "night": Tint((38, 54, 96), 0.62), "midnight": Tint((30, 42, 84), 0.55), "moon": Tint((66, 84, 128), 0.7),
    "moonlight": Tint((66, 84, 128), 0.7), "dusk": Tint((132, 84, 110), 0.8), "twilight": Tint((92, 84, 140), 0.76),
    "sunset": Tint((224, 116, 62), 0.95), "sunrise": Tint((236, 158, 112), 1.02), "dawn": Tint((206, 164, 156), 0.95),
    "fire": Tint((232, 104, 40), 0.95), "candle": Tint((226, 146, 70), 0.85), "neon": Tint((176, 62, 168), 0.85),
    "fog": Tint((188, 194, 198), 1.06), "mist": Tint((184, 194, 200), 1.05), "rain": Tint((96, 112, 126), 0.86),
    "storm": Tint((70, 82, 98), 0.76), "snow": Tint((216, 226, 238), 1.12), "ice": Tint((188, 214, 232), 1.08),
    "winter": Tint((190, 206, 222), 1.05), "autumn": Tint((190, 112, 52), 0.98), "spring": Tint((150, 190, 110), 1.04),
    "summer": Tint((226, 194, 110), 1.06), "desert": Tint((214, 166, 106), 1.05), "sand": Tint((216, 182, 130), 1.04),
    "forest": Tint((58, 92, 56), 0.9), "jungle": Tint((48, 98, 52), 0.9), "sea": Tint((54, 112, 142), 0.98),
    "ocean": Tint((44, 98, 138), 0.96), "underwater": Tint((28, 108, 132), 0.85), "sun": Tint((242, 200, 112), 1.1),
    "sunny": Tint((242, 204, 124), 1.1), "warm": Tint((222, 150, 84), 1.0), "cold": Tint((104, 140, 184), 0.97),
    "noir": Tint((84, 86, 90), 0.75), "horror": Tint((70, 84, 62), 0.7), "city": Tint((96, 104, 120), 0.95),
}  # fmt: skip


def words(prompt: str) -> list[str]:
    """Lower-case words in order, each also without a plural s."""
    found: list[str] = []
    for word in re.findall(r"[a-z]+", prompt.lower()):
        found.append(word)
        if len(word) > _SHORT and word.endswith("s"):
            found.append(word[:-1])
    return found


def wished_tint(prompt: str) -> Tint | None:
    """The mean of every mood and colour the prompt names, or None when it names none."""
    wishes = [_MOODS[w] for w in words(prompt) if w in _MOODS]
    wishes += [Tint(_COLOURS[w]) for w in words(prompt) if w in _COLOURS]
    if not wishes:
        return None
    colour = np.mean([w.colour for w in wishes], axis=0)
    return Tint((int(colour[0]), int(colour[1]), int(colour[2])), float(np.mean([w.light for w in wishes])))


def named_colour(prompt: str) -> Colour | None:
    """The first colour the prompt names."""
    return next((_COLOURS[w] for w in words(prompt) if w in _COLOURS), None)


def colour_word(prompt: str) -> str | None:
    """The word for that colour."""
    return next((w for w in words(prompt) if w in _COLOURS), None)


def tint(picture: Picture, wish: Tint, amount: float | Floats) -> Picture:
    """Move chroma towards the wish and scale lightness; `amount` 0-1, for the whole or per pixel (H×W)."""
    result = np.empty_like(picture)
    aim = cv2.cvtColor(np.full((1, 1, 3), wish.colour, np.uint8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[
        0, 0
    ]
    band = max(1, 2_000_000 // picture.shape[1])
    for top in range(0, picture.shape[0], band):
        rows = slice(top, top + band)
        share = amount[rows, :, None] if isinstance(amount, np.ndarray) else amount
        unit = picture[rows].astype(np.float32) / 255
        lab = np.asarray(cv2.cvtColor(unit, cv2.COLOR_RGB2LAB), np.float32)
        goal = lab * np.float32(wish.light)
        goal[..., 1:] = 0.35 * lab[..., 1:] + 0.65 * aim[1:]
        moved = (lab + (goal - lab) * share).astype(np.float32)
        rgb = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)
        result[rows] = np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)
    return result


@dataclass(frozen=True)
class Light:
    """How a neighbourhood is lit: unit direction the light comes from (x right, y down), how directed it is (0-1),
    and its dark, middle and bright colours."""

    x: float
    y: float
    contrast: float
    shadow: Colour
    middle: Colour
    highlight: Colour


def read_light(picture: Picture, around: npt.NDArray[np.bool_]) -> Light:
    """Estimate the light from the pixels selected by `around`: the plane that best fits their luminance says where
    it is brighter; the 10th, 50th and 92nd percentile pixels are the palette."""
    ys, xs = np.nonzero(around)
    if len(ys) == 0:
        return Light(-0.5, -0.87, 0.5, (40, 40, 44), (120, 120, 122), (214, 212, 206))
    step = max(1, len(ys) // 20_000)
    ys, xs = ys[::step], xs[::step]
    pixels = picture[ys, xs].astype(np.float32)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    span = max(float(np.ptp(ys)), float(np.ptp(xs)), 1.0)
    plane = np.column_stack([(xs - xs.mean()) / span, (ys - ys.mean()) / span, np.ones(len(ys))])
    slope_x, slope_y, _ = np.linalg.lstsq(plane, grey, rcond=None)[0]
    # Light from above is the safe assumption; measured slopes turn it.
    x, y = float(slope_x) / 60, float(slope_y) / 60 - 0.6
    length = max((x * x + y * y) ** 0.5, 1e-6)
    order = np.argsort(grey, kind="stable")
    tones = [_mean_colour(pixels[order], share) for share in (0.1, 0.5, 0.92)]
    contrast = float(np.clip(grey.std() / 60, 0.25, 1))
    return Light(x / length, y / length, contrast, tones[0], tones[1], tones[2])


def _mean_colour(ordered: Floats, share: float) -> Colour:
    at = int(share * (len(ordered) - 1))
    reach = max(1, len(ordered) // 40)
    mean = ordered[max(0, at - reach) : at + reach].mean(axis=0)
    return int(mean[0]), int(mean[1]), int(mean[2])


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` at 0, `b` at 1."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )
