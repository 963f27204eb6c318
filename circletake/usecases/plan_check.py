"""What a consistency check would judge: its subjects, its files in story order, and against which references.

Everything that can be wrong with the question is found here, before anything is queued.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select

from circletake.domain.consistency.words import CharacterKind
from circletake.domain.errors import Invalid
from circletake.domain.kinds import MediaRole
from circletake.domain.pictures import Violation
from circletake.domain.takes import TakeState
from circletake.records.characters import Character, Look, LookShot, Reference, ReferenceSet
from circletake.records.context import Production, Shot
from circletake.records.context import Sequence as SequenceRecord
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession

MAX_SUBJECTS = 40
MAX_MATERIALS = 2000
JUDGED_ROLES = frozenset(
    {MediaRole.TAKE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.REFERENCE, MediaRole.PROXY}
)


@dataclass(frozen=True, slots=True)
class SubjectAsked:
    """A character, in one look, or in the look that each shot's breakdown gives it."""

    character_id: UUID
    look_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class MaterialAsked:
    """One of: a take, a media file, a shot (its circled takes, or its newest), a sequence (its shots).

    `expected`: the characters that must be in it; None leaves it to the breakdown.
    """

    take_id: UUID | None = None
    media_id: UUID | None = None
    shot_id: UUID | None = None
    sequence_id: UUID | None = None
    expected: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class CastLook:
    """A look with the pictures that define it."""

    character_id: UUID
    look_id: UUID
    look_name: str
    kind: CharacterKind
    reference_set_id: UUID
    references: Sequence[tuple[UUID, int | None]]  # (media file, which of its figures)

    @property
    def key(self) -> str:
        return str(self.look_id)


@dataclass(frozen=True, slots=True)
class MaterialPlanned:
    """A file to be judged; `looks`: of each subject that is asked about in it, by the subject's position."""

    file: MediaFile
    take_id: UUID | None
    shot_id: UUID | None
    expected: frozenset[UUID] | None  # characters
    looks: Mapping[int, CastLook]


@dataclass(frozen=True, slots=True)
class CheckPlan:
    production: Production
    subjects: Sequence[SubjectAsked]
    materials: Sequence[MaterialPlanned]
    cast: Sequence[CastLook]  # every approved look of the production
    skipped: Sequence[dict[str, str]] = field(default_factory=tuple)  # what was asked for and holds nothing


async def plan_check(
    session: TenantSession,
    *,
    production_id: UUID,
    subjects: Sequence[SubjectAsked],
    materials: Sequence[MaterialAsked],
) -> CheckPlan:
    """Resolve a question. Raises Invalid with everything that is wrong with it."""
    production = await session.scalar(select(Production).where(Production.id == production_id))
    if production is None:
        raise Invalid(
            [Violation("/production_id", "not_found", "This production doesn't exist, or isn't yours.")]
        )
    found: list[Violation] = []
    cast = await approved_cast(session, production_id)
    found += await _subject_violations(session, production_id, subjects, cast)
    files, skipped, missing = await _resolve(session, production_id, materials)
    found += missing
    if not files and not found:
        found.append(
            Violation(
                "/material",
                "no_material",
                "None of this holds a picture to judge: name takes, files or shots with takes.",
            )
        )
    if len(files) > MAX_MATERIALS:
        found.append(
            Violation(
                "material", "too_much_material", f"At most {MAX_MATERIALS} files in one check: split it."
            )
        )
    if found:
        raise Invalid(found)
    breakdown = await _breakdown(session, subjects, [each.shot_id for each in files])
    planned, found = _with_looks(files, subjects, cast, breakdown)
    if found:
        raise Invalid(found)
    return CheckPlan(production, subjects, planned, cast, skipped)


