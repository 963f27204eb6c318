"""Whether a request's pictures hold a face that nobody declared: decided from what was seen of them before.

Nothing is looked at here, so that the gateway may ask. What was never looked at is `needed`, and a `screen` step looks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.words import Box, CharacterKind, ReferenceFinding
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.permission.holds import HoldLine, HoldReason, NewHold
from circletake.domain.permission.likeness import (
    SCREENER,
    Cleared,
    ClearedAs,
    FaceFound,
    Region,
    in_region,
    region_of,
    unaccounted,
)
from circletake.records.characters import Reference
from circletake.records.media import MediaFile
from circletake.records.rights import ClearedFace
from circletake.records.rights import Screening as Screened
from circletake.records.session import TenantSession
from circletake.usecases.plan_check import CastLook, approved_cast
from circletake.usecases.resolve_material import is_one_of

Subject = tuple[UUID, UUID | None]  # a picture and the matte it is altered through


@dataclass(frozen=True, slots=True)
class Screening:
    """`clear`: every face is accounted for. `needed`: `subjects` have to be looked at, or compared with `cast`, first.
    `hold`: it needs a person."""

    outcome: Literal["clear", "needed", "hold"]
    hold: NewHold | None = None
    subjects: Sequence[Subject] = ()
    cast: Sequence[CastLook] = ()


CLEAR = Screening("clear")


@dataclass(frozen=True, slots=True)
class _Picture:
    slot: InputSlot
    file: MediaFile
    matte_id: UUID | None
    region: Region

    @property
    def subject(self) -> Subject:
        return self.file.id, self.matte_id


@dataclass(frozen=True, slots=True)
class _Known:
    """What is on record about a request's pictures."""

    characters: Mapping[str, Sequence[str]]  # of each declared human, its approved reference sets
    cast: Sequence[CastLook]
    seen: Mapping[Subject, Screened]
    approved: Mapping[UUID, Sequence[Reference]] = field(default_factory=dict)
    owners: Mapping[UUID, str] = field(default_factory=dict)  # of reference sets, their character
    cleared: Mapping[Subject, Sequence[Cleared]] = field(default_factory=dict)

    @property
    def sets(self) -> set[str]:
        return {each for sets in self.characters.values() for each in sets}


@dataclass(frozen=True, slots=True)
class ScreenAsked:
    """One request as it is screened."""

    pictures: Sequence[_Picture]
    characters: frozenset[UUID]  # that it declares
    extend: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ScreenRecord:
    """What is on record about the pictures of requests of one production, read once for all of them."""

    seen: Mapping[Subject, Screened] = field(default_factory=dict)
    cleared: Mapping[Subject, Sequence[Cleared]] = field(default_factory=dict)
    cast: Sequence[CastLook] = ()
    references: Sequence[
        Reference
    ] = ()  # those of the pictures that are approved ones of a declared character


async def screening_needed(
    session: TenantSession,
    *,
    tenant_id: UUID,
    kind: Kind,
    inputs: Mapping[InputSlot, MediaFile],
    characters: Collection[UUID],
    controls: Mapping[str, Any] | None = None,
    generation_id: UUID | None = None,
) -> Screening:
    """Say whether a request over these pictures, that declares these characters, may go on. Four queries at most.

    `generation_id`: takes of that very generation were made after its own pictures had been screened, so they are
    accounted for (an enforcement repaints them).
    """
    asked = screen_asked(kind, inputs, characters, controls, generation_id)
    return screening_of(await read_screened(session, tenant_id, [asked]), asked)


def screen_asked(
    kind: Kind,
    inputs: Mapping[InputSlot, MediaFile],
    characters: Collection[UUID],
    controls: Mapping[str, Any] | None = None,
    generation_id: UUID | None = None,
) -> ScreenAsked:
    pictures = _pictures(Kind(kind), inputs, generation_id)
    return ScreenAsked(pictures, frozenset(characters), (controls or {}).get("extend"))


def screening_of(record: ScreenRecord, asked: ScreenAsked) -> Screening:
    """Say whether one request may go on, by what was read."""
    if not asked.pictures:
        return CLEAR
    known = _known(record, asked)
    needed: list[Subject] = []
    lines: list[HoldLine] = []
    faces: list[dict[str, Any]] = []
    for picture in asked.pictures:
        if _is_reference_of_declared(picture, known):
            continue
        row = known.seen.get(picture.subject)
        left = None if row is None else _left(picture, row, known, asked.extend)
        if row is None or left is None:
            needed.append(picture.subject)
        elif left:
            unread = row.state == "unreadable"
            lines.append(_unread_line(picture, row) if unread else _face_line(picture, len(left)))
            faces += [_shown(picture, face) for face in left]
    if needed:
        return Screening("needed", subjects=needed, cast=known.cast)
    if faces:
        return Screening("hold", NewHold(HoldReason.UNDECLARED_LIKENESS, tuple(lines), {"faces": faces}))
    return CLEAR


def _left(
    picture: _Picture, row: Screened, known: _Known, extend: Mapping[str, Any] | None
) -> list[FaceFound | None] | None:
    """The faces that nobody accounts for; the picture itself where it couldn't be looked at. None: they have to be
    compared with references that were approved since."""
    if row.state == "unreadable":
        cleared = any(each.box is None for each in known.cleared.get(picture.subject, ()))
        return [] if cleared else [None]
    faces = [FaceFound.from_json(each) for each in row.faces]
    at_stake = [
        face for face in faces if in_region(face, picture.region, row.width or 0, row.height or 0, extend)
    ]
    left = _unaccounted(picture, at_stake, known)
    if left and not known.sets <= set(row.compared):
        return None
    return [at_stake[place] for place in left]


