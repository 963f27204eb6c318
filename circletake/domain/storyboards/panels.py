"""What a storyboard may hold, how its panels are numbered and what its files are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from circletake.domain.kinds import MediaRole
from circletake.domain.pictures import Violation

MAX_PANELS = 500
MAX_TITLE, MAX_REF, MAX_SCENE = 200, 200, 64  # characters
MAX_CAPTION, MAX_SPEECH, MAX_ACTION, MAX_CAMERA = 1000, 2000, 2000, 500
TEXTS = ("caption", "dialogue", "action", "camera")

# what a matte or a signed sidecar shows isn't what a panel shows
PANEL_ROLES = frozenset(
    {
        MediaRole.PLATE,
        MediaRole.CLEAN_PLATE,
        MediaRole.REFERENCE,
        MediaRole.TAKE,
        MediaRole.PROXY,
        MediaRole.THUMBNAIL,
    }
)
_STILLS = frozenset({"image/png", "image/jpeg", "image/tiff", "image/webp"})
_VIDEOS = frozenset({"video/mp4", "video/quicktime"})


@dataclass(frozen=True, slots=True)
class PanelDraft:
    """A panel as it is sent; its number is its place in the list. `id` keeps a panel that is there already."""

    id: UUID | None = None
    shot_id: UUID | None = None
    take_id: UUID | None = None
    media_id: UUID | None = None
    texts: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    ai_generated_text: bool = False
    duration_frames: int | None = None


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """A media file of the production that a panel may show."""

    media_id: UUID
    role: str
    media_type: str
    state: str


@dataclass(frozen=True, slots=True)
class KnownTake:
    """A take of the production."""

    take_id: UUID
    state: str
    picture: KnownPicture | None


@dataclass(frozen=True, slots=True)
class Known:
    """What of the drafts' ids there is in the production, and which panels the storyboard has."""

    panels: frozenset[UUID] = frozenset()
    shots: frozenset[UUID] = frozenset()
    takes: Mapping[UUID, KnownTake] = field(default_factory=dict)
    pictures: Mapping[UUID, KnownPicture] = field(default_factory=dict)


def panel_violations(
    drafts: Sequence[PanelDraft], known: Known, *, at: str = "/panels/{}"
) -> list[Violation]:
    """Return what is wrong with each row, with a pointer into it. `at` is a row's pointer, by its index."""
    found: list[Violation] = []
    seen: set[UUID] = set()
    for index, draft in enumerate(drafts):
        where = at.format(index)
        found += _row(draft, known, where)
        if draft.id is not None:
            if draft.id in seen:
                found.append(
                    Violation(f"{where}/id", "panel_twice", "This panel stands in the list already.")
                )
            seen.add(draft.id)
    return found


def _row(draft: PanelDraft, known: Known, where: str) -> list[Violation]:
    found = []
    if draft.id is not None and draft.id not in known.panels:
        text = "This storyboard has no such panel: leave `id` out for a new one."
        found.append(Violation(f"{where}/id", "unknown_panel", text))
    if draft.shot_id is not None and draft.shot_id not in known.shots:
        text = "There is no such shot in this production."
        found.append(Violation(f"{where}/shot_id", "unknown_shot", text))
    if draft.take_id is not None and draft.media_id is not None:
        text = "A panel shows a take or a media file, not both: leave one out."
        return [*found, Violation(f"{where}/media_id", "two_pictures", text)]
    if draft.take_id is not None:
        found += _take(known.takes.get(draft.take_id), f"{where}/take_id")
    if draft.media_id is not None:
        found += _picture(known.pictures.get(draft.media_id), f"{where}/media_id")
    return found


def _take(take: KnownTake | None, where: str) -> list[Violation]:
    if take is None:
        return [Violation(where, "unknown_take", "There is no such take in this production.")]
    if take.state != "succeeded" or take.picture is None:
        text = f"This take is {take.state}; a panel shows one that succeeded."
        return [Violation(where, "take_has_no_file", text)]
    return _picture(take.picture, where)


def _picture(picture: KnownPicture | None, where: str) -> list[Violation]:
    if picture is None:
        return [Violation(where, "unknown_media", "There is no such file in this production.")]
    if picture.state != "ready":
        text = f"This file is {picture.state}; a panel shows a ready one."
        return [Violation(where, "media_not_ready", text)]
    if picture.role not in PANEL_ROLES or picture.media_type not in _STILLS | _VIDEOS:
        text = "A panel shows a picture or a video: a plate, a reference, a take or a drawn one."
        return [Violation(where, "not_a_picture", text)]
    return []


# --- names ------------------------------------------------------------------------------------------------------


def board_name(production_code: str, number: int) -> str:
    """`AGM_SB01`: a storyboard counts in its production."""
    return f"{production_code}_SB{number:02d}"


def panel_name(number: int) -> str:
    """`p003`, as it is written on the page, burnt into the animatic and part of the still's name."""
    return f"p{number:03d}"


def still_name(board: str, number: int) -> str:
    return f"{board}_{panel_name(number)}.jpg"


def document_name(board: str, version: int) -> str:
    return f"{board}_v{version:03d}.pdf"


def animatic_name(board: str, version: int) -> str:
    """The animatic's name without its ending: the video and the timeline share it."""
    return f"{board}_v{version:03d}_animatic"