async def plan_subjects(
    session: TenantSession, *, production_id: UUID, subjects: Sequence[SubjectAsked], shot_id: UUID | None
) -> tuple[CheckPlan, Mapping[int, CastLook]]:
    """Resolve whom to find in files that are still to come, in this shot: the question, and each subject's look.

    Raises Invalid with everything that is wrong with it.
    """
    production = await session.scalar(select(Production).where(Production.id == production_id))
    if production is None:
        raise Invalid(
            [Violation("/production_id", "not_found", "This production doesn't exist, or isn't yours.")]
        )
    cast = await approved_cast(session, production_id)
    found = await _subject_violations(session, production_id, subjects, cast)
    if found:
        raise Invalid(found)
    breakdown = await _breakdown(session, subjects, [shot_id])
    everybody = frozenset(each.character_id for each in subjects)
    to_come = _Found(MediaFile(), None, shot_id, everybody, "")
    planned, found = _with_looks([to_come], subjects, cast, breakdown)
    if found:
        raise Invalid(found)
    return CheckPlan(production, subjects, (), cast), planned[0].looks


async def approved_cast(session: TenantSession, production_id: UUID) -> list[CastLook]:
    """Every look of the production that has an approved reference set, in a stable order."""
    rows = await session.execute(
        select(
            Character.id,
            Character.kind,
            Look.id,
            Look.name,
            ReferenceSet.id,
            Reference.media_id,
            Reference.figure,
        )
        .join(Look, Look.character_id == Character.id)
        .join(ReferenceSet, ReferenceSet.look_id == Look.id)
        .join(Reference, Reference.reference_set_id == ReferenceSet.id)
        .where(
            Character.production_id == production_id,
            Character.deleted_at.is_(None),
            Look.deleted_at.is_(None),
            ReferenceSet.state == "approved",
            Reference.state == "ready",
        )
        .order_by(Character.id, Look.id, Reference.id)
    )
    looks: dict[UUID, CastLook] = {}
    for character_id, kind, look_id, name, set_id, media_id, figure in rows:
        known = looks.get(look_id)
        references = (*(known.references if known else ()), (media_id, figure))
        looks[look_id] = CastLook(character_id, look_id, name, CharacterKind(kind), set_id, references)
    return list(looks.values())


async def _subject_violations(
    session: TenantSession, production_id: UUID, subjects: Sequence[SubjectAsked], cast: Sequence[CastLook]
) -> list[Violation]:
    if not 0 < len(subjects) <= MAX_SUBJECTS:
        return [Violation("/subjects", "bad_count", f"Ask about 1 to {MAX_SUBJECTS} characters.")]
    known = set(
        await session.scalars(
            select(Character.id).where(
                Character.production_id == production_id,
                Character.deleted_at.is_(None),
                Character.id.in_([each.character_id for each in subjects]),
            )
        )
    )
    found: list[Violation] = []
    seen: set[UUID] = set()
    for position, subject in enumerate(subjects):
        place = f"/subjects/{position}"
        own = [look for look in cast if look.character_id == subject.character_id]
        if subject.character_id not in known:
            message = "This character doesn't exist in this production, or isn't yours."
            found.append(Violation(f"{place}/character_id", "not_found", message))
        elif subject.character_id in seen:
            message = "This character is asked about twice: leave out its look to have each shot's own."
            found.append(Violation(f"{place}/character_id", "duplicate", message))
        elif not own:
            message = "No look of this character has an approved reference set: approve one first."
            found.append(Violation(f"{place}/character_id", "no_approved_references", message))
        elif subject.look_id is not None and subject.look_id not in {look.look_id for look in own}:
            message = "This look isn't this character's, or has no approved reference set."
            found.append(Violation(f"{place}/look_id", "no_approved_references", message))
        seen.add(subject.character_id)
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    file: MediaFile
    take_id: UUID | None
    shot_id: UUID | None
    expected: frozenset[UUID] | None
    place: str


