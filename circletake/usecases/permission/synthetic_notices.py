"""Synthetic performers: human characters whom nobody portrays. The union is told before they are in a deliverable.

SAG-AFTRA 2026 asks for notice and bargaining, and for the significant additional value that the character brings.
Policy packs read these records: a rule can keep a request for a deliverable waiting until there is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select, tuple_

from circletake.domain.errors import NotFound, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import is_to_come
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.performers import SyntheticPerformerNotice
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_characters import refuse_deleted
from circletake.usecases.edit_context import Expect
from circletake.usecases.find_characters import find_character
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_performers import Position
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class NoticeView:
    notice: SyntheticPerformerNotice
    value_statement: str = field(repr=False)


def _place(notice_id: UUID) -> str:
    return f"synthetic_performer_notices.value_statement:{notice_id}"


def notice_view(seal: Seal, notice: SyntheticPerformerNotice) -> NoticeView:
    return NoticeView(notice, open_text(seal, notice.value_statement, _place(notice.id)) or "")


async def record_notice(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    character_id: UUID,
    value_statement: str,
    notice_on: date,
    bargaining_status: str,
    claim: IdempotencyClaim | None,
    answer: Callable[[NoticeView], Answer],
) -> Answer:
    """Put on record that the union was told of a synthetic performer. Raises NotFound, Conflict for a deleted
    character, or Invalid for a day to come."""
    if is_to_come(notice_on, clock.now()):
        raise invalid("/notice_on", "in_the_future", "Notice can't have been given on a day to come.")
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        character = await find_character(session, tenant_id, character_id, lock="share")
        refuse_deleted(character)
        notice = SyntheticPerformerNotice(
            id=new_id(),
            tenant_id=tenant_id,
            production_id=character.production_id,
            character_id=character_id,
            notice_on=notice_on,
            bargaining_status=bargaining_status,
            recorded_by=actor.person_id,
        )
        notice.value_statement = seal.close(value_statement, place=_place(notice.id))
        session.add(notice)
        await session.flush()
        await _record(session, seal, actor, notice, "synthetic_performer.noticed")
        reply = answer(notice_view(seal, notice))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_notice(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    notice_id: UUID,
    bargaining_status: str,
    expect: Expect,
) -> NoticeView:
    """Say how bargaining stands. Raises NotFound or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        notice = await _find(session, tenant_id, notice_id, lock=True)
        expect(notice.version)
        if notice.bargaining_status != bargaining_status:
            notice.bargaining_status = bargaining_status
            notice.version += 1
            await _record(session, seal, actor, notice, "synthetic_performer.bargained")
        return notice_view(seal, notice)


async def get_notice(database: Database, seal: Seal, tenant_id: UUID, notice_id: UUID) -> NoticeView:
    async with database.tenant(tenant_id) as session:
        return notice_view(seal, await _find(session, tenant_id, notice_id))


async def list_notices(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    character_id: UUID | None = None,
) -> Sequence[SyntheticPerformerNotice]:
    """Return a production's notices, newest first; value statements stay sealed. Raises NotFound."""
    query = select(SyntheticPerformerNotice).where(
        SyntheticPerformerNotice.tenant_id == tenant_id,
        SyntheticPerformerNotice.production_id == production_id,
    )
    if character_id is not None:
        query = query.where(SyntheticPerformerNotice.character_id == character_id)
    if before is not None:
        place = tuple_(SyntheticPerformerNotice.created_at, SyntheticPerformerNotice.id)
        query = query.where(place < before)
    query = query.order_by(
        SyntheticPerformerNotice.created_at.desc(), SyntheticPerformerNotice.id.desc()
    ).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query))


async def _find(
    session: TenantSession, tenant_id: UUID, notice_id: UUID, *, lock: bool = False
) -> SyntheticPerformerNotice:
    query = select(SyntheticPerformerNotice).where(
        SyntheticPerformerNotice.tenant_id == tenant_id, SyntheticPerformerNotice.id == notice_id
    )
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("notice")
    return found


async def _record(
    session: TenantSession, seal: Seal, actor: Actor, notice: SyntheticPerformerNotice, kind: str
) -> None:
    await record_entry(
        session,
        seal,
        tenant_id=notice.tenant_id,
        kind=kind,
        subject_id=notice.id,
        body={
            "character": str(notice.character_id),
            "notice_on": notice.notice_on.isoformat(),
            "bargaining_status": notice.bargaining_status,
            "value_statement_hash": seal.keyed_hash(notice_view(seal, notice).value_statement.encode()),
            **actor.for_ledger(),
        },
    )
