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


def area_resize(array: Floats, shape: tuple[int, int]) -> Floats:
    """Area average of an H×W×K array; OpenCV itself stops at four channels."""
    size = (shape[1], shape[0])
    planes = [
        cv2.resize(np.ascontiguousarray(array[..., k]), size, interpolation=cv2.INTER_AREA) for k in range(array.shape[2])
    ]
    return np.dstack(planes)
