"""Undeclared likeness: which faces of a picture lie where it is to be altered, and who accounts for them.

A declaration isn't trusted alone. Every face in the region must be somebody the request declares, known by the pictures
that were approved of them, or be cleared by a person. What nobody can be sure of is asked, never passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from circletake.domain.consistency.assignment import assign
from circletake.domain.consistency.words import Box
from circletake.domain.kinds import RULES, InputSlot, Kind

SCREENER = "likeness-screen@1"  # whatever changes which faces are found makes the next version

LEAST_SHARE = 0.05  # of the face proper: a blemish taken from a cheek alters a face too
SURE = 0.95  # probability, at even odds, from which a face is somebody's; judging passes from 0.5
LEAST_EYES = 13.0  # pixels between the eyes, below which no face is told from another
_SAME_FACE = 0.4  # intersection over union of two boxes of one picture

# Around a face's box, in its own sides: head, shoulders and what usually stands in the picture below them.
_ABOVE, _BESIDE, _BELOW = 0.6, 1.0, 6.0


class Region(StrEnum):
    """Which part of a picture is altered, as its result is laid back."""

    MATTE = "matte"  # the white area; everything else stays as it was
    BORDER = "border"  # the picture stays, what its edges cut is continued
    WHOLE = "whole"  # nothing of it is laid back: all of it is drawn after


class ClearedAs(StrEnum):
    """What a person says of a face that was held."""

    DEPICTED_CHARACTER = "depicted_character"  # a declared character that wasn't recognised
    NO_LIKENESS = "no_likeness"  # an extra whom nobody could recognise
    NOT_A_PERSON = "not_a_person"  # no face at all, a doll, a drawing


@dataclass(frozen=True, slots=True)
class FaceFound:
    """A face as it is kept. `likeness`: the probability that it is who is shown in a reference set, by the set's id.

    `crop`: where its picture stands in the bucket.
    """

    box: Box
    face_px: float
    confidence: float
    share: float
    doubted: bool = False
    likeness: Mapping[str, float] = field(default_factory=dict)
    crop: str | None = None

    def as_json(self) -> dict[str, Any]:
        box = self.box
        return {
            "box": [box.left, box.top, box.width, box.height],
            "face_px": round(self.face_px, 1),
            "confidence": round(self.confidence, 3),
            "share": round(self.share, 4),
            "doubted": self.doubted,
            "likeness": {key: round(p, 5) for key, p in self.likeness.items()},
            "crop": self.crop,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FaceFound":
        return cls(**{**stored, "box": Box(*stored["box"])})


@dataclass(frozen=True, slots=True)
class Cleared:
    """A clearing that stands. Without a box it is of a picture that couldn't be looked at."""

    box: Box | None
    decision: ClearedAs
    character: str | None = None


def region_of(kind: Kind, slot: InputSlot, *, has_matte: bool) -> Region | None:
    """Return which part of this input is altered; None: nothing of it is a picture of anybody (a matte)."""
    if slot is InputSlot.MATTE:
        return None
    if slot is InputSlot.PLATE and RULES[kind].on_plate:
        if has_matte:
            return Region.MATTE
        if slot in RULES[kind].not_sent:
            return None  # what is laid over it is the source's, which is looked at whole
        return Region.BORDER if kind is Kind.SET_EXTENSION else Region.WHOLE
    return Region.WHOLE


def in_region(
    face: FaceFound, region: Region, width: int, height: int, extend: Mapping[str, Any] | None = None
) -> bool:
    """Whether altering the region alters whom this face belongs to. `extend`: how far each side of a border is drawn
    on, where that is known; else every side counts."""
    if region is Region.MATTE:
        return face.share > LEAST_SHARE
    if region is Region.WHOLE:
        return True
    box = face.box
    reaches = {
        "left": box.left - _BESIDE * box.width < 0,
        "right": box.left + (1 + _BESIDE) * box.width > width,
        "top": box.top - _ABOVE * box.height < 0,
        "bottom": box.top + (1 + _BELOW) * box.height > height,
    }
    names = {"top": ("top", "up"), "bottom": ("bottom", "down"), "left": ("left",), "right": ("right",)}
    return any(
        cut and (not extend or any(extend.get(name) for name in names[side])) for side, cut in reaches.items()
    )


def unaccounted(
    faces: Sequence[FaceFound],
    characters: Mapping[str, Sequence[str]],
    *,
    known: Mapping[str, Sequence[Box]] | None = None,
    cleared: Sequence[Cleared] = (),
) -> list[int]:
    """Return the places of the faces that nobody accounts for.

    `characters`: of each declared character its reference sets. `known`: faces that are a character's by provenance,
    because this very picture was approved as its reference. A character accounts for one face: that it is there
    twice, a twin or a mirror, is for a person to say. A face that can't be told from others is nobody's.
    """
    left = [
        place
        for place, face in enumerate(faces)
        if not any(_clears(each, face, characters) for each in cleared)
    ]
    free = dict(characters)
    for character, boxes in (known or {}).items():
        if character not in free:
            continue
        own = [place for place in left if any(same_place(faces[place].box, box) for box in boxes)]
        if own:
            left = [place for place in left if place not in own]
            del free[character]
    if not left or not free:
        return left
    costs = [[_cost(faces[place], sets) for place in left] for sets in free.values()]
    given = assign(costs, [-SURE + 1e-9] * len(costs))
    taken = {left[column] for column in given if column is not None}
    return [place for place in left if place not in taken]


def _cost(face: FaceFound, sets: Sequence[str]) -> float:
    if face.doubted or face.face_px < LEAST_EYES:
        return float("inf")
    p = max((face.likeness.get(each, 0.0) for each in sets), default=0.0)
    return -p if p >= SURE else float("inf")


def _clears(cleared: Cleared, face: FaceFound, characters: Mapping[str, Sequence[str]]) -> bool:
    if cleared.box is None or not same_place(cleared.box, face.box):
        return False
    return cleared.decision is not ClearedAs.DEPICTED_CHARACTER or cleared.character in characters


def crops_prefix(production_id: UUID, media_id: UUID) -> str:
    """Where the crops of the faces in a picture stand in the bucket."""
    return f"media/{production_id}/screening/{media_id}/"


def same_place(box: Box, other: Box) -> bool:
    """Whether two boxes of one picture are one face, also when another version of the screener drew one of them."""
    across = min(box.left + box.width, other.left + other.width) - max(box.left, other.left)
    down = min(box.top + box.height, other.top + other.height) - max(box.top, other.top)
    if across <= 0 or down <= 0:
        return False
    shared = across * down
    return shared > _SAME_FACE * (box.width * box.height + other.width * other.height - shared)
