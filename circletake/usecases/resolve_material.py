"""Which files a check's material stands for, in story order: takes and files by themselves, shots and sequences by
what would be shown of them today."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import SQLColumnExpression, Uuid, and_, any_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from circletake.domain.kinds import MediaRole
from circletake.domain.pictures import Violation
from circletake.domain.takes import TakeState
from circletake.records.context import Sequence as SequenceRecord
from circletake.records.context import Shot
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession

JUDGED_ROLES = frozenset(
    {MediaRole.TAKE, MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.REFERENCE, MediaRole.PROXY}
)


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
class Found:
    """A file to judge. `expected`: the characters that must be in it, None: nobody said. `named`: it was asked for by
    itself, or by its shot, and not as one of a sequence."""

    file: MediaFile
    take_id: UUID | None
    shot_id: UUID | None
    expected: frozenset[UUID] | None
    named: bool = True


async def resolve_material(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> tuple[list[Found], list[dict[str, str]], list[Violation]]:
    """Find the files, in the order that was asked for and, inside a sequence, in the order of its shots' codes."""
    shots = await _shots(session, production_id, materials)
    takes = await _takes_of_shots(session, shots)
    direct = await _direct(session, production_id, materials)
    files: list[Found] = []
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
            files.append(Found(pair[0], pair[1], pair[0].shot_id, expected))
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
            files += [
                Found(file, take_id, shot.id, expected, named=asked.shot_id is not None)
                for take_id, file in own
            ]
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
            or_(is_one_of(Shot.id, shot_ids), is_one_of(Shot.sequence_id, sequence_ids)),
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
    ranked = (
        select(
            Generation.shot_id,
            Take.id.label("take_id"),
            Take.media_id,
            Take.circled,
            func.bool_or(Take.circled).over(partition_by=Generation.shot_id).label("some_circled"),
            func.row_number()
            .over(partition_by=Generation.shot_id, order_by=(Take.created_at.desc(), Take.id.desc()))
            .label("newest"),
            Take.created_at,
        )
        .join(Generation, Generation.id == Take.generation_id)
        .join(MediaFile, MediaFile.id == Take.media_id)
        .where(
            is_one_of(Generation.shot_id, [shot.id for shot in shots]),
            Take.state == TakeState.SUCCEEDED.value,
            Take.rejected.is_(False),
            MediaFile.state == "ready",
        )
        .subquery()
    )
    rows = await session.execute(
        select(ranked.c.shot_id, ranked.c.take_id, MediaFile)
        .join(MediaFile, MediaFile.id == ranked.c.media_id)
        .where(or_(ranked.c.circled, and_(~ranked.c.some_circled, ranked.c.newest == 1)))
        .order_by(ranked.c.created_at, ranked.c.take_id)
    )
    found: dict[UUID, list[tuple[UUID, MediaFile]]] = {}
    for shot_id, take_id, file in rows:
        found.setdefault(shot_id, []).append((take_id, file))
    return found


def is_one_of(column: SQLColumnExpression[Any], ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Say `column = any(ids)`: one parameter, however many there are."""
    return column == any_(bindparam(None, list(ids), type_=ARRAY(Uuid())))


async def _direct(
    session: TenantSession, production_id: UUID, materials: Sequence[MaterialAsked]
) -> dict[UUID, tuple[MediaFile, UUID | None]]:
    """Files named by themselves or by their take, under the id that named them."""
    media_ids = [each.media_id for each in materials if each.media_id]
    take_ids = [each.take_id for each in materials if each.take_id]
    if not media_ids and not take_ids:
        return {}
    made = {}
    if take_ids:
        rows = await session.execute(
            select(Take.id, Take.media_id).where(is_one_of(Take.id, take_ids), Take.media_id.is_not(None))
        )
        made = {row.media_id: row.id for row in rows}
    files = await session.scalars(
        select(MediaFile).where(
            is_one_of(MediaFile.id, [*media_ids, *made]),
            MediaFile.production_id == production_id,
            MediaFile.state == "ready",
            MediaFile.role.in_([role.value for role in JUDGED_ROLES]),
        )
    )
    found: dict[UUID, tuple[MediaFile, UUID | None]] = {}
    for file in files:
        found[file.id] = (file, file.take_id)
        if file.id in made:
            found[made[file.id]] = (file, made[file.id])
    return found
