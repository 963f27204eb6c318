"""A registered figure: cut out of its picture, set into another one, found again in one. Nothing is generated: every
pixel of it comes from the picture that was registered, bent, lit and scaled."""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, resized, sampled, to_bytes
from services.bedrock.darkroom.drawing import smooth_noise

Box = tuple[float, float, float, float]
"""Left, top, width, height; as shares of a picture or in its pixels."""

_WORK_SIDE = 360
_ROUNDS = 4
_PATCH = 52  # height of the head and shoulders that are searched for, in pixels
_SPAN = (0.15, 1.5)  # of their heights, in heights of the picture
_SCALES = 26
_FOUND = 0.66
_RIM = 0.03  # of the face's height
_SETTLED_SIDE, _SETTLED_TURN = 180, 0.2  # pixels; of a figure's own size
_TURN = 0.085
_BEND = 0.012
_HEIGHTS = {"ECU": 0.62, "CU": 0.42, "MS": 0.26, "WS": 0.15}  # of a face, as shares of the frame


@dataclass(frozen=True, slots=True)
class Figure:
    """`picture` and `alpha` (0-1) of one size; `face` in its pixels."""

    picture: Picture = field(repr=False)
    alpha: Floats = field(repr=False)
    face: Box


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a figure stands in a picture: its face in pixels, and how much each pixel is the figure (0-1).

    `matrix` maps the figure's pixels to the picture's; None when the figure was bent on its way.
    """

    face: Box
    alpha: Floats = field(repr=False)
    matrix: Floats | None = field(default=None, repr=False)


@lru_cache(maxsize=8)
def figure_of(data: bytes, face: Box) -> Figure:
    """Cut a figure out of an encoded picture. `face` in shares of it; its own transparency is taken where it has some.

    Raises ValueError when it can't be decoded.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError("the picture of the subject can't be read")
    if pixels.dtype == np.uint16:
        pixels = (pixels // 256).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] < 3:  # noqa: PLR2004 - grey
        pixels = cv2.cvtColor(
            np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1)[..., 0]), cv2.COLOR_GRAY2BGR
        )
    picture: Picture = np.ascontiguousarray(pixels[..., 2::-1], dtype=np.uint8)
    height, width = picture.shape[:2]
    box = (face[0] * width, face[1] * height, face[2] * width, face[3] * height)
    if pixels.shape[2] == 4 and (pixels[..., 3] < 255).any():  # noqa: PLR2004 - BGRA
        return Figure(picture, np.asarray(pixels[..., 3], np.float32) / np.float32(255), box)
    return Figure(picture, _cut_out(picture, box), box)


