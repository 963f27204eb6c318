"""What a generation may be asked for, and what each kind needs."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    CONCEPT_ART = "concept_art"
    STORYBOARD_PANEL = "storyboard_panel"
    LOOK_DEVELOPMENT = "look_development"
    CHARACTER_SHEET = "character_sheet"
    PREVIS_SHOT = "previs_shot"
    SET_EXTENSION = "set_extension"
    CLEANUP = "cleanup"
    ELEMENT = "element"
    RECOLOR = "recolor"
    REPLACE = "replace"
    BACKGROUND_REMOVAL = "background_removal"
    UPSCALE = "upscale"


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
    SOURCE = "source"  # the picture that is worked on whole
    REFERENCE = "reference"
    SKETCH = "sketch"
    STRUCTURE = "structure"  # whose edges are kept
    STYLE = "style"  # whose style is taken
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"


class Quality(StrEnum):
    """What a take is for: to choose from, or to be kept."""

    DRAFT = "draft"  # the cheapest model of the kind at the smallest useful size
    FULL = "full"


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
    """What a kind needs, whichever model makes it. A model's card may ask for more."""

    required: frozenset[InputSlot]
    optional: frozenset[InputSlot]
    prompt: str  # required | optional | refused
    needs_shot: bool
    on_plate: bool  # where there is a plate, the result is laid back onto it
    video: bool = False
    search: str = "refused"  # required | refused: words for what is looked for in the plate
    not_sent: frozenset[InputSlot] = frozenset()  # for laying back only: no model gets it

    @property
    def slots(self) -> frozenset[InputSlot]:
        return self.required | self.optional


_FROM_WORDS = frozenset({InputSlot.REFERENCE, InputSlot.SKETCH, InputSlot.STRUCTURE, InputSlot.STYLE})
_PLATE = frozenset({InputSlot.PLATE})
_MATTE = frozenset({InputSlot.MATTE})


def _from_words(prompt: str = "required", *, optional: frozenset[InputSlot] = _FROM_WORDS) -> KindRule:
    return KindRule(frozenset(), optional, prompt, needs_shot=False, on_plate=False)


def _found_on_plate() -> KindRule:
    """The model finds what it changes; a matte holds the change inside when the result is laid back."""
    return KindRule(
        _PLATE, _MATTE, "required", needs_shot=True, on_plate=True, search="required", not_sent=_MATTE
    )


RULES: dict[Kind, KindRule] = {
    Kind.CONCEPT_ART: _from_words(),
    Kind.STORYBOARD_PANEL: _from_words(),
    Kind.LOOK_DEVELOPMENT: _from_words("optional", optional=_FROM_WORDS | {InputSlot.SOURCE}),
    Kind.CHARACTER_SHEET: _from_words(),
    Kind.PREVIS_SHOT: KindRule(
        frozenset(),
        frozenset({InputSlot.FIRST_FRAME, InputSlot.LAST_FRAME}),
        "required",
        needs_shot=True,
        on_plate=False,
        video=True,
    ),
    Kind.SET_EXTENSION: KindRule(_PLATE, frozenset(), "optional", needs_shot=True, on_plate=True),
    Kind.CLEANUP: KindRule(_PLATE | _MATTE, frozenset(), "refused", needs_shot=True, on_plate=True),
    Kind.ELEMENT: KindRule(_PLATE | _MATTE, frozenset(), "required", needs_shot=True, on_plate=True),
    Kind.RECOLOR: _found_on_plate(),
    Kind.REPLACE: _found_on_plate(),
    Kind.BACKGROUND_REMOVAL: KindRule(
        frozenset({InputSlot.SOURCE}), frozenset(), "refused", needs_shot=False, on_plate=False
    ),
    Kind.UPSCALE: KindRule(
        frozenset({InputSlot.SOURCE}),
        _PLATE | _MATTE,
        "optional",
        needs_shot=False,
        on_plate=True,
        not_sent=_PLATE | _MATTE,
    ),
}


def laid_back(kind: Kind, slots: Collection[InputSlot]) -> bool:
    """Say whether the result of such a request is laid back onto its plate."""
    return RULES[kind].on_plate and InputSlot.PLATE in slots


def on_screen(kind: Kind) -> bool:
    """Say whether what such a request makes may be seen in the finished work, so that it counts as exposure."""
    return RULES[kind].needs_shot or kind in {Kind.UPSCALE, Kind.BACKGROUND_REMOVAL}


_PICTURES = frozenset({MediaRole.REFERENCE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.TAKE})

# The roles a media file may have to stand in a slot.
SLOT_ROLES: dict[InputSlot, frozenset[MediaRole]] = {
    slot: _PICTURES for slot in InputSlot if slot not in {InputSlot.PLATE, InputSlot.MATTE}
} | {
    InputSlot.PLATE: frozenset({MediaRole.PLATE, MediaRole.CLEAN_PLATE}),
    InputSlot.MATTE: frozenset({MediaRole.MATTE}),
}
