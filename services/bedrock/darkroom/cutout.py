"""What stands out of its background, found by classical means: colours that the picture's rim doesn't have, cut out
along its edges (GrabCut: Rother, Kolmogorov and Blake, 2004), the edge refined with the picture itself as guide (guided
filter: He, Sun and Tang, 2013)."""

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Mask, Picture, resized, softened

_SIDE = 240  # longest side of what is cut out; the edge is refined beyond
_GUIDE_SIDE = 480
_BAND = 0.06
_CLUSTERS = 6
_ROUNDS = 3
_SPECK = 0.01
_CENTRE = 0.35
_PERHAPS, _HARDLY = 0.3, 0.12
_TOO_LITTLE, _TOO_MUCH = 0.01, 0.92
_EPSILON = 1e-4


def cut_out(image: Picture) -> Floats:
    """How much each pixel belongs to the subject, 0-1. A picture without one gives an oval in its middle."""
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    small = resized(image, (max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))))
    subject = _subject(small)
    return refined(image, softened(subject.astype(np.float32), 0.8))


def without_background(image: Picture, gone: Mask | None = None) -> Picture:
    """RGBA: the subject's own colours, also under its soft edge, and how much of each pixel is the subject.

    `gone` is what is transparent already (255) and stays so: a picture that was cut out before is as it was.
    """
    if gone is not None:
        return np.dstack([image, 255 - gone])
    return np.dstack([image, np.rint(cut_out(image) * 255).astype(np.uint8)])


def _subject(small: Picture) -> Bools:
    """The subject's pixels in a small picture."""
    odd = oddness(small)
    mask = np.full(odd.shape, cv2.GC_PR_BGD, np.uint8)
    threshold = _otsu(odd)
    mask[odd > threshold] = cv2.GC_PR_FGD
    mask[odd < _HARDLY * threshold] = cv2.GC_BGD
    mask[_oval(odd.shape) & (odd > _PERHAPS * threshold)] = cv2.GC_PR_FGD
    rim, lower = max(1, round(0.02 * max(odd.shape))), round(0.6 * odd.shape[0])
    for edge in (
        np.s_[:rim],
        np.s_[:lower, :rim],
        np.s_[:lower, -rim:],
    ):  # subjects often stand on the lower edge
        mask[edge] = cv2.GC_BGD
    if not (mask == cv2.GC_PR_FGD).any():
        return _oval(odd.shape)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(small, mask, (0, 0, 0, 0), background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = _kept(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)), odd)
    share = float(found.mean())
    return found if _TOO_LITTLE < share < _TOO_MUCH else _oval(odd.shape)


