"""The look of a subject without a human face: creatures, objects, drawn characters. Runs in a child process only.

A frame is a grid of patches, each described by the early layers of the face network, whose axes are made equally
important (look_axes.npz, infra/weights/look_axes.py). Two pictures show the same subject when the patches of each
one's subject find their like somewhere in the other: wherever it stands, however it is posed, before whatever.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.likeness.copies import scene_print
from circletake.adapters.vision.likeness.palettes import alike, palette_of, to_lab
from circletake.adapters.vision.likeness.style import style_likeness, style_of
from circletake.adapters.vision.likeness.subjects import find_subject
from circletake.domain.consistency.words import Aspect, Box

PICTURE = 310  # the side of the square pictures that the network takes
LAYERS = ("fine", "middle", "coarse")

_GRID = 16  # patches along the longer side
_SUBJECT = 0.5  # share of a patch that must be the subject's
_SCALE = 127  # descriptors are kept as int8

# Likeness of pictures of different subjects where a cast doesn't tell: mean and standard deviation of what `likeness`
# gives between the subjects of the development pictures.
_MEAN = (0.412, 0.42)
_SPREAD = (0.0315, 0.28)
_TRUST = 8  # built-in statistics count as much as this many pairs of the cast's own
# How alike a frame is taken to be to the most similar other character where the cast has none, in deviations.
_RIVAL = 1.2


@dataclass(frozen=True, slots=True)
class CastStatistics:
    """How alike different characters of a cast are: mean and standard deviation of the values."""

    mean: Any
    spread: Any


def describe_scene(network: Any, rgb: Any) -> dict[str, Any]:
    """The patches of an RGB uint8 frame. `network` is the onnxruntime session of look.onnx.

    Arrays: patches (n, 88) int8, subject (rows, columns) uint8 whose n cells are 1 on the subject, palette (m, 4) of
    the subject, layout (the frame for `copies`), style (k,), size (2,) width and height of `rgb`.
    """
    height, width = rgb.shape[:2]
    picture = cv2.resize(rgb, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA)
    maps = network.run(list(LAYERS), {"input": picture[None].astype(np.float32)})
    longer = max(height, width)
    rows, columns = max(4, round(_GRID * height / longer)), max(4, round(_GRID * width / longer))
    patches = np.concatenate(
        [_descriptors(layer[0], axes, rows, columns) for layer, axes in zip(maps, _axes(), strict=True)], 1
    )
    patches /= np.linalg.norm(patches, axis=1, keepdims=True) + 1e-6
    mask = find_subject(rgb)
    share = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    subject = share > _SUBJECT
    if not subject.any():
        subject = share >= share.max()
    pixels = cv2.resize(rgb, mask.shape[::-1], interpolation=cv2.INTER_AREA)[mask]
    return {
        "patches": np.round(patches * _SCALE).astype(np.int8),
        "subject": subject.astype(np.uint8),
        "palette": palette_of(pixels, 24),
        "layout": scene_print(rgb),
        "style": style_of([layer[0] for layer in maps[:2]], mask),
        "size": np.array([width, height], np.int32),
    }


def _descriptors(layer: Any, axes: tuple[Any, Any], rows: int, columns: int) -> Any:
    """A map (channels, height, width) as unit vectors of equally important axes, one per patch."""
    mean, turn = axes
    cells = np.stack(
        [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA) for plane in layer], -1
    )
    turned = (cells.reshape(rows * columns, -1) - mean) @ turn
    return turned / (np.linalg.norm(turned, axis=1, keepdims=True) + 1e-6)


@cache
def _axes() -> tuple[tuple[Any, Any], ...]:
    data = resources.files("circletake.data").joinpath("look_axes.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return tuple((arrays[f"{name}_mean"], arrays[f"{name}_axes"]) for name in LAYERS)


def likeness(reference: Mapping[str, Any], seen: Mapping[str, Any]) -> tuple[float, float]:
    """Of two described scenes: mean best cosine of either subject's patches with the other picture's, and how alike
    the subjects' palettes are, 0-1. Larger is more alike."""
    ours, theirs = _unpacked(reference), _unpacked(seen)
    own, other = reference["subject"].ravel() > 0, seen["subject"].ravel() > 0
    found = (ours[own] @ theirs.T).max(1).mean()
    back = (ours @ theirs[other].T).max(0).mean()
    both = (found + back) / 2
    colours, wanted = seen["palette"], reference["palette"]
    palette = alike(to_lab(colours[None, :, :3]), colours[:, 3], to_lab(wanted[:, :3]), wanted[:, 3])
    return float(both), float(palette[0])


