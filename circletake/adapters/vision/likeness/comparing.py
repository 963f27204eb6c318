"""Features held against references. Runs in a child process only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circletake.adapters.vision.likeness.copies import copy_score
from circletake.adapters.vision.likeness.look import (
    CastStatistics,
    cast_statistics,
    compare_scenes,
)
from circletake.adapters.vision.likeness.packing import unpack
from circletake.adapters.vision.likeness.regions import compare_person
from circletake.domain.consistency.words import Aspect, Box, CharacterKind
from circletake.ports import CastMember, FrameSeen, Match

# How near the nearest stranger is taken to be at most, and where the cast doesn't say: between what photographs of
# people (0.7) and generated faces (0.55) have.
_STRANGERS = 0.62
# Same people's faces in good pictures are about this far apart, different people's 0.75.
_SAME = 0.37
_NOISE_COUNTED = 0.6  # of what small size and blur add to a distance, as the rest they add to strangers' too

# Pasted pixels have nearly the reference's own face, and nearly its own patches (in deviations of the cast).
_COPIES_BELOW, _COPIES_FROM = 0.5, 1.0

Features = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    identity: str
    human: bool
    known: Sequence[Features]


def compare(cast: Sequence[CastMember], seen: Sequence[FrameSeen]) -> list[list[Match]]:
    """Every cast member against every figure, or against the whole frame where it has no face.

    Values, face: the mean distance to the references, less what small size and blur explain; how much nearer that
    is than the references' nearest stranger in the cast; than the figure's. Hair, wardrobe, palette: the means of the
    two best references' (`regions`). Overall, of the whole frame: the same (`look`).
    """
    members = [
        _Member(
            key=member.key,
            identity=member.identity or member.key,
            human=member.kind is CharacterKind.HUMAN,
            known=[unpack(packed) for packed in member.references],
        )
        for member in cast
    ]
    near = [_nearest_stranger(member, members) for member in members]
    statistics = _scene_statistics(members)
    return [_matches(frame, members, near, statistics) for frame in seen]


def _matches(
    frame: FrameSeen, members: Sequence[_Member], near: Sequence[float], statistics: CastStatistics
) -> list[Match]:
    figures = [unpack(figure.features) for figure in frame.figures]
    distances = [[_distance(member.known, [figure]) for figure in figures] for member in members]
    scene = unpack(frame.scene)
    matches = []
    for row, member in enumerate(members):
        if not member.human:
            continue
        for column, figure in enumerate(figures):
            values = _looks(member.known, figure)
            distance = distances[row][column]
            if distance is not None:
                rivals = [
                    other
                    for place, each in enumerate(members)
                    if each.identity != member.identity and (other := distances[place][column]) is not None
                ]
                values[Aspect.FACE] = (
                    distance,
                    near[row] - distance,
                    min([_STRANGERS, *rivals]) - distance,
                )
            # only what looks like the same person can be a picture of it that was pasted
            near_enough = distance is not None and distance < _COPIES_BELOW
            copy = (
                max((copy_score(each, figure) for each in member.known), default=0.0) if near_enough else 0.0
            )
            matches.append(Match(member.key, column, values, copy=copy))
    return matches + _scene_matches(members, scene, frame, statistics)


def _looks(known: Sequence[Features], figure: Features) -> dict[Aspect, tuple[float, ...]]:
    values: dict[Aspect, tuple[float, ...]] = {}
    per_reference = [compare_person(reference, figure) for reference in known]
    for aspect in (Aspect.HAIR, Aspect.WARDROBE, Aspect.PALETTE):
        best = _two_best([each[aspect] for each in per_reference if aspect in each])
        if best:
            values[aspect] = best
    return values


def _scene_matches(
    members: Sequence[_Member], scene: Features, frame: FrameSeen, statistics: CastStatistics
) -> list[Match]:
    if "patches" not in scene:
        return []
    others = [member for member in members if not member.human]
    known = [[reference for reference in member.known if "patches" in reference] for member in others]
    found = compare_scenes(known, [member.identity for member in others], scene, statistics)
    scale = frame.width / max(1, int(scene["size"][0]))
    matches = []
    for member, references, each in zip(others, known, found, strict=True):
        if each is not None:
            edges = (each.box.left, each.box.top, each.box.width, each.box.height)
            copy = 0.0
            if each.values[Aspect.OVERALL][0] > _COPIES_FROM:
                copy = max(copy_score(reference, scene) for reference in references)
            box = Box(*(round(value * scale) for value in edges))
            matches.append(Match(member.key, -1, each.values, copy=copy, box=box))
    return matches


def _two_best(each: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """A character may own two hair-dos, and one reference may show the other: the mean of the two most alike."""
    best = sorted(each, key=lambda one: -one[1])[:2]
    return tuple(float(value) for value in np.mean(best, axis=0)) if best else ()


def _distance(known: Sequence[Features], others: Sequence[Features]) -> float | None:
    """Mean distance between two sets of faces, less what small size and blur add to it; None without faces.

    The mean's scale, unlike a minimum's, doesn't depend on how many there are, so that one threshold serves all.
    """
    ours = [features for features in known if "face" in features]
    theirs = [features for features in others if "face" in features]
    if not ours or not theirs:
        return None
    a, b = (np.stack([each["face"] for each in side]).astype(np.float32) for side in (ours, theirs))
    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    moved = [np.array([float(each["face_noise"][0]) ** 2 for each in side]) for side in (ours, theirs)]
    noise = np.sqrt(_SAME**2 + moved[0][:, None] + moved[1][None]) - _SAME
    return float((apart - _NOISE_COUNTED * noise).mean())


def _nearest_stranger(member: _Member, members: Sequence[_Member]) -> float:
    """How far a member's references are from the nearest other character's."""
    distances = [
        _distance(member.known, other.known)
        for other in members
        if other.human and other.identity != member.identity
    ]
    return min([_STRANGERS, *(distance for distance in distances if distance is not None)])


def _scene_statistics(members: Sequence[_Member]) -> CastStatistics:
    scenes: dict[str, list[Features]] = {}
    for member in members:
        if not member.human:
            scenes.setdefault(member.identity, []).extend(each for each in member.known if "patches" in each)
    return cast_statistics([each for each in scenes.values() if each])
