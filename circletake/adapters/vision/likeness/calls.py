"""What the evaluator asks its children to do. OpenCV and onnxruntime load there: the worker's process imports neither."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from circletake.adapters.vision.bounds import Bounds
from circletake.domain.consistency.words import Box
from circletake.domain.pictures import Picture
from circletake.ports import CastMember, FrameSeen, Match, PictureRefused, Screened


def see(
    weights: Path,
    path: Path,
    frames: Sequence[int],
    people: bool,
    scene: bool,
    expected: int,
    bounds: Bounds,
) -> list[FrameSeen]:
    from circletake.adapters.vision.likeness.seeing import Wish, see

    return see(weights, path, Wish(frames, people, scene, expected), bounds)


def screen(weights: Path, path: Path, matte: Path | None, bounds: Bounds) -> Screened:
    from circletake.adapters.vision.likeness.screening import screen

    return screen(weights, path, matte, bounds)


def compare(cast: Sequence[CastMember], seen: Sequence[FrameSeen]) -> list[list[Match]]:
    from circletake.adapters.vision.likeness.comparing import compare

    return compare(cast, seen)


def crops(path: Path, boxes: Sequence[tuple[int, Box]], side: int, bounds: Bounds) -> list[Picture]:
    from circletake.adapters.vision.likeness.seeing import crops

    return [_picture(data) for data in crops(path, boxes, side, bounds)]


def _picture(data: bytes) -> Picture:
    import cv2
    import numpy as np

    if not data:
        raise PictureRefused("truncated", "a frame of this video can't be read: export it again")
    decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = decoded.shape[:2]
    return Picture(data, "image/jpeg", width, height)
