"""What a consistency check would judge: its subjects, its files in story order, and against which references.

Everything that can be wrong with the question is found here, before anything is queued.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from circletake.domain.consistency.words import CharacterKind
from circletake.domain.errors import Invalid
from circletake.domain.pictures import Violation
from circletake.records.characters import Character, Look, LookShot, Reference, ReferenceSet
from circletake.records.context import Production
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.resolve_material import Found, MaterialAsked, is_one_of, resolve_material

MAX_SUBJECTS = 40
MAX_MATERIALS = 2000
MAX_JUDGEMENTS = 20_000  # characters times files: what one continuity sheet can hold


@dataclass(frozen=True, slots=True)
class SubjectAsked:
    """A character, in one look, or in the look that each shot's breakdown gives it."""

    character_id: UUID
    look_id: UUID | None = None


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
    files, skipped, missing = await resolve_material(session, production_id, materials)
    found += missing + await _expected_violations(session, production_id, materials)
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
                "/material", "too_much_material", f"At most {MAX_MATERIALS} files in one check: split it."
            )
        )
    if len(files) * len(subjects) > MAX_JUDGEMENTS:
        message = f"At most {MAX_JUDGEMENTS} characters times files in one check: split it."
        found.append(Violation("/material", "too_much_material", message))
    if found:
        raise Invalid(found)
    breakdown = await _breakdown(session, [each.shot_id for each in files])
    planned, found = _with_looks(files, subjects, cast, breakdown)
    if found:
        raise Invalid(found)
    judged = [each for each in planned if each.looks]
    skipped += [
        {"media_id": str(each.file.id), "shot_id": str(each.shot_id), "reason": "not_in_breakdown"}
        for each in planned
        if not each.looks
    ]
    if not judged:
        message = "By the breakdown none of these characters is in any of it: say who is `expected`."
        raise Invalid([Violation("/material", "no_material", message)])
    return CheckPlan(production, subjects, judged, cast, skipped)


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
    breakdown = await _breakdown(session, [shot_id])
    everybody = frozenset(each.character_id for each in subjects)
    to_come = Found(MediaFile(), None, shot_id, everybody)
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


async def _expected_violations(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> list[Violation]:
    named = {each for asked in materials for each in asked.expected or ()}
    if not named:
        return []
    known = set(
        await session.scalars(
            select(Character.id).where(
                Character.production_id == production_id,
                Character.deleted_at.is_(None),
                is_one_of(Character.id, list(named)),
            )
        )
    )
    message = "This character doesn't exist in this production, or isn't yours."
    return [
        Violation(f"/material/{position}/expected/{place}", "not_found", message)
        for position, asked in enumerate(materials)
        for place, character_id in enumerate(asked.expected or ())
        if character_id not in known
    ]


async def _breakdown(session: TenantSession, shot_ids: Iterable[UUID | None]) -> dict[UUID, dict[UUID, UUID]]:
    """Who is in these shots, in which look, as the studio's breakdown says. A shot that isn't in it: nobody said."""
    shots = {shot_id for shot_id in shot_ids if shot_id is not None}
    if not shots:
        return {}
    rows = await session.execute(
        select(LookShot.character_id, LookShot.shot_id, LookShot.look_id).where(
            is_one_of(LookShot.shot_id, list(shots))
        )
    )
    found: dict[UUID, dict[UUID, UUID]] = {}
    for character_id, shot_id, look_id in rows:
        found.setdefault(shot_id, {})[character_id] = look_id
    return found


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
    breakdown = await _breakdown(session, [shot_id])
    wanted = None if expected is None else frozenset(UUID(each) for each in expected)
    planned, _ = _with_looks([Found(file, take_id, shot_id, wanted)], subjects, cast, breakdown)
    return planned[0]


def _with_looks(
    files: Sequence[Found],
    subjects: Sequence[SubjectAsked],
    cast: Sequence[CastLook],
    breakdown: Mapping[UUID, Mapping[UUID, UUID]],
) -> tuple[list[MaterialPlanned], list[Violation]]:
    """Give every subject of every file its look. Whom neither the breakdown nor anybody else expects in a shot that is
    broken down isn't looked for there. A plan made again of its own result is the same plan."""
    by_look = {look.look_id: look for look in cast}
    own: dict[UUID, list[CastLook]] = {}
    for look in cast:
        own.setdefault(look.character_id, []).append(look)
    planned: list[MaterialPlanned] = []
    found: list[Violation] = []
    for each in files:
        in_shot = breakdown.get(each.shot_id) if each.shot_id else None
        expected = each.expected
        if expected is None and len(subjects) == 1 and (each.named or in_shot is None):
            expected = frozenset([subjects[0].character_id])
        looks: dict[int, CastLook] = {}
        for position, subject in enumerate(subjects):
            told = None if in_shot is None else in_shot.get(subject.character_id)
            if in_shot is not None and told is None and subject.character_id not in (expected or ()):
                continue
            only = own.get(subject.character_id, [])
            look_id = subject.look_id or told or (only[0].look_id if len(only) == 1 else None)
            if look_id is None or look_id not in by_look:
                found.append(_no_look(position, several=look_id is None))
                continue
            looks[position] = by_look[look_id]
        if expected is None and in_shot is not None:
            expected = frozenset(look.character_id for look in looks.values())
        planned.append(MaterialPlanned(each.file, each.take_id, each.shot_id, expected, looks))
    return planned, list(dict.fromkeys(found))


def _no_look(position: int, *, several: bool) -> Violation:
    message = (
        "This character has several looks and the breakdown doesn't say which one holds in one of these shots: name"
        " the look, or give the look its shots."
        if several
        else "The look that holds in one of these shots has no approved reference set."
    )
    return Violation(f"/subjects/{position}/look_id", "no_look_for_shot", message)
