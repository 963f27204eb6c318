"""The words of a consistency check."""

from dataclasses import dataclass
from enum import StrEnum


class CharacterKind(StrEnum):
    HUMAN = "human"
    CREATURE = "creature"
    STYLISED = "stylised"
    OBJECT = "object"


class Aspect(StrEnum):
    FACE = "face"
    HAIR = "hair"
    WARDROBE = "wardrobe"
    PALETTE = "palette"
    STYLE = "style"  # drawn characters only
    OVERALL = "overall"  # the whole subject; the only likeness a creature or an object has


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    NEEDS_HUMAN = "needs_human"
    NOT_ASSESSABLE = "not_assessable"


class Reason(StrEnum):
    IDENTITY_BELOW_THRESHOLD = "identity_below_threshold"
    WARDROBE_MISMATCH = "wardrobe_mismatch"
    HAIR_MISMATCH = "hair_mismatch"
    PALETTE_MISMATCH = "palette_mismatch"
    STYLE_MISMATCH = "style_mismatch"
    LIKENESS_BELOW_THRESHOLD = "likeness_below_threshold"  # the whole subject, without a face
    WRONG_CHARACTER_COUNT = "wrong_character_count"
    SWAPPED_CHARACTERS = "swapped_characters"
    COPY_PASTE_SUSPECTED = "copy_paste_suspected"
    FACE_TOO_SMALL = "face_too_small"
    OCCLUDED = "occluded"
    TURNED_AWAY = "turned_away"
    BLURRED = "blurred"
    NO_DETECTION = "no_detection"
    NEAR_THRESHOLD = "near_threshold"
    SLOW_DRIFT = "slow_drift"


# What makes an aspect impossible to judge. Never a pass, never a fail.
DOUBTS = frozenset(
    {
        Reason.FACE_TOO_SMALL,
        Reason.OCCLUDED,
        Reason.TURNED_AWAY,
        Reason.BLURRED,
        Reason.NO_DETECTION,
    }
)

# The reason that says which aspect broke.
MISMATCH: dict[Aspect, Reason] = {
    Aspect.FACE: Reason.IDENTITY_BELOW_THRESHOLD,
    Aspect.HAIR: Reason.HAIR_MISMATCH,
    Aspect.WARDROBE: Reason.WARDROBE_MISMATCH,
    Aspect.PALETTE: Reason.PALETTE_MISMATCH,
    Aspect.STYLE: Reason.STYLE_MISMATCH,
    Aspect.OVERALL: Reason.LIKENESS_BELOW_THRESHOLD,
}


class ShotSize(StrEnum):
    """How much of the frame a person fills."""

    ECU = "ECU"
    CU = "CU"
    MCU = "MCU"
    MS = "MS"
    WS = "WS"


class ReferenceFinding(StrEnum):
    """What is wrong with a picture as a reference."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    NEAR_DUPLICATE = "near_duplicate"
    DOES_NOT_MATCH = "does_not_match"
    TURNED_AWAY = "turned_away"
    OCCLUDED = "occluded"
    UNREADABLE = "unreadable"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame as it is shown (after EXIF rotation); may reach outside it."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class EvaluatorId:
    """Which evaluator, in which version. Values of two ids are never compared with each other."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
