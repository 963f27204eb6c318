"""What a generation may be asked for, and what each kind needs."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    CONCEPT_ART = "concept_art"
    SET_EXTENSION = "set_extension"
    CLEANUP = "cleanup"
    ELEMENT = "element"
    PREVIS_SHOT = "previs_shot"


class MediaRole(StrEnum):
    PLATE = "plate"
    MATTE = "matte"
    CLEAN_PLATE = "clean_plate"
    REFERENCE = "reference"
    LUT = "lut"
    TAKE = "take"
    PROXY = "proxy"
    THUMBNAIL = "thumbnail"
    MANIFEST = "manifest"


class InputSlot(StrEnum):
    """Where a media file stands in a generation request."""

    PLATE = "plate"
    MATTE = "matte"
    REFERENCE = "reference"
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"


class RightsBasis(StrEnum):
    OWNED = "owned"
    LICENSED = "licensed"
    WORK_FOR_HIRE = "work_for_hire"
    PUBLIC_DOMAIN = "public_domain"
    UNKNOWN = "unknown"


class Billed(StrEnum):
    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KindRule:
    required: frozenset[InputSlot]
    optional: frozenset[InputSlot]
    prompt: str  # required | optional | refused
    needs_shot: bool
    on_plate: bool  # the result is laid back onto the plate
    video: bool


RULES: dict[Kind, KindRule] = {
    Kind.CONCEPT_ART: KindRule(
        frozenset(),
        frozenset({InputSlot.REFERENCE}),
        "required",
        needs_shot=False,
        on_plate=False,
        video=False,
    ),
    Kind.SET_EXTENSION: KindRule(
        frozenset({InputSlot.PLATE}), frozenset(), "optional", needs_shot=True, on_plate=True, video=False
    ),
    Kind.CLEANUP: KindRule(
        frozenset({InputSlot.PLATE, InputSlot.MATTE}),
        frozenset(),
        "refused",
        needs_shot=True,
        on_plate=True,
        video=False,
    ),
    Kind.ELEMENT: KindRule(
        frozenset({InputSlot.PLATE, InputSlot.MATTE}),
        frozenset(),
        "required",
        needs_shot=True,
        on_plate=True,
        video=False,
    ),
    Kind.PREVIS_SHOT: KindRule(
        frozenset(),
        frozenset({InputSlot.FIRST_FRAME, InputSlot.LAST_FRAME}),
        "required",
        needs_shot=True,
        on_plate=False,
        video=True,
    ),
}

# The roles a media file may have to stand in a slot.
SLOT_ROLES: dict[InputSlot, frozenset[MediaRole]] = {
    InputSlot.PLATE: frozenset({MediaRole.PLATE, MediaRole.CLEAN_PLATE}),
    InputSlot.MATTE: frozenset({MediaRole.MATTE}),
    InputSlot.REFERENCE: frozenset(
        {MediaRole.REFERENCE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.TAKE}
    ),
    InputSlot.FIRST_FRAME: frozenset(
        {MediaRole.REFERENCE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.TAKE}
    ),
    InputSlot.LAST_FRAME: frozenset(
        {MediaRole.REFERENCE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.TAKE}
    ),
}
