"""Changes to a person in a picture whose truth is known: toward another person, older, turned, covered, re-dressed.

They are synthetic on purpose: repeatable, one cause at a time. They don't replace takes that people labelled.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation.pictures import Face, Points, Rgb

Mask = NDArray[np.float64]


def _grid(shape: tuple[int, ...], face: Face) -> tuple[Mask, Mask]:
    """Coordinates in eye distances from the point between the eyes: right and down."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    return (x - face.eyes[0]) / face.apart, (y - face.eyes[1]) / face.apart


def _ellipse(
    shape: tuple[int, ...], face: Face, width: float, height: float, down: float
) -> NDArray[np.bool_]:
    dx, dy = _grid(shape, face)
    return np.asarray((dx / width) ** 2 + ((dy - down) / height) ** 2 < 1)


def _soft(mask: NDArray[np.bool_], face: Face, edge: float = 0.12) -> Mask:
    return np.asarray(
        cv2.GaussianBlur(mask.astype(np.float64), (0, 0), max(0.6, edge * face.apart)), dtype=np.float64
    )


def _mixed(base: Rgb, over: NDArray[np.generic], mask: Mask) -> Rgb:
    out = base * (1 - mask[..., None]) + over.astype(np.float64) * mask[..., None]
    return np.clip(out + 0.5, 0, 255).astype(np.uint8)


def _onto(points: Points, target: Points) -> Points:
    """Return the similarity (2 × 3) that brings points nearest to others (Umeyama 1991, in two dimensions)."""
    a, b = points - points.mean(axis=0), target - target.mean(axis=0)
    power = max(float((a * a).sum()), 1e-9)
    real = float((a * b).sum()) / power
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / power
    turn = np.array([[real, -imaginary], [imaginary, real]])
    return np.column_stack([turn, target.mean(axis=0) - turn @ points.mean(axis=0)])


def face_area(rgb: Rgb, face: Face) -> NDArray[np.bool_]:
    """Brows to chin, without the hair."""
    return _ellipse(rgb.shape, face, 1.0, 1.3, 0.55)


