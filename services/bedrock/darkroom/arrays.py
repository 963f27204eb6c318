"""The two shapes every darkroom function speaks: RGB pictures and mattes, both 8 bit."""

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""H×W×3, RGB."""

Mask = npt.NDArray[np.uint8]
"""H×W, 255 = change."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


_WIDE, _ENOUGH, _LEAST = 24.0, 6.0, 16


def area_resize(array: Floats, shape: tuple[int, int]) -> Floats:
    """Area average of an H×W×K array; OpenCV itself stops at four channels."""
    size = (shape[1], shape[0])
    planes = [
        cv2.resize(np.ascontiguousarray(array[..., k]), size, interpolation=cv2.INTER_AREA)
        for k in range(array.shape[2])
    ]
    return np.dstack(planes)


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at (width, height): averaged where it shrinks, bicubic where it grows."""
    shrinks = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )


def dilated(mask: Mask, reach: int) -> Mask:
    """The mask grown by `reach` pixels in every direction, with round corners."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask, brush), np.uint8)


def blurred(mask: Mask, spread: float) -> Mask:
    """Gaussian blur; `spread` is its standard deviation in pixels."""
    if spread > _WIDE:
        return np.clip(np.rint(softened(mask.astype(np.float32), spread)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), spread), np.uint8)


def softened(values: Floats, spread: float) -> Floats:
    """Gaussian blur of floats; `spread` is its standard deviation in pixels. A wide one is done on a smaller version,
    which nobody sees and which costs its square less."""
    height, width = values.shape[:2]
    reduce = min(spread / _ENOUGH, height / _LEAST, width / _LEAST) if spread > _WIDE else 1.0
    if reduce <= 1:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), spread), np.float32)
    small = cv2.resize(values, (round(width / reduce), round(height / reduce)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), spread / reduce)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def union(masks: list[Mask]) -> Mask:
    """The brightest of the masks at each pixel."""
    return np.asarray(np.max(np.stack(masks), axis=0), np.uint8)


def minus(mask: Mask, other: Mask) -> Mask:
    """What the first covers and the other doesn't."""
    return np.asarray(cv2.subtract(mask, other), np.uint8)


def both(mask: Mask, other: Mask) -> Mask:
    """What both cover."""
    return np.minimum(mask, other)


def moved(mask: Mask, dx: float, dy: float) -> Mask:
    """The mask shifted by (dx, dy) pixels; nothing comes in at the edge."""
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return np.asarray(cv2.warpAffine(mask, shift, (mask.shape[1], mask.shape[0])), np.uint8)


def sampled(picture: Picture, x: Floats, y: Floats) -> Picture:
    """The picture at fractional coordinates, mirrored past its edge."""
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT_101), np.uint8)


def dissolve(a: Picture, b: Picture, share: float) -> Picture:
    """`a` at 0, `b` at 1."""
    return np.asarray(cv2.addWeighted(a, 1 - share, b, share, 0), np.uint8)


def to_bytes(values: Floats) -> Picture:
    """Rounded and clipped to 0-255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