def _pictures(
    kind: Kind, inputs: Mapping[InputSlot, MediaFile], generation_id: UUID | None
) -> list[_Picture]:
    matte = inputs.get(InputSlot.MATTE)
    found = []
    for slot, file in sorted(inputs.items()):
        region = region_of(kind, slot, has_matte=matte is not None)
        own = generation_id is not None and file.generation_id == generation_id
        if region is not None and not own:
            through = matte.id if matte is not None and region is Region.MATTE else None
            found.append(_Picture(slot, file, through, region))
    return found


async def read_screened(
    session: TenantSession, tenant_id: UUID, asked: Sequence[ScreenAsked]
) -> ScreenRecord:
    """Read what is on record of the pictures of requests of one production. Four queries at most."""
    shown = [each for each in asked if each.pictures]
    if not shown:
        return ScreenRecord()
    media = sorted({picture.file.id for each in shown for picture in each.pictures})
    rows = await session.scalars(
        select(Screened).where(
            Screened.tenant_id == tenant_id,
            is_one_of(Screened.media_id, media),
            Screened.evaluator == SCREENER,
        )
    )
    seen = {(row.media_id, row.matte_id): row for row in rows}
    production_id = shown[0].pictures[0].file.production_id
    cleared: dict[Subject, list[Cleared]] = {}
    for row in await session.scalars(
        select(ClearedFace).where(
            ClearedFace.tenant_id == tenant_id,
            ClearedFace.production_id == production_id,
            is_one_of(ClearedFace.media_id, media),
            ClearedFace.revoked_at.is_(None),
        )
    ):
        cleared.setdefault((row.media_id, row.matte_id), []).append(
            Cleared(
                Box(*row.box) if row.box else None,
                ClearedAs(row.decision),
                str(row.character_id) if row.character_id else None,
            )
        )
    characters = {who for each in shown for who in each.characters}
    if not characters:
        return ScreenRecord(seen, cleared)
    cast = [each for each in await approved_cast(session, production_id) if each.kind is CharacterKind.HUMAN]
    sets = [each.reference_set_id for each in cast if each.character_id in characters]
    if not sets:
        return ScreenRecord(seen, cleared, cast)
    references = await session.scalars(
        select(Reference).where(
            Reference.tenant_id == tenant_id,
            is_one_of(Reference.reference_set_id, sets),
            is_one_of(Reference.media_id, media),
            Reference.state == "ready",
        )
    )
    return ScreenRecord(seen, cleared, cast, list(references))


def _known(record: ScreenRecord, asked: ScreenAsked) -> _Known:
    if not asked.characters:
        return _Known({}, (), record.seen, cleared=record.cleared)
    own = [each for each in record.cast if each.character_id in asked.characters]
    sets: dict[str, tuple[str, ...]] = dict.fromkeys(map(str, asked.characters), ())
    for look in own:
        key = str(look.character_id)
        sets[key] = (*sets[key], str(look.reference_set_id))
    owners = {each.reference_set_id: str(each.character_id) for each in own}
    approved: dict[UUID, list[Reference]] = {}
    for reference in record.references:
        if reference.reference_set_id in owners:
            approved.setdefault(reference.media_id, []).append(reference)
    return _Known(sets, record.cast, record.seen, approved, owners, record.cleared)


def _is_reference_of_declared(picture: _Picture, known: _Known) -> bool:
    """A picture that was approved as a declared character's reference shows that character, and nobody else unless
    its inspection found several faces."""
    return any(
        all(each.get("code") != ReferenceFinding.SEVERAL_FACES for each in reference.findings)
        for reference in known.approved.get(picture.file.id, ())
    )


def _unaccounted(picture: _Picture, faces: Sequence[FaceFound], known: _Known) -> list[int]:
    own: dict[str, list[Box]] = {}
    for reference in known.approved.get(picture.file.id, ()):
        if reference.box:
            own.setdefault(known.owners[reference.reference_set_id], []).append(Box(**reference.box))
    cleared = known.cleared.get(picture.subject, ())
    return unaccounted(faces, known.characters, known=own, cleared=cleared)


def _face_line(picture: _Picture, count: int) -> HoldLine:
    where = {
        Region.MATTE: "inside the matte",
        Region.BORDER: "at an edge that is drawn on",
        Region.WHOLE: "in the picture",
    }[picture.region]
    what = "a face" if count == 1 else f"{count} faces"
    return HoldLine(
        "undeclared_face",
        f"The {picture.slot} shows {what} {where} that no declared character accounts for: declare who it is"
        " (`depicts`), or have a rights clearance manager look.",
    )


def _unread_line(picture: _Picture, row: Screened) -> HoldLine:
    return HoldLine(
        "not_screened",
        f"The {picture.slot} couldn't be looked at for people ({row.problem_code or 'unreadable'}): a person has to.",
    )


def _shown(picture: _Picture, face: FaceFound | None) -> dict[str, Any]:
    """What a hold keeps of a face: ids and numbers. Without a box it is the whole picture."""
    box = face.box if face is not None else None
    return {
        "media_id": str(picture.file.id),
        "matte_id": str(picture.matte_id) if picture.matte_id else None,
        "slot": picture.slot.value,
        "box": [box.left, box.top, box.width, box.height] if box else None,
        "face_px": round(face.face_px, 1) if face else None,
        "share": round(face.share, 3) if face else None,
        "crop_key": face.crop if face else None,
    }