def _cut_out(picture: Picture, face: Box) -> Floats:
    """GrabCut (Rother, Kolmogorov and Blake, 2004) from what is known of a bust: head, shoulders, sides."""
    height, width = picture.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    small = resized(picture, (max(8, round(width * scale)), max(8, round(height * scale))))
    x, y, w, h = (value * scale for value in face)
    cx, rows, columns = x + w / 2, *np.mgrid[0 : small.shape[0], 0 : small.shape[1]].astype(np.float32)
    dx, dy = (columns - cx) / w, (rows - y) / h
    mask = np.full((small.shape[0], small.shape[1]), cv2.GC_PR_BGD, np.uint8)
    likely = (dx**2 / 1.1 + (dy - 0.35) ** 2 / 1.0 < 1) | (
        (dy > 1.0) & (np.abs(dx) < 0.6 + 0.75 * (dy - 0.9))
    )
    mask[likely] = cv2.GC_PR_FGD
    mask[((dx / 0.42) ** 2 + ((dy - 0.5) / 0.5) ** 2 < 1) | ((dy > 1.6) & (np.abs(dx) < 0.45))] = cv2.GC_FGD  # noqa: PLR2004 - shares of a face
    mask[(dy < -1.0) | ((np.abs(dx) > 1.7) & (dy < 0.9))] = cv2.GC_BGD  # noqa: PLR2004 - shares of a face
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(small, mask, (0, 0, 0, 0), background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels = cv2.connectedComponents(person)
    if count > 1:
        centre = labels[min(labels.shape[0] - 1, int(y + h / 2)), min(labels.shape[1] - 1, int(cx))]
        person = (labels == centre).astype(np.uint8)
    brush = np.ones((3, 3), np.uint8)
    closed = cv2.erode(cv2.morphologyEx(person, cv2.MORPH_CLOSE, brush, iterations=2), brush)
    soft = cv2.GaussianBlur(np.asarray(closed, np.float32), (0, 0), 1.0)
    return np.clip(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def set_in(
    backdrop: Picture, figure: Figure, size: str, light: int, rng: np.random.Generator
) -> tuple[Picture, Placement]:
    """Stand the figure in a picture: turned a little, lit from one side, as large as the framing asks.

    It stands on the lower edge, because a bust has nothing below it.
    """
    height, width = backdrop.shape[:2]
    posed, alpha = _posed(figure, rng)
    x, y, w, h = figure.face
    scale = _HEIGHTS.get(size, _HEIGHTS["MS"]) * height / h * float(rng.uniform(0.88, 1.14))
    tall = figure.picture.shape[0]
    # a bust must reach the lower edge and keep its head in the frame
    top = min(max(0.05 * height, (0.5 - 0.5 * scale * h / height) * height * 0.7), height * 0.4) - y * scale
    top = max(top, height - tall * scale)
    centre = width * float(rng.choice([0.36, 0.5, 0.64]) + rng.uniform(-0.04, 0.04))
    angle = float(rng.uniform(-3.5, 3.5))
    turn = np.asarray(cv2.getRotationMatrix2D((x + w / 2, float(tall)), angle, scale), np.float32)
    at = turn @ np.array([x + w / 2, tall, 1.0])
    turn[:, 2] += (centre - at[0], top + tall * scale - at[1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    moved = cv2.warpAffine(posed, turn, (width, height), flags=method, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(alpha, turn, (width, height), flags=cv2.INTER_LINEAR)
    # below and beside a bust that was cut by its own picture the edge must not show
    lit = _lit(np.asarray(moved, np.uint8), light, rng)
    share = np.clip(cover, 0, 1)[..., None]
    result = to_bytes(backdrop * (1 - share) + lit.astype(np.float32) * share)
    return result, Placement(_moved_box(figure.face, turn), np.asarray(share[..., 0], np.float32))


def _posed(figure: Figure, rng: np.random.Generator) -> tuple[Picture, Floats]:
    """The head turned by a few degrees (its middle moves against its outline) and an expression's worth of bend."""
    height, width = figure.alpha.shape
    x, y, w, h = figure.face
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (columns - (x + w / 2)) / (0.75 * w), (rows - (y + h / 2)) / (0.85 * h)
    inside = np.clip(1 - dx**2 - dy**2, 0, 1)
    yaw, nod = (float(value) for value in rng.uniform(-_TURN, _TURN, 2))
    bend = [smooth_noise((height, width), 5, rng) * np.float32(_BEND * w) for _ in range(2)]
    across = columns - (yaw * w * inside).astype(np.float32) + bend[0]
    down = rows - (0.6 * nod * h * inside).astype(np.float32) + bend[1]
    alpha = cv2.remap(figure.alpha, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return sampled(figure.picture, across, down), np.asarray(alpha, np.float32)


def _lit(picture: Picture, light: int, rng: np.random.Generator) -> Picture:
    """A key light from one side, an exposure and a slight cast: what every set-up changes."""
    width = picture.shape[1]
    slope = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None] * np.float32(0.16 * light)
    gain = float(rng.uniform(0.9, 1.1)) * (1 + slope)
    warmth = float(rng.uniform(-0.04, 0.04))
    cast = np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    return to_bytes(picture.astype(np.float32) * gain * cast)


def find_in(picture: Picture, figure: Figure) -> Placement | None:
    """Where the figure's head and shoulders are seen in a picture, upright, at any size, mirrored or not.

    By correlation of lightness under the figure's own outline, so that a changed face or a changed colour of cloth
    doesn't hide it. None when it isn't there.
    """
    area = _head_and_shoulders(figure)
    x, y, w, h = area
    size = (max(8, round(_PATCH * w / h)), _PATCH)
    grey = cv2.cvtColor(figure.picture[y : y + h, x : x + w], cv2.COLOR_RGB2GRAY)
    patch = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(figure.alpha[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    mask = (cover > 0.5).astype(np.float32)  # noqa: PLR2004 - more figure than ground
    whole = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    best: tuple[float, float, bool, tuple[int, int]] | None = None
    for tall in np.geomspace(*_SPAN, _SCALES) * whole.shape[0]:
        scale = _PATCH / float(tall)
        small = cv2.resize(
            whole,
            (round(whole.shape[1] * scale), round(whole.shape[0] * scale)),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        )
        # shoulders may reach out of the frame
        small = cv2.copyMakeBorder(small, 0, _PATCH // 2, size[0] // 2, size[0] // 2, cv2.BORDER_REPLICATE)
        for mirrored in (False, True):
            turn = slice(None, None, -1 if mirrored else 1)
            scores = cv2.matchTemplate(
                small, patch[:, turn].copy(), cv2.TM_CCOEFF_NORMED, mask=mask[:, turn].copy()
            )
            scores[~np.isfinite(scores)] = -1
            _, score, _, place = cv2.minMaxLoc(scores)
            if best is None or score > best[0]:
                best = (float(score), scale, mirrored, (int(place[0]) - size[0] // 2, int(place[1])))
    if best is None or best[0] < _FOUND:
        return None
    return _placed(picture, figure, area, best)


def _head_and_shoulders(figure: Figure) -> tuple[int, int, int, int]:
    """Left, top, width, height around the face, inside the figure's picture."""
    height, width = figure.alpha.shape
    x, y, w, h = figure.face
    left, right = max(0.0, x - 0.6 * w), min(float(width), x + 1.6 * w)
    top, bottom = max(0.0, y - 0.5 * h), min(float(height), y + 1.5 * h)
    return round(left), round(top), round(right - left), round(bottom - top)


def _placed(
    picture: Picture,
    figure: Figure,
    area: tuple[int, int, int, int],
    best: tuple[float, float, bool, tuple[int, int]],
) -> Placement:
    _, scale, mirrored, place = best
    grown = _PATCH / scale / area[3]
    sign = -1.0 if mirrored else 1.0
    left = place[0] / scale + (area[2] * grown if mirrored else 0.0) - sign * grown * area[0]
    top = place[1] / scale - grown * area[1]
    matrix = _settled(picture, figure, np.array([[sign * grown, 0, left], [0, grown, top]], np.float32))
    size = (picture.shape[1], picture.shape[0])
    alpha = np.clip(cv2.warpAffine(figure.alpha, matrix, size, flags=cv2.INTER_LINEAR), 0, 1)
    return Placement(_moved_box(figure.face, matrix), np.asarray(alpha, np.float32), matrix)


def _settled(picture: Picture, figure: Figure, matrix: Floats) -> Floats:
    """The place to a pixel, with the figure's tilt: alignment by lightness (Evangelidis and Psarakis, 2008)."""
    own = _SETTLED_SIDE / max(figure.alpha.shape)
    there = own / float(np.hypot(*matrix[:, 0]))
    small, grey = (
        cv2.resize(
            cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        for each, scale in ((picture, there), (figure.picture, own))
    )
    start = np.asarray(matrix * np.float32(there), np.float32)
    start[:, :2] /= own
    alpha = cv2.resize(figure.alpha, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_AREA)
    cover = cv2.warpAffine(alpha, start, (small.shape[1], small.shape[0]))
    inside = (cover > 0.9).astype(np.uint8) * 255  # noqa: PLR2004 - figure, not its edge
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)
    try:
        _, found = cv2.findTransformECC(grey, small, start.copy(), cv2.MOTION_AFFINE, stop, inside, 5)
    except cv2.error:  # it doesn't converge: what was found first is near enough
        return matrix
    found = np.asarray(found, np.float32)
    if float(np.abs(found[:, :2] - start[:, :2]).max()) > _SETTLED_TURN:
        return matrix
    found[:, :2] *= own
    return np.asarray(found / np.float32(there), np.float32)


def repaired(picture: Picture, mask: Mask, figure: Figure, placement: Placement) -> Picture:
    """Inside the mask the figure as it was registered, set where it was found and in the light of its place."""
    assert placement.matrix is not None
    size = (picture.shape[1], picture.shape[0])
    own = cv2.warpAffine(
        figure.picture, placement.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    share = (np.minimum(mask.astype(np.float32) / 255, placement.alpha))[..., None]
    x, y, w, h = (round(value) for value in placement.face)
    there, here = (each[max(0, y) : y + h, max(0, x) : x + w].reshape(-1, 3) for each in (picture, own))
    gain = np.ones(3, np.float32)
    if len(there) and len(here):  # the face was left as it was, so it tells the light
        gain = np.clip((there.mean(axis=0) + 4) / (here.mean(axis=0) + 4), 0.5, 2).astype(np.float32)
    mended = to_bytes(picture * (1 - share) + own.astype(np.float32) * gain * share)
    # what the repaired one's own outline left of its colours
    rim = _rim_of(placement.alpha, max(2, round(_RIM * h))) & (mask > 0)
    return np.asarray(cv2.inpaint(mended, rim.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)


def _rim_of(alpha: Floats, width: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """A seam along a figure's outline, mostly outside of it."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    near = cv2.dilate((alpha > 0.5).astype(np.uint8), brush)  # noqa: PLR2004 - more figure than ground
    return (near > 0) & (alpha < 0.9)  # noqa: PLR2004


def _moved_box(box: Box, matrix: Floats) -> Box:
    x, y, w, h = box
    corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]], np.float64) @ matrix.T
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)