def swapped(rgb: Rgb, face: Face, other: Rgb, other_face: Face) -> Rgb:
    """Paste another person's face: aligned by five points, blended at the rim in the gradient's domain."""
    matrix = _onto(other_face.points, face.points)
    size = (rgb.shape[1], rgb.shape[0])
    warped = cv2.warpAffine(other, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    area = face_area(rgb, face)
    area[:2], area[-2:], area[:, :2], area[:, -2:] = False, False, False, False
    ys, xs = np.nonzero(area)
    if len(ys) < 20:
        return rgb
    centre = (int(xs.min() + xs.max() + 1) // 2, int(ys.min() + ys.max() + 1) // 2)
    mask = area.astype(np.uint8) * 255
    return np.asarray(cv2.seamlessClone(warped, rgb, mask, centre, cv2.NORMAL_CLONE), dtype=np.uint8)


def morphed(rgb: Rgb, face: Face, other: Rgb, other_face: Face, share: float) -> Rgb:
    """Let the face drift: `share` 0 is the person, 1 is somebody else's face on this head."""
    away = swapped(rgb, face, other, other_face)
    return _mixed(rgb, away, np.full(rgb.shape[:2], share))


def aged(rgb: Rgb, face: Face) -> Rgb:
    """Some thirty years: deeper folds, duller and uneven skin, a longer lower face, grey hair and brows."""
    dx, dy = _grid(rgb.shape, face)
    sag = np.exp(-((dx / 1.1) ** 2) - ((dy - 1.2) / 0.8) ** 2) * 0.12 * face.apart
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]].astype(np.float32)
    longer = cv2.remap(rgb, x, (y - sag).astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    lab = cv2.cvtColor(longer, cv2.COLOR_RGB2LAB).astype(np.float64)
    light = lab[..., 0]
    detail = light - cv2.GaussianBlur(light, (0, 0), 0.18 * face.apart)
    random = np.random.default_rng(5).normal(0, 1, light.shape)
    blotches = cv2.GaussianBlur(random, (0, 0), 0.12 * face.apart)
    folds = np.zeros(light.shape)
    for at in (-0.75, -0.6, -0.45):  # of the forehead
        folds += np.exp(-(((dy - at - 0.06 * np.cos(dx * 2)) / 0.035) ** 2)) * (np.abs(dx) < 0.8)
    for side in (-1, 1):  # from the nose to the mouth's corners
        away = dx - side * (0.45 + 0.28 * (dy - 0.9))
        folds += np.exp(-((away / 0.05) ** 2)) * ((dy > 0.75) & (dy < 1.45))
    skin = lab.copy()
    skin[..., 0] = light + 1.1 * detail + 9 * blotches / (blotches.std() + 1e-9) * 0.35 - 22 * folds
    skin[..., 1:] = 128 + (lab[..., 1:] - 128) * 0.8
    hair = lab.copy()
    hair[..., 0] = np.clip(0.55 * light + 85, light, 235)
    hair[..., 1:] = 128 + (lab[..., 1:] - 128) * 0.2
    head = _ellipse(rgb.shape, face, 1.75, 2.35, -0.05) & ~_ellipse(rgb.shape, face, 1.05, 1.45, 0.55)
    dark = light < np.median(light[face_area(rgb, face)]) * 0.5
    out = cv2.cvtColor(np.clip(skin, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    grey = cv2.cvtColor(np.clip(hair, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    older = _mixed(np.asarray(longer, dtype=np.uint8), out, _soft(face_area(rgb, face), face, 0.2))
    return _mixed(older, grey, _soft(head & dark & (dy < 0.6), face, 0.06))


def turned(rgb: Rgb, face: Face, degrees: float) -> Rgb:
    """Turn the head about its vertical axis as if it were a cylinder: foreshortened, the far side hidden."""
    dx, dy = _grid(rgb.shape, face)
    radius = 1.7
    inside = (np.abs(dx) < radius * 0.98) & (dy > -2.4) & (dy < 2.0)
    angle = np.arcsin(np.clip(dx / radius, -0.999, 0.999)) + np.deg2rad(degrees)
    around = np.clip(angle, -np.pi / 2, np.pi / 2)
    source = radius * np.sin(around)
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]].astype(np.float32)
    moved = np.where(inside, face.eyes[0] + source * face.apart, x).astype(np.float32)
    warped = cv2.remap(rgb, moved, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return _mixed(rgb, warped, _soft(_ellipse(rgb.shape, face, 1.6, 2.2, -0.1), face))


def covered(rgb: Rgb, face: Face) -> Rgb:
    """A cloth over the whole face."""
    area = _ellipse(rgb.shape, face, 1.35, 1.75, 0.45)
    dx, dy = _grid(rgb.shape, face)
    weave = 8 * np.sin(dx * 25) * np.sin(dy * 25) + 14 * np.sin(dx * 3 + dy)
    cloth = np.array([70.0, 62.0, 84.0]) + weave[..., None]
    return _mixed(rgb, np.clip(cloth, 0, 255), _soft(area, face, 0.06))


def helmeted(rgb: Rgb, face: Face) -> Rgb:
    """A closed helmet with a dark visor over the whole head."""
    dx, dy = _grid(rgb.shape, face)
    shade = 150 + 60 * np.exp(-((dx + 0.6) ** 2) - (dy + 1.2) ** 2) - 25 * dx
    shell = np.repeat(shade[..., None], 3, axis=2) * np.array([0.95, 1.0, 1.04])
    out = _mixed(rgb, np.clip(shell, 0, 255), _soft(_ellipse(rgb.shape, face, 1.9, 2.35, 0.0), face, 0.05))
    visor = np.clip(28 + 18 * np.exp(-((dx - 0.5) ** 2) * 4)[..., None] * np.ones(3), 0, 255)
    return _mixed(out, visor, _soft(_ellipse(rgb.shape, face, 1.35, 0.75, 0.1), face, 0.05))


def from_behind(rgb: Rgb, face: Face) -> Rgb:
    """The back of the head: what grows above the forehead covers the face down to the neck."""
    dx, dy = _grid(rgb.shape, face)
    top = face.eyes + np.array([0, -1.3 * face.apart])
    half = max(3, round(0.3 * face.apart))
    x0 = int(np.clip(top[0] - half, 0, max(0, rgb.shape[1] - 2 * half - 1)))
    y0 = int(np.clip(top[1] - half, 0, max(0, rgb.shape[0] - 2 * half - 1)))
    patch = rgb[y0 : y0 + 2 * half, x0 : x0 + 2 * half]
    tile = np.concatenate([patch, patch[::-1]], axis=0)
    tile = np.concatenate([tile, tile[:, ::-1]], axis=1)
    times = (rgb.shape[0] // tile.shape[0] + 2, rgb.shape[1] // tile.shape[1] + 2, 1)
    hair = np.tile(tile, times)[: rgb.shape[0], : rgb.shape[1]].astype(np.float64)
    hair *= (0.95 - 0.12 * np.abs(dx))[..., None].clip(0.5, 1)
    area = _ellipse(rgb.shape, face, 1.45, 2.0, 0.15) & (dy > -1.7)
    return _mixed(rgb, hair, _soft(area, face, 0.1))


def headless(rgb: Rgb, face: Face) -> Rgb | None:
    """The frame ends at the throat: the head is outside of it. None where too little is left below."""
    top = int(face.eyes[1] + 2.1 * face.apart)
    return rgb[top:] if rgb.shape[0] - top >= max(32, 2 * face.apart) else None


def redressed(rgb: Rgb, face: Face, turn: float) -> Rgb:
    """Dye what is worn: another hue, always with enough colour to be another garment.

    The torso is what lies below the chin and isn't background by GrabCut (Rother et al. 2004).
    """
    dx, dy = _grid(rgb.shape, face)
    torso = (dy > 2.3) & (dy < 7.0) & (np.abs(dx) < 1.0 + 0.6 * (dy - 2.0)) & (np.abs(dx) < 2.8)
    if torso.sum() < 50:
        return rgb
    mask = np.full(rgb.shape[:2], cv2.GC_BGD, np.uint8)
    mask[np.abs(dx) < 4.5] = cv2.GC_PR_BGD
    mask[torso] = cv2.GC_PR_FGD
    mask[(dy > 2.8) & (dy < 5.2) & (np.abs(dx) < 0.7)] = cv2.GC_FGD
    cv2.setRNGSeed(7)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(rgb[:, :, ::-1].copy(), mask, (0, 0, 1, 1), *models, 2, cv2.GC_INIT_WITH_MASK)
    worn = torso & ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float64)
    lab[..., 1:] = 128 + (lab[..., 1:] - 128) * 0.2 + 45 * np.array([np.cos(turn), np.sin(turn)])
    lab[..., 0] = 110 + 0.5 * (lab[..., 0] - lab[..., 0][worn].mean()) if worn.any() else lab[..., 0]
    dyed = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return _mixed(rgb, dyed, _soft(worn, face, 0.05))