def _unpacked(scene: Mapping[str, Any]) -> Any:
    return scene["patches"].astype(np.float32) / _SCALE


def cast_statistics(members: Sequence[Sequence[Mapping[str, Any]]]) -> CastStatistics:
    """How alike the references of different members are (a member: its described scenes), shrunk to the built-in
    statistics where there are few. Two looks of one character belong into one member."""
    values = [
        likeness(a, b)
        for index, one in enumerate(members)
        for other in members[index + 1 :]
        for a in one
        for b in other
    ]
    mean, spread = np.array(_MEAN), np.array(_SPREAD)
    if not values:
        return CastStatistics(mean, spread)
    weight = len(values) / (len(values) + _TRUST)
    found = np.array(values)
    return CastStatistics(
        weight * found.mean(0) + (1 - weight) * mean, weight * found.std(0) + (1 - weight) * spread
    )


@dataclass(frozen=True, slots=True)
class SceneMatch:
    """A cast member against a frame."""

    values: dict[Aspect, tuple[float, ...]]
    box: Box  # in pixels of the described picture


def compare_scenes(
    members: Sequence[Sequence[Mapping[str, Any]]],
    identities: Sequence[str],
    seen: Mapping[str, Any],
    statistics: CastStatistics,
) -> list[SceneMatch | None]:
    """A frame against every member's described references; None for a member without any.

    Values, of the mean of the two references most alike: overall (patches, palette: in standard deviations from what
    different characters of the cast have; lead: patches less those of the most similar member of another identity),
    palette (likeness of the palettes, twice, as a person's has it as it is and relit), style (`style_likeness`).
    """
    each_reference = [[likeness(reference, seen) for reference in known] for known in members]
    raw = [_two_best(values) for values in each_reference]
    patches = [
        None if each is None else float((each[0] - statistics.mean[0]) / statistics.spread[0]) for each in raw
    ]
    matches: list[SceneMatch | None] = []
    for place, (known, each) in enumerate(zip(members, raw, strict=True)):
        own = patches[place]
        if each is None or own is None:
            matches.append(None)
            continue
        rivals = [
            other
            for other, identity in zip(patches, identities, strict=True)
            if other is not None and identity != identities[place]
        ]
        palette = float((each[1] - statistics.mean[1]) / statistics.spread[1])
        nearest = known[int(np.argmax([both for both, _ in each_reference[place]]))]
        matches.append(
            SceneMatch(
                {
                    Aspect.OVERALL: (own, palette, own - max([_RIVAL, *rivals])),
                    Aspect.PALETTE: (float(each[1]), float(each[1])),
                    Aspect.STYLE: (_style(known, seen),),
                },
                where_found(nearest, seen),
            )
        )
    return matches


def _style(known: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]) -> float:
    values = sorted((style_likeness(reference["style"], seen["style"]) for reference in known), reverse=True)
    return sum(values[:2]) / len(values[:2])


def _two_best(values: Sequence[tuple[float, float]]) -> Any:
    return np.mean(sorted(values, reverse=True)[:2], axis=0) if values else None


def where_found(reference: Mapping[str, Any], seen: Mapping[str, Any]) -> Box:
    """The part of the seen frame that looks most like the reference's subject, in pixels of the described picture."""
    rows, columns = seen["subject"].shape
    subject = _unpacked(reference)[reference["subject"].ravel() > 0]
    best = cv2.blur(
        (subject @ _unpacked(seen).T).max(0).reshape(rows, columns), (3, 3), borderType=cv2.BORDER_REPLICATE
    )
    weight = np.maximum(0, best - (best.mean() + best.max()) / 2)
    left, right = _middle(weight.sum(0))
    top, bottom = _middle(weight.sum(1))
    width, height = (int(value) for value in seen["size"])
    x, y = left * width // columns, top * height // rows
    return Box(x, y, right * width // columns - x, bottom * height // rows - y)


def _middle(weight: Any) -> tuple[int, int]:
    """From where to where 90 % of a profile lie."""
    if weight.sum() <= 0:
        return 0, len(weight)
    share = np.cumsum(weight) / weight.sum()
    return int(np.searchsorted(share, 0.05)), int(np.searchsorted(share, 0.95)) + 1
