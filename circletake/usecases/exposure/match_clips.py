"""Which takes and shots of a production the clips of a cut are. What names a take wins over what names a shot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, cast, func, literal_column, or_, select

from circletake.domain.exposure.matching import Hints, hints_of, shot_in
from circletake.ports import CutSource
from circletake.records.context import Shot
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession


@dataclass(frozen=True, slots=True)
class Match:
    """`by` says what it was known by; None: by nothing. A file of ours that is no take has its shot only."""

    take_id: UUID | None = None
    shot_id: UUID | None = None
    by: str | None = None


UNKNOWN = Match()


@dataclass(slots=True)
class _Known:
    takes: dict[UUID, Match]
    media: dict[UUID, Match]
    hashes: dict[str, Match]
    take_names: dict[tuple[str, int], Match]
    codes: dict[str, UUID]


async def match_clips(
    session: TenantSession, tenant_id: UUID, production_id: UUID, sources: Sequence[CutSource]
) -> list[Match]:
    """Return a match per clip, in four queries for all of them."""
    hints = [hints_of(each.name, each.hints) for each in sources]
    ids = {found for each in hints for found in each.ids}
    hashes = {found for each in hints for found in each.hashes}
    names = {found for each in hints for found in each.take_names}
    known = _Known({}, {}, {}, {}, {})
    if ids or names:
        await _takes(session, tenant_id, production_id, ids, {gid for gid, _ in names}, known)
    if ids or hashes:
        await _media(session, tenant_id, production_id, ids, hashes, known)
    shots = await session.execute(
        select(Shot.code, Shot.id).where(Shot.tenant_id == tenant_id, Shot.production_id == production_id)
    )
    known.codes = {code.lower(): shot_id for code, shot_id in shots}
    return [_match(each, known) for each in hints]


def _match(hints: Hints, known: _Known) -> Match:
    for found in sorted(hints.ids):
        if found in known.takes:
            return known.takes[found]
    for found in sorted(hints.ids):
        if found in known.media:
            return known.media[found]
    for digest in sorted(hints.hashes):
        if digest in known.hashes:
            return known.hashes[digest]
    for name in sorted(hints.take_names):
        if name in known.take_names:
            return known.take_names[name]
    shot = shot_in(hints.names, known.codes)
    return UNKNOWN if shot is None else Match(None, shot, "shot_code")


async def _takes(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    ids: Collection[UUID],
    gids: Collection[str],
    known: _Known,
) -> None:
    end = func.right(cast(Generation.id, Text), literal_column("6"))
    rows = await session.execute(
        select(Take.id, Take.number, Generation.shot_id, end)
        .join(Generation, Generation.id == Take.generation_id)
        .where(
            Generation.tenant_id == tenant_id,
            Generation.production_id == production_id,
            Take.tenant_id == tenant_id,
            Take.state == "succeeded",
            or_(
                Take.id == any_(cast(list(ids), ARRAY(Uuid))),
                end == any_(cast(list(gids), ARRAY(Text))),
            ),
        )
    )
    for take_id, number, shot_id, gid in rows:
        known.takes[take_id] = Match(take_id, shot_id, "take_id")
        known.take_names[gid, number] = Match(take_id, shot_id, "file_name")


async def _media(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    ids: Collection[UUID],
    hashes: Collection[str],
    known: _Known,
) -> None:
    rows = await session.execute(
        select(MediaFile.id, MediaFile.sha256, MediaFile.take_id, MediaFile.shot_id).where(
            MediaFile.tenant_id == tenant_id,
            MediaFile.production_id == production_id,
            MediaFile.state == "ready",
            or_(
                MediaFile.id == any_(cast(list(ids), ARRAY(Uuid))),
                MediaFile.sha256 == any_(cast(list(hashes), ARRAY(Text))),
            ),
        )
    )
    for media_id, digest, take_id, shot_id in rows:
        known.media[media_id] = Match(take_id, shot_id, "media_id")
        if digest not in known.hashes or take_id is not None:
            known.hashes[digest] = Match(take_id, shot_id, "sha256")
