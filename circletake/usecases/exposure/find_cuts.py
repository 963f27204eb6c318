"""Reads of cuts and their clips, and the choice of the one that counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor
from circletake.ports import Seal
from circletake.records.exposure import Cut, CutClip
from circletake.records.generations import Take
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.exposure.limits import tell_of_cut
from circletake.usecases.exposure.names import open_names
from circletake.usecases.exposure.picture import count_this, lock_production
from circletake.usecases.find_context import find_production
from circletake.usecases.ledger import record_entry


@dataclass(frozen=True, slots=True)
class CutView:
    """A cut with how many of its clips are takes, shots, our other files, and unknown."""

    cut: Cut
    clips: int = 0
    takes: int = 0
    unmatched: int = 0


@dataclass(frozen=True, slots=True)
class ClipView:
    clip: CutClip
    name: str = field(repr=False)
    circled: bool | None = None  # the take, now; null where there is none


async def get_cut(database: Database, tenant_id: UUID, cut_id: UUID) -> CutView:
    async with database.tenant(tenant_id) as session:
        return await _view(session, await find_cut(session, tenant_id, cut_id))


async def find_cut(session: TenantSession, tenant_id: UUID, cut_id: UUID) -> Cut:
    cut = await session.scalar(select(Cut).where(Cut.tenant_id == tenant_id, Cut.id == cut_id))
    if cut is None:
        raise NotFound("cut")
    return cut


async def _view(session: TenantSession, cut: Cut) -> CutView:
    row = (
        await session.execute(
            select(
                func.count(),
                func.count(CutClip.take_id),
                func.count().filter(CutClip.matched_by.is_(None)),
            ).where(CutClip.tenant_id == cut.tenant_id, CutClip.cut_id == cut.id)
        )
    ).one()
    return CutView(cut, *row)


async def list_cuts(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[CutView]:
    """Return a production's cuts, newest first. Raises NotFound."""
    query = select(Cut).where(Cut.tenant_id == tenant_id, Cut.production_id == production_id)
    if before is not None:
        query = query.where(tuple_(Cut.created_at, Cut.id) < before)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        rows = await session.scalars(query.order_by(Cut.created_at.desc(), Cut.id.desc()).limit(limit))
        return [await _view(session, cut) for cut in rows.all()]


async def list_clips(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    cut_id: UUID,
    *,
    limit: int,
    after: int | None = None,
    matched: bool | None = None,
    take_id: UUID | None = None,
    shot_id: UUID | None = None,
) -> Sequence[ClipView]:
    """Return a cut's clips in the file's order, after the number `after`. Raises NotFound."""
    query = (
        select(CutClip, Take.circled)
        .outerjoin(Take, (Take.tenant_id == CutClip.tenant_id) & (Take.id == CutClip.take_id))
        .where(CutClip.tenant_id == tenant_id, CutClip.cut_id == cut_id)
    )
    if after is not None:
        query = query.where(CutClip.number > after)
    if matched is not None:
        query = query.where(CutClip.matched_by.is_not(None) if matched else CutClip.matched_by.is_(None))
    if take_id is not None:
        query = query.where(CutClip.take_id == take_id)
    if shot_id is not None:
        query = query.where(CutClip.shot_id == shot_id)
    async with database.tenant(tenant_id) as session:
        cut = await find_cut(session, tenant_id, cut_id)
        rows = (await session.execute(query.order_by(CutClip.number).limit(limit))).all()
    names = open_names(seal, cut.id, cut.names)
    return [ClipView(clip, names[clip.number], circled) for clip, circled in rows]


async def activate_cut(
    database: Database, seal: Seal, *, tenant_id: UUID, cut_id: UUID, actor: Actor
) -> CutView:
    """Let an older cut count, or a newer one again. Raises NotFound, or Conflict for one that wasn't read."""
    async with database.tenant(tenant_id) as session:
        found = await find_cut(session, tenant_id, cut_id)
        production = await lock_production(session, tenant_id, found.production_id)
        await session.refresh(found)
        if found.state != "ready":
            raise Conflict(
                f"This cut is {found.state}; only one that was read can count.", code="cut_not_ready"
            )
        if not found.active:
            await count_this(session, found)
            await tell_of_cut(session, production)
            await record_entry(
                session,
                seal,
                tenant_id=tenant_id,
                kind="cut.activated",
                subject_id=cut_id,
                body={"production": str(production.id), **actor.for_ledger()},
            )
            await wake_dispatcher(session)
        return await _view(session, found)
