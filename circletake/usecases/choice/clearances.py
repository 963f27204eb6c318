"""What a production cleared a shot to show: stated and ended by people, kept with the shot.

It is shown beside a filter's refusal. It is never put into a prompt and never sent to a model: a clearance says what
the production may make, not what a provider has to.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from circletake.domain.choice.clearances import ClearedSubject
from circletake.domain.errors import NotFound
from circletake.domain.people import Actor
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.choice import ShotClearance
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_shot
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.resolve_material import is_one_of


@dataclass(frozen=True, slots=True)
class ClearanceView:
    """A clearance with its opened statement."""

    clearance: ShotClearance
    statement: str = field(repr=False)


async def clear_shot(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    shot_id: UUID,
    subjects: Sequence[ClearedSubject],
    statement: str,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[ClearanceView], Answer],
) -> Answer:
    """State that the production may show these subjects in this shot. Raises NotFound."""
    if actor.person_id is None:
        raise ValueError("a clearance is stated by a person")
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        shot = await find_shot(session, tenant_id, shot_id)
        clearance_id = new_id()
        clearance = ShotClearance(
            id=clearance_id,
            tenant_id=tenant_id,
            created_at=now,
            production_id=shot.production_id,
            shot_id=shot.id,
            subjects=sorted({each.value for each in subjects}),
            statement=seal.close(statement, place=_place(clearance_id)),
            cleared_by=actor.person_id,
        )
        session.add(clearance)
        await session.flush()
        await _enter(session, seal, "stated", clearance, statement, actor)
        reply = answer(ClearanceView(clearance, statement))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def list_clearances(
    database: Database, seal: Seal, tenant_id: UUID, shot_id: UUID
) -> Sequence[ClearanceView]:
    """Return a shot's clearances, the newest first, ended ones too. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_shot(session, tenant_id, shot_id)
        rows = await session.scalars(
            select(ShotClearance)
            .where(ShotClearance.tenant_id == tenant_id, ShotClearance.shot_id == shot_id)
            .order_by(ShotClearance.created_at.desc(), ShotClearance.id.desc())
        )
        return [_view(seal, row) for row in rows]


async def end_clearance(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    shot_id: UUID,
    clearance_id: UUID,
    now: datetime,
) -> None:
    """Take a clearance back, from now on; one that has ended stays as it is. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_shot(session, tenant_id, shot_id)
        clearance = await session.scalar(
            select(ShotClearance)
            .where(
                ShotClearance.tenant_id == tenant_id,
                ShotClearance.shot_id == shot_id,
                ShotClearance.id == clearance_id,
            )
            .with_for_update()
        )
        if clearance is None:
            raise NotFound("clearance")
        if clearance.ended_at is None:
            clearance.ended_at, clearance.ended_by = now, actor.person_id
            await session.flush()
            await _enter(session, seal, "ended", clearance, None, actor)


async def standing_clearances(
    session: TenantSession, tenant_id: UUID, shot_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[UUID]]:
    """Return the clearances that stand now, by shot, the oldest first."""
    found: dict[UUID, list[UUID]] = {}
    if not shot_ids:
        return found
    rows = await session.execute(
        select(ShotClearance.shot_id, ShotClearance.id)
        .where(
            ShotClearance.tenant_id == tenant_id,
            is_one_of(ShotClearance.shot_id, list(shot_ids)),
            ShotClearance.ended_at.is_(None),
        )
        .order_by(ShotClearance.created_at, ShotClearance.id)
    )
    for row in rows:
        found.setdefault(row.shot_id, []).append(row.id)
    return found


async def clearances_at(
    session: TenantSession, tenant_id: UUID, shot_id: UUID | None, at: datetime
) -> Sequence[ShotClearance]:
    """Return what stood for a shot at a moment, the oldest first."""
    if shot_id is None:
        return []
    rows = await session.scalars(
        select(ShotClearance)
        .where(
            ShotClearance.tenant_id == tenant_id,
            ShotClearance.shot_id == shot_id,
            ShotClearance.created_at <= at,
            or_(ShotClearance.ended_at.is_(None), ShotClearance.ended_at > at),
        )
        .order_by(ShotClearance.created_at, ShotClearance.id)
    )
    return rows.all()


def _view(seal: Seal, clearance: ShotClearance) -> ClearanceView:
    return ClearanceView(clearance, seal.open(clearance.statement, place=_place(clearance.id)).decode())


def _place(clearance_id: UUID) -> str:
    return f"shot_clearances.statement:{clearance_id}"


async def _enter(
    session: TenantSession,
    seal: Seal,
    act: str,
    clearance: ShotClearance,
    statement: str | None,
    actor: Actor,
) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=clearance.tenant_id,
        kind=f"shot_clearance.{act}",
        subject_id=clearance.id,
        body={
            "production": str(clearance.production_id),
            "shot": str(clearance.shot_id),
            "subjects": clearance.subjects,
            "statement_hash": seal.keyed_hash(statement.encode()) if statement else None,
            **actor.for_ledger(),
        },
    )
