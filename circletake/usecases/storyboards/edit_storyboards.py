"""Making, changing and deleting storyboards. An edit names the version it was made from."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select

from circletake.domain.errors import invalid
from circletake.domain.people import Actor
from circletake.domain.storyboards.panels import Known
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Production
from circletake.records.context import Sequence as ShotSequence
from circletake.records.session import Database, TenantSession
from circletake.records.storyboards import Storyboard, StoryboardPanel
from circletake.usecases.edit_context import Expect
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.storyboards.edit_panels import insert_panels
from circletake.usecases.storyboards.find_storyboards import StoryboardView, board_view, find_board
from circletake.usecases.storyboards.from_breakdown import drafts_from_breakdown
from circletake.usecases.storyboards.words import BOARD_TEXTS, closed_board_words


async def create_storyboard(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    values: Mapping[str, Any],
    claim: IdempotencyClaim | None,
    answer: Callable[[StoryboardView], Answer],
) -> Answer:
    """Make a storyboard with the production's next number: without panels, or with those that a script breakdown's
    shots become (`breakdown_id` in the values). Raises NotFound or Invalid."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await find_production(session, tenant_id, production_id)
        await _require_sequence(session, tenant_id, production_id, values.get("sequence_id"))
        # one after the other: they count
        await session.execute(
            select(Production.id)
            .where(Production.tenant_id == tenant_id, Production.id == production_id)
            .with_for_update(key_share=True)
        )
        last = await session.scalar(
            select(func.max(Storyboard.number)).where(
                Storyboard.tenant_id == tenant_id, Storyboard.production_id == production_id
            )
        )
        board_id = new_id()
        board = Storyboard(
            id=board_id,
            tenant_id=tenant_id,
            production_id=production_id,
            number=(last or 0) + 1,
            sequence_id=values.get("sequence_id"),
            external_ref=values.get("external_ref"),
            **closed_board_words(seal, board_id, values),
        )
        session.add(board)
        await session.flush()
        if values.get("breakdown_id") is not None:
            drafts = await drafts_from_breakdown(
                session,
                seal,
                tenant_id=tenant_id,
                production_id=production_id,
                breakdown_id=values["breakdown_id"],
                scene=values.get("scene"),
            )
            await insert_panels(session, seal, board, drafts, Known())
        reply = answer(await board_view(session, seal, board))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def edit_storyboard(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    storyboard_id: UUID,
    values: Mapping[str, Any],
    expect: Expect,
) -> StoryboardView:
    """Change a storyboard's words and references. Raises NotFound, Invalid or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id, lock=True)
        expect(board.version)
        await _require_sequence(session, tenant_id, board.production_id, values.get("sequence_id"))
        for name, closed in closed_board_words(seal, board.id, values).items():
            setattr(board, name, closed)
        for name in ("sequence_id", "external_ref"):
            if name in values:
                setattr(board, name, values[name])
        board.version += 1
        await session.flush()
        return await board_view(session, seal, board)


async def delete_storyboard(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, storyboard_id: UUID, expect: Expect
) -> None:
    """Delete a storyboard with its panels and words. What was drawn from it stays among the production's files.
    Raises NotFound or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id, lock=True)
        expect(board.version)
        await session.execute(
            delete(StoryboardPanel)
            .where(StoryboardPanel.tenant_id == tenant_id, StoryboardPanel.storyboard_id == board.id)
            .execution_options(synchronize_session=False)
        )
        for name in BOARD_TEXTS:
            setattr(board, name, None)
        board.deleted_at = clock.now()
        board.version += 1
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="storyboard.deleted",
            subject_id=board.id,
            body={"production": str(board.production_id), "version": board.version, **actor.for_ledger()},
        )
        await session.flush()


async def _require_sequence(
    session: TenantSession, tenant_id: UUID, production_id: UUID, sequence_id: UUID | None
) -> None:
    if sequence_id is None:
        return
    found = await session.scalar(
        select(ShotSequence.id).where(
            ShotSequence.tenant_id == tenant_id,
            ShotSequence.production_id == production_id,
            ShotSequence.id == sequence_id,
        )
    )
    if found is None:
        raise invalid("/sequence_id", "unknown_sequence", "There is no such sequence in this production.")
