"""Give something in a picture another colour, or put something else in its place. Nothing here knows things: see
`regions` for how they are found; what was only guessed, and whatever is drawn, says that it is a stand-in."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Mask, Picture, dilated, resized, to_bytes
from services.bedrock.darkroom.completion import complete
from services.bedrock.darkroom.drawing import font, write
from services.bedrock.darkroom.erase import grown
from services.bedrock.darkroom.inpaint import inpaint
from services.bedrock.darkroom.palette import Colour, named_colour, wished_tint
from services.bedrock.darkroom.panel import LABEL, stamp
from services.bedrock.darkroom.regions import Region, find_region

_HALF = 0.5
_BAND = 1_000_000  # pixels worked on at once
_GROUND = 40_000
_READABLE = 8
_TONES: tuple[Colour, ...] = ((178, 44, 38), (58, 96, 168), (72, 128, 70), (206, 164, 72), (112, 70, 150))
_KEPT_LIGHT = 0.72  # how much of the lightness stays, so that folds and shadows do


def recolor(image: Picture, prompt: str, search: str, grow: int, seed: int, named_seed: int) -> Picture:
    """Give what `search` names the colour that `prompt` names; light and shadow on it stay.

    A prompt without a colour gets one by the seed, labelled. Other pixels are returned unchanged, but for the label of
    a region too small for it.
    """
    region = find_region(image, search)
    wish = wished_tint(prompt)
    colour = named_colour(prompt) or (wish.colour if wish else None)
    aim = colour or _TONES[int(np.random.default_rng(seed).integers(len(_TONES)))]
    share = _grown(region.share, grow)
    result = _coloured(image, share, aim)
    if region.guessed or colour is None:
        _label(result, share > _HALF, "region guessed" if region.guessed else f"colour by seed {named_seed}")
    return result


def replace(image: Picture, prompt: str, search: str, grow: int, seed: int, named_seed: int) -> Picture:
    """Rebuild the ground under what `search` names and draw there what `prompt` names, labelled.

    Pixels outside the region grown by `grow` are returned unchanged, but for the label of a region too small for it.
    """
    region = find_region(image, search)
    mask = _whole(np.where(region.share > _HALF, np.uint8(255), np.uint8(0)))
    hole = grown(mask, grow)
    result = inpaint(image, hole, prompt, 0, seed, _ground(image, hole, seed))
    _label(result, hole > 0, _what(region, named_seed))
    return result


def _ground(image: Picture, hole: Mask, seed: int) -> Picture:
    """The hole rebuilt from its surroundings, at no more than `_GROUND` pixels: most of it is drawn over."""
    height, width = hole.shape
    scale = min(1.0, (_GROUND / hole.size) ** 0.5)
    if scale == 1:
        return complete(image, hole, seed)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    gone = (cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8) * np.uint8(255)
    rebuilt = resized(complete(resized(image, size), gone, seed), (width, height))
    return np.where(hole[..., None] > 0, rebuilt, image)


def _whole(mask: Mask) -> Mask:
    """The mask without the holes in it: what is inside a thing goes with it."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(mask.copy(), outlines, -1, 255, cv2.FILLED), np.uint8)


def _what(region: Region, seed: int) -> str:
    return f"region guessed · seed {seed}" if region.guessed else f"seed {seed}"


def _grown(share: Floats, grow: int) -> Floats:
    """The region with an edge that is soft over `grow` pixels, as the models' page says of grow_mask."""
    if grow == 0:
        return share
    reach = max(1, grow // 2)
    wider = dilated(np.rint(share * 255).astype(np.uint8), reach)
    soft = cv2.GaussianBlur(wider, (0, 0), max(0.8, reach / 2)).astype(np.float32) / 255
    return np.asarray(np.maximum(share, soft * np.clip(share * 4 + 0.25, 0, 1)), np.float32)


def _coloured(image: Picture, share: Floats, colour: Colour) -> Picture:
    """The colour's chroma and some of its lightness, where the region is; worked on in bands for large pictures."""
    aim = cv2.cvtColor(np.full((1, 1, 3), colour, np.uint8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    inside = share > _HALF
    light = (
        float(np.median(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0][inside])) / 2.55
        if inside.any()
        else 50
    )
    result = image.copy()
    band = max(1, _BAND // image.shape[1])
    for top in range(0, image.shape[0], band):
        rows = slice(top, top + band)
        if not share[rows].any():
            continue
        lab = cv2.cvtColor(image[rows].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        around = lab[..., 0] - light
        lab[..., 0] = np.clip(_KEPT_LIGHT * light + (1 - _KEPT_LIGHT) * aim[0] + around, 0, 100)
        # what is in shadow or glares has less colour
        depth = np.clip(1.15 - (np.abs(around) / 70) ** 2, 0.25, 1)[..., None]
        lab[..., 1:] = 0.12 * lab[..., 1:] + 0.88 * aim[1:] * depth
        rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255)
        result[rows] = to_bytes(image[rows] + (rgb - image[rows]) * share[rows][..., None])
    return result


def _label(picture: Picture, inside: Bools, what: str) -> None:
    """Say inside the region what it is, in place; one too small for words has them in the picture's corner."""
    region = inside.astype(np.uint8)
    x, y, w, h = cv2.boundingRect(region)
    if w == 0:
        return
    text = f"{LABEL} · {what}"
    size = min(max(10.0, min(picture.shape[:2]) / 40), h / 3)
    while size >= _READABLE and font(size).getlength(text) > 0.8 * w:
        size -= 1
    if size < _READABLE:
        stamp(picture, text)
        return
    long = font(size).getlength(text)
    left, top = _widest(region, (x, y, w, h), long, size * 1.5)
    plate = picture.copy()
    high = int(size * 1.5)
    strip = plate[max(0, top) : top + high, max(0, left) : left + int(long) + 8]
    strip[:] = (strip * 0.35).astype(np.uint8)
    write(plate, (left + 4, top + size * 0.15), text, size, (244, 240, 230))
    picture[:] = np.where(region[..., None] > 0, plate, picture)


def _widest(region: Mask, box: tuple[int, int, int, int], long: float, high: float) -> tuple[int, int]:
    """Where a line of text covers most of the region, lower places first."""
    x, y, w, h = box
    best, place = -1.0, (x, y)
    sums = cv2.integral(region)
    wide, tall = max(1, min(int(long) + 8, region.shape[1])), max(1, min(int(high), region.shape[0]))
    for top in np.linspace(min(y + h - tall, region.shape[0] - tall), y, 14).astype(int):
        for left in np.linspace(x, max(x, x + w - wide), 7).astype(int):
            row, column = max(0, int(top)), max(0, min(int(left), region.shape[1] - wide))
            covered = float(
                sums[row + tall, column + wide]
                - sums[row, column + wide]
                - sums[row + tall, column]
                + sums[row, column]
            )
            if covered > 1.02 * best:
                best, place = covered, (column, row)
    return place
