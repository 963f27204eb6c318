"""Features held against references. Runs in a child process only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circletake.adapters.vision.likeness.packing import unpack
from circletake.adapters.vision.likeness.regions import compare_person
from circletake.domain.consistency.words import Aspect, CharacterKind
from circletake.ports import CastMember, FrameSeen, Match

_FAR = 0.72  # faces of people nobody would mix up are at least this far apart
_STRANGERS = 0.62  # how near the next stranger is thought to be, when the cast doesn't say
Features = Mapping[str, Any]


def compare(cast: Sequence[CastMember], seen: Sequence[FrameSeen]) -> list[list[Match]]:
    """Every cast member against every figure, or against the whole frame where it has no face."""
    references = [[unpack(packed) for packed in member.references] for member in cast]
    near = _nearest_stranger(cast, references)
    answer = []
    for frame in seen:
        figures = [unpack(figure.features) for figure in frame.figures]
        matches = []
        for member, known, neighbour in zip(cast, references, near, strict=True):
            if member.kind is CharacterKind.HUMAN:
                matches += [
                    Match(member.key, index, _person_values(known, figure, neighbour))
                    for index, figure in enumerate(figures)
                ]
        answer.append(matches)
    return answer


def _person_values(
    known: Sequence[Features], figure: Features, near: float
) -> dict[Aspect, tuple[float, ...]]:
    values: dict[Aspect, tuple[float, ...]] = {}
    distance = _distance(known, [figure])
    if distance is not None:
        values[Aspect.FACE] = (distance, near - distance)
    per_reference = [compare_person(reference, figure) for reference in known]
    for aspect in (Aspect.HAIR, Aspect.WARDROBE, Aspect.PALETTE):
        # the two best: a character may own two hair-dos, and a reference may show one of them
        best = sorted((each[aspect] for each in per_reference if aspect in each), key=lambda one: -one[-1])[
            :2
        ]
        if best:
            values[aspect] = tuple(float(value) for value in np.mean(best, axis=0))
    return values


def _distance(known: Sequence[Features], others: Sequence[Features]) -> float | None:
    """Mean distance between two sets of faces: its scale, unlike a minimum's, doesn't depend on how many there are."""
    a = [features["face"].astype(np.float32) for features in known if "face" in features]
    b = [features["face"].astype(np.float32) for features in others if "face" in features]
    if not a or not b:
        return None
    return float(np.linalg.norm(np.stack(a)[:, None] - np.stack(b)[None], axis=2).mean())


def _nearest_stranger(cast: Sequence[CastMember], references: Sequence[Sequence[Features]]) -> list[float]:
    """How far each member's references are from the nearest other character's."""
    answer = []
    for member, known in zip(cast, references, strict=True):
        distances = [_STRANGERS]
        for other, theirs in zip(cast, references, strict=True):
            if (other.identity or other.key) != (member.identity or member.key):
                distance = _distance(known, theirs)
                if distance is not None:
                    distances.append(distance)
        answer.append(min(_FAR, *distances))
    return answer
