"""Tell a pasted reference from another picture of the same person or thing. Runs in a child process only.

Two pictures of one face agree in the large; pasted pixels agree in the detail too. So what is held against each other
is the detail alone: a band of spatial frequencies, whose correlation no exposure, contrast or colour changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

_FACE = 64  # side of a face's print, pixels
_EYES = 22.0  # between the eyes in it
_EYE_LINE = 0.4  # share of its height at which the eyes lie
_PLAIN = 0.5  # grey levels of detail below which there is nothing to compare
_SCENE = 96  # longer side of a scene's print, pixels
# By how much landmarks may differ between a picture and its copy: pixels of a print, degrees, size.
_SEARCH, _TURNS, _SIZES = 4, (-3.0, 0.0, 3.0), (0.95, 1.0, 1.05)
_FINE, _COARSE = 0.9, 3.5  # the band's sigmas, pixels of a print
_SCALES = tuple(1.12**-step for step in range(-2, 13))  # a cropped frame is larger, a pasted one smaller
_LEAST_SIDE = 18  # a smaller template finds itself in anything
_CORES = (0.06, 0.2)  # a paste cuts edges off first: what is looked for leaves these margins of the frame out
# Correlations of the detail, of faces and of scenes: other pictures of the same lie mostly below the first, nearly
# always below the second, pasted ones above it.
_FACES = (0.6, 0.91)
_SCENES = (0.6, 0.855)
_LIKELY = 0.95  # what `copy_score` says at the second
_UNLIKE = 0.25  # a first glance below which no turning helps


def face_print(rgb: Any, landmarks: Any) -> Any:
    """A face upright in grey, (_FACE, _FACE) uint8. `landmarks` (5, 2) in pixels of `rgb`, two per eye first."""
    eyes = np.stack([landmarks[:2].mean(0), landmarks[2:4].mean(0)]).astype(np.float32)
    eyes = eyes[np.argsort(eyes[:, 0])]
    across = eyes[1] - eyes[0]
    apart = max(1e-3, float(np.hypot(*across)))
    shrink = min(1.0, 2 * _EYES / apart)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    if shrink < 1:  # or the warp would pick single pixels
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    factor = _EYES / (apart * shrink)
    cosine, sine = across / apart * factor
    middle = eyes.mean(0) * shrink
    to = np.array([_FACE / 2, _FACE * _EYE_LINE])
    turn = np.array([[cosine, sine], [-sine, cosine]])
    warp = np.column_stack([turn, to - turn @ middle])
    return cv2.warpAffine(grey, warp, (_FACE, _FACE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def scene_print(rgb: Any) -> Any:
    """A frame in grey, its longer side _SCENE pixels, uint8."""
    height, width = rgb.shape[:2]
    scale = _SCENE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(
        cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA
    )


def copy_score(reference: Mapping[str, Any], seen: Mapping[str, Any]) -> float:
    """How much of the reference's pixels the seen picture repeats, 0-1, 0.95 and more for a pasted one.

    Either two described people (`print`) or two described scenes (`layout`), also mirrored, rescaled, regraded.
    """
    if "print" in reference and "print" in seen:
        return _score(_face_correlation(reference["print"], seen["print"]), *_FACES)
    if "layout" in reference and "layout" in seen:
        return _score(_scene_correlation(reference["layout"], seen["layout"]), *_SCENES)
    return 0.0


def _score(found: float, other: float, pasted: float) -> float:
    if found < pasted:
        return _LIKELY * max(0.0, (found - other) / (pasted - other))
    return min(1.0, _LIKELY + (1 - _LIKELY) * (found - pasted) / (1 - pasted))


def _detail(grey: Any) -> Any:
    plane = grey.astype(np.float32)
    return cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)


def _face_correlation(reference: Any, seen: Any) -> float:
    pictures = [_detail(seen), _detail(np.ascontiguousarray(seen[:, ::-1]))]
    best = _best(pictures, _inner(_detail(reference)))
    if best < _UNLIKE:
        return best
    for turn in _TURNS:
        for size in _SIZES:
            warp = cv2.getRotationMatrix2D((_FACE / 2, _FACE * _EYE_LINE), turn, size)
            turned = cv2.warpAffine(reference, warp, (_FACE, _FACE), borderMode=cv2.BORDER_REPLICATE)
            best = max(best, _best(pictures, _inner(_detail(turned))))
    return best


def _inner(plane: Any) -> Any:
    return np.ascontiguousarray(plane[_SEARCH:-_SEARCH, _SEARCH:-_SEARCH])


def _scene_correlation(reference: Any, seen: Any) -> float:
    height, width = seen.shape
    pictures = [_detail(seen), _detail(np.ascontiguousarray(seen[:, ::-1]))]
    best = -1.0
    for margin in _CORES:
        top, left = (int(margin * side) for side in reference.shape)
        core = reference[top : reference.shape[0] - top, left : reference.shape[1] - left]
        for scale in _SCALES:
            size = round(core.shape[1] * scale), round(core.shape[0] * scale)
            if min(size) >= _LEAST_SIDE and size[0] <= width and size[1] <= height:
                best = max(
                    best, _best(pictures, _detail(cv2.resize(core, size, interpolation=cv2.INTER_AREA)))
                )
    return best


def _best(pictures: Sequence[Any], template: Any) -> float:
    """The highest correlation of a template anywhere in the pictures; -1 for a template without detail."""
    if float(template.std()) < _PLAIN:
        return -1.0
    return max(
        float(cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED).max()) for picture in pictures
    )
