"""What a child process of the evaluator does: look at frames, compare features, cut crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.encoding import encode_jpeg
from circletake.adapters.vision.likeness.detection import FaceBox, find_faces
from circletake.adapters.vision.likeness.faces import describe_face, eye_distance
from circletake.adapters.vision.likeness.frames import Frame, read_frames
from circletake.adapters.vision.likeness.landmarks import LandmarkTrees, Points, find_landmarks, load_trees
from circletake.adapters.vision.likeness.look import describe_scene
from circletake.adapters.vision.likeness.packing import pack
from circletake.adapters.vision.likeness.regions import describe_person
from circletake.adapters.vision.likeness.weights import read_weights
from circletake.domain.consistency.words import Aspect, Box, Reason
from circletake.ports import Figure, FrameSeen

LEAST_EYES = 6.0  # pixels between the eyes below which a detection is no face to speak of
_CROP_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Networks:
    detector: Any
    resnet: Any
    look: Any
    trees: LandmarkTrees


@lru_cache(maxsize=1)
def networks(folder: Path) -> Networks:
    """Load the networks, once in the life of a child. Raises WeightsFault."""
    weights = read_weights(folder)
    cv2.setNumThreads(1)
    return Networks(
        detector=_session(weights.face_detector),
        resnet=_session(weights.face_resnet),
        look=_session(weights.look),
        trees=load_trees(weights.landmarks),
    )


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # an arena would keep the largest frame's memory for good
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for; as `Evaluator.see` takes it."""

    frames: Sequence[int]
    people: bool
    scene: bool
    expected: int


def see(folder: Path, path: Path, wish: Wish, bounds: Bounds) -> list[FrameSeen]:
    """Raises PictureRefused, WeightsFault."""
    loaded = networks(folder)
    return [_seen(loaded, frame, wish) for frame in read_frames(path, wish.frames, bounds)]


def _seen(loaded: Networks, frame: Frame, wish: Wish) -> FrameSeen:
    figures = _figures(loaded, frame, max(1, wish.expected)) if wish.people else []
    return FrameSeen(
        frame=frame.index,
        width=frame.width,
        height=frame.height,
        figures=tuple(figures),
        scene=pack(describe_scene(loaded.look, frame.rgb)) if wish.scene else b"",
    )


def _figures(loaded: Networks, frame: Frame, expected: int) -> list[Figure]:
    figures: list[Figure] = []
    known: list[Points] = []
    for face in find_faces(loaded.detector, frame.rgb, expected):
        points = find_landmarks(loaded.trees, frame.rgb, face.edges)
        # two boxes of unequal size may still be one face
        if eye_distance(points) >= LEAST_EYES and not any(same_face(points, other) for other in known):
            known.append(points)
            figures.append(_figure(loaded, frame, face, points))
    return figures


def same_face(points: Points, other: Points) -> bool:
    apart = float(np.linalg.norm(points.mean(0) - other.mean(0)))
    return apart < 0.6 * max(eye_distance(points), eye_distance(other))


def _figure(loaded: Networks, frame: Frame, face: FaceBox, points: Points) -> Figure:
    described = describe_face(loaded.resnet, frame.rgb, points)
    looks, doubts = describe_person(frame.rgb, points)
    if described.doubts.get(Aspect.FACE) is Reason.TURNED_AWAY:
        # hair isn't where it is looked for around a face from the front
        doubts[Aspect.HAIR] = Reason.TURNED_AWAY
    side = round(face.side / frame.scale)
    return Figure(
        box=Box(round(face.edges[0] / frame.scale), round(face.edges[1] / frame.scale), side, side),
        confidence=face.score,
        face_px=described.eyes / frame.scale,
        sharpness=described.sharpness,
        features=pack({**looks, **described.features}),
        doubts={**doubts, **described.doubts},
    )


def crops(path: Path, boxes: Sequence[tuple[int, Box]], side: int, bounds: Bounds) -> list[bytes]:
    """A JPEG per (frame, box), in their order; grey where a frame can't be read."""
    cv2.setNumThreads(1)
    cut: dict[int, bytes] = {}
    for frame in read_frames(path, [index for index, _ in boxes], bounds):
        for place, (index, box) in enumerate(boxes):
            if index == frame.index:
                cut[place] = _crop(frame, box, side)
    missing = [place for place in range(len(boxes)) if place not in cut]
    if missing:
        grey = encode_jpeg(np.full((side, side, 3), 128, np.uint8), _CROP_QUALITY)
        cut |= dict.fromkeys(missing, grey)
    return [cut[place] for place in range(len(boxes))]


def _crop(frame: Frame, box: Box, side: int) -> bytes:
    left, top, right, bottom = (
        int(value * frame.scale) for value in _surroundings(box, frame.width, frame.height)
    )
    height, width = frame.rgb.shape[:2]
    cut = frame.rgb[
        max(0, top) : min(height, max(bottom, top + 1)), max(0, left) : min(width, max(right, left + 1))
    ]
    if not cut.size:
        cut = frame.rgb
    scale = side / max(cut.shape[:2])
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    smaller = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return encode_jpeg(cv2.resize(cut, size, interpolation=smaller), _CROP_QUALITY)


def _surroundings(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Head and shoulders around a face, whose boxes are square; any other box as it is."""
    left, top = float(box.left), float(box.top)
    right, bottom = left + box.width, top + box.height
    if box.width == box.height:
        left, right = left - 0.6 * box.width, right + 0.6 * box.width
        top, bottom = top - 0.55 * box.height, bottom + 0.9 * box.height
    return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)
