"""What the evaluator asks its children to do. OpenCV and onnxruntime load there: the worker's process imports neither."""

from collections.abc import Sequence
from pathlib import Path

from circletake.adapters.vision.bounds import Bounds
from circletake.domain.consistency.words import Box
from circletake.ports import CastMember, FrameSeen, Match


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


def compare(cast: Sequence[CastMember], seen: Sequence[FrameSeen]) -> list[list[Match]]:
    from circletake.adapters.vision.likeness.comparing import compare

    return compare(cast, seen)


def crops(path: Path, boxes: Sequence[tuple[int, Box]], side: int, bounds: Bounds) -> list[bytes]:
    from circletake.adapters.vision.likeness.seeing import crops

    return crops(path, boxes, side, bounds)