async def _resolve(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> tuple[list[_Found], list[dict[str, str]], list[Violation]]:
    """Find the files, in the order that was asked for and, inside a sequence, in the order of its shots' codes."""
    shots = await _shots(session, production_id, materials)
    takes = await _takes_of_shots(session, shots)
    direct = await _direct(session, production_id, materials)
    files: list[_Found] = []
    skipped: list[dict[str, str]] = []
    missing: list[Violation] = []
    for position, asked in enumerate(materials):
        place = f"/material/{position}"
        expected = None if asked.expected is None else frozenset(asked.expected)
        one = asked.take_id or asked.media_id
        if one is not None:
            pair = direct.get(one)
            if pair is None:
                what = "take" if asked.take_id else "media file"
                message = f"This {what} isn't in this production, has no picture (yet), or isn't yours."
                missing.append(
                    Violation(f"{place}/{'take_id' if asked.take_id else 'media_id'}", "not_found", message)
                )
                continue
            files.append(_Found(pair[0], pair[1], pair[0].shot_id, expected, place))
            continue
        wanted = [
            shot
            for shot in shots
            if (asked.shot_id is not None and shot.id == asked.shot_id)
            or (asked.sequence_id is not None and shot.sequence_id == asked.sequence_id)
        ]
        if not wanted:
            name = "shot_id" if asked.shot_id else "sequence_id"
            message = "There is no such shot here, or the sequence has no shots."
            missing.append(Violation(f"{place}/{name}", "not_found", message))
        for shot in wanted:
            own = takes.get(shot.id, [])
            if not own:
                skipped.append({"shot_id": str(shot.id), "reason": "no_take"})
            files += [_Found(file, take_id, shot.id, expected, place) for take_id, file in own]
    return files, skipped, missing


async def _shots(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> list[Shot]:
    shot_ids = [each.shot_id for each in materials if each.shot_id]
    sequence_ids = [each.sequence_id for each in materials if each.sequence_id]
    if not shot_ids and not sequence_ids:
        return []
    rows = await session.scalars(
        select(Shot)
        .outerjoin(SequenceRecord, SequenceRecord.id == Shot.sequence_id)
        .where(
            Shot.production_id == production_id,
            or_(Shot.id.in_(shot_ids), Shot.sequence_id.in_(sequence_ids)),
        )
        .order_by(SequenceRecord.code, Shot.code)
    )
    return list(rows)


async def _takes_of_shots(
    session: TenantSession, shots: Sequence[Shot]
) -> dict[UUID, list[tuple[UUID, MediaFile]]]:
    """Of each shot its circled takes, or else its newest one: what would be shown of it today."""
    if not shots:
        return {}
    rows = await session.execute(
        select(Generation.shot_id, Take.id, Take.circled, MediaFile)
        .join(Generation, Generation.id == Take.generation_id)
        .join(MediaFile, MediaFile.id == Take.media_id)
        .where(
            Generation.shot_id.in_([shot.id for shot in shots]),
            Take.state == TakeState.SUCCEEDED.value,
            Take.rejected.is_(False),
            MediaFile.state == "ready",
        )
        .order_by(Take.created_at, Take.id)
    )
    circled: dict[UUID, list[tuple[UUID, MediaFile]]] = {}
    newest: dict[UUID, list[tuple[UUID, MediaFile]]] = {}
    for shot_id, take_id, is_circled, file in rows:
        if shot_id is None:
            continue
        if is_circled:
            circled.setdefault(shot_id, []).append((take_id, file))
        newest[shot_id] = [(take_id, file)]
    return {**newest, **circled}


async def _direct(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> dict[UUID, tuple[MediaFile, UUID | None]]:
    """Files named by themselves or by their take, under the id that named them."""
    media_ids = [each.media_id for each in materials if each.media_id]
    take_ids = [each.take_id for each in materials if each.take_id]
    if not media_ids and not take_ids:
        return {}
    rows = await session.scalars(
        select(MediaFile).where(
            MediaFile.production_id == production_id,
            MediaFile.state == "ready",
            MediaFile.role.in_([role.value for role in JUDGED_ROLES]),
            or_(
                MediaFile.id.in_(media_ids),
                and_(MediaFile.take_id.in_(take_ids), MediaFile.role == MediaRole.TAKE.value),
            ),
        )
    )
    found: dict[UUID, tuple[MediaFile, UUID | None]] = {}
    for file in rows:
        found[file.id] = (file, file.take_id)
        if file.take_id is not None and file.role == MediaRole.TAKE.value:
            found[file.take_id] = (file, file.take_id)
    return found


async def _breakdown(
    session: TenantSession, subjects: Sequence[SubjectAsked], shot_ids: Iterable[UUID | None]
) -> dict[tuple[UUID, UUID], UUID]:
    """(character, shot) to look, as the studio's breakdown says."""
    shots = {shot_id for shot_id in shot_ids if shot_id is not None}
    if not shots:
        return {}
    rows = await session.execute(
        select(LookShot.character_id, LookShot.shot_id, LookShot.look_id).where(
            LookShot.shot_id.in_(shots), LookShot.character_id.in_([each.character_id for each in subjects])
        )
    )
    return {(character_id, shot_id): look_id for character_id, shot_id, look_id in rows}


async def planned_again(
    session: TenantSession,
    *,
    file: MediaFile,
    take_id: UUID | None,
    shot_id: UUID | None,
    expected: Sequence[str] | None,
    subjects: Sequence[SubjectAsked],
    cast: Sequence[CastLook],
) -> MaterialPlanned:
    """Plan one file of a check that was accepted before, with the references that are approved now.

    A subject whose look has gone meanwhile is left out.
    """
    breakdown = await _breakdown(session, subjects, [shot_id])
    wanted = None if expected is None else frozenset(UUID(each) for each in expected)
    planned, _ = _with_looks([_Found(file, take_id, shot_id, wanted, "")], subjects, cast, breakdown)
    return planned[0]


def _with_looks(
    files: Sequence[_Found],
    subjects: Sequence[SubjectAsked],
    cast: Sequence[CastLook],
    breakdown: Mapping[tuple[UUID, UUID], UUID],
) -> tuple[list[MaterialPlanned], list[Violation]]:
    by_look = {look.look_id: look for look in cast}
    own = {
        each.character_id: [look for look in cast if look.character_id == each.character_id]
        for each in subjects
    }
    broken_down = {shot_id for _, shot_id in breakdown}
    planned, found = [], []
    for each in files:
        looks: dict[int, CastLook] = {}
        expected = set(each.expected) if each.expected is not None else None
        for position, subject in enumerate(subjects):
            in_shot = breakdown.get((subject.character_id, each.shot_id)) if each.shot_id else None
            if expected is None and each.shot_id in broken_down and in_shot is None:
                continue  # the breakdown says that this character isn't in this shot
            look_id = subject.look_id or in_shot
            if look_id is None and len(own[subject.character_id]) == 1:
                look_id = own[subject.character_id][0].look_id
            if look_id is None or look_id not in by_look:
                found.append(
                    Violation(
                        f"/subjects/{position}/look_id",
                        "no_look_for_shot",
                        "This character has several looks and the breakdown doesn't say which one holds in one of "
                        "these shots: name the look, or give the look its shots."
                        if look_id is None
                        else "The look that holds in one of these shots has no approved reference set.",
                    )
                )
                continue
            looks[position] = by_look[look_id]
        if expected is None and (each.shot_id in broken_down or len(subjects) == 1):
            expected = {look.character_id for look in looks.values()}
        planned.append(
            MaterialPlanned(
                each.file,
                each.take_id,
                each.shot_id,
                frozenset(expected) if expected is not None else None,
                looks,
            )
        )
    return planned, list(dict.fromkeys(found))


def digest(document: Any) -> str:
    """Return the SHA-256 of a JSON document in one spelling, in hex."""
    return hashlib.sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()
    ).hexdigest()


def cast_digest(cast: Sequence[CastLook]) -> str:
    """What the cast is to a judgement: another reference anywhere in it can change what likeness means."""
    return digest(
        [[look.key, look.kind, [list(map(str, each)) for each in look.references]] for look in cast]
    )


def judgement_key(material: MaterialPlanned, position: int, *, cast: str, rules: str) -> str:
    """Everything that one judgement depends on. `rules`: digest of evaluators, profile, sampling, second opinion."""
    return digest(
        {
            "media": str(material.file.id),
            "subject": material.looks[position].key,
            "beside": sorted(look.key for look in material.looks.values()),
            "expected": None if material.expected is None else sorted(map(str, material.expected)),
            "cast": cast,
            "rules": rules,
        }
    )