def oddness(small: Picture) -> Floats:
    """How unlike the picture's rim each pixel is, 0-1 and more towards the middle.

    The rim is a background more often than not: its colours, in clusters, are what a subject hasn't.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab *= np.array([0.6, 1.4, 1.4], np.float32)  # shadows on a background are background
    height, width = lab.shape[:2]
    band = max(2, round(_BAND * min(height, width)))
    rim = np.concatenate(
        [lab[:band].reshape(-1, 3), lab[:, :band].reshape(-1, 3), lab[:, -band:].reshape(-1, 3)]
    )
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(rim, _CLUSTERS, np.zeros(1), criteria, 1, cv2.KMEANS_PP_CENTERS)
    counts = np.bincount(labels.ravel(), minlength=_CLUSTERS)
    centres = centres[counts >= 0.04 * len(rim)]
    gaps = np.stack([np.linalg.norm(lab - centre, axis=2) for centre in centres])
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    central = (1 - _CENTRE) + _CENTRE * np.exp(-1.6 * (x * x + 0.6 * y * y))
    odd = cv2.GaussianBlur((gaps.min(axis=0) * central).astype(np.float32), (0, 0), 1.5)
    return np.asarray(odd / max(float(np.quantile(odd, 0.99)), 1e-6), np.float32)


def _otsu(values: Floats) -> float:
    grey = np.clip(values * 255, 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return max(float(level) / 255, 0.05)


def _kept(found: Bools, odd: Floats) -> Bools:
    """The largest piece and every other that is a fair part of it; holes that look like the subject are filled."""
    solid = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count <= 1:
        return found
    sizes = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes >= max(_SPECK * found.size, 0.12 * sizes.max()))
    kept = np.isin(labels, large)
    outside = _reached(~kept)
    return np.asarray(kept | (~outside & (odd > _HARDLY)), np.bool_)


def _reached(empty: Bools) -> Bools:
    """The empty pixels that the picture's border reaches."""
    padded = np.pad(empty.astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(padded, None, (0, 0), 2)
    return np.asarray(padded[1:-1, 1:-1] == 2, np.bool_)  # noqa: PLR2004 - the fill's own mark


def _oval(shape: tuple[int, ...]) -> Bools:
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.asarray((x / 0.5) ** 2 + ((y - 0.15) / 0.75) ** 2 < 1, np.bool_)


def refined(image: Picture, share: Floats) -> Floats:
    """A small soft mask at the picture's size, its edge drawn to the picture's own.

    The guided filter's coefficients are found small and stretched (He and Sun, "Fast Guided Filter", 2015).
    """
    height, width = image.shape[:2]
    scale = min(1.0, _GUIDE_SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    guide = np.asarray(resized(image, size) / np.float32(255), np.float32)
    mask = np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_LINEAR), np.float32).clip(0, 1)
    spread = max(3, round(0.018 * max(size)))
    slopes, offset = _guided(guide, mask, 2 * spread + 1)
    alpha = np.zeros((height, width), np.float32)
    for channel in range(3):
        slope = cv2.resize(np.ascontiguousarray(slopes[..., channel]), (width, height))
        alpha += np.asarray(slope, np.float32) * image[..., channel]
    alpha = alpha / np.float32(255) + cv2.resize(offset, (width, height))
    # far from an edge the mask itself is right, and a filter's wavering would show as haze
    firm = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    near = _near_edge(firm, spread / scale)
    alpha = np.clip((alpha - 0.12) / 0.76, 0, 1)
    return np.asarray(alpha * near + np.rint(firm) * (1 - near), np.float32)


def _near_edge(firm: Floats, reach: float) -> Floats:
    """1 at the mask's edge, 0 beyond `reach` pixels from it."""
    inside = (firm > 0.5).astype(np.uint8)  # noqa: PLR2004 - the middle of a share
    away = np.where(
        inside > 0,
        cv2.distanceTransform(inside, cv2.DIST_L2, 3),
        cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3),
    )
    return np.clip(2 - 2 * away / max(reach, 1.0), 0, 1).astype(np.float32)


def _guided(guide: Floats, mask: Floats, window: int) -> tuple[Floats, Floats]:
    """Slopes (H×W×3) and offset (H×W) of the colour guided filter."""
    box = (window, window)
    mean, mean_mask = cv2.blur(guide, box), cv2.blur(mask, box)
    together = cv2.blur(guide * mask[..., None], box) - mean * mean_mask[..., None]
    spread = np.empty((*guide.shape[:2], 3, 3), np.float32)
    for row in range(3):
        for column in range(row, 3):
            both = cv2.blur(guide[..., row] * guide[..., column], box) - mean[..., row] * mean[..., column]
            spread[..., row, column] = spread[..., column, row] = both
    spread += np.eye(3, dtype=np.float32) * np.float32(_EPSILON)
    slopes = np.linalg.solve(spread, together[..., None])[..., 0]
    offset = mean_mask - np.einsum("hwc,hwc->hw", slopes, mean)
    smooth = [np.asarray(cv2.blur(each.astype(np.float32), box), np.float32) for each in (slopes, offset)]
    return smooth[0], smooth[1]
