"""Ask for a storyboard to be drawn, or for its animatic. What is the same as before isn't made again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from circletake.domain.errors import Conflict
from circletake.domain.people import Actor
from circletake.domain.storyboards.timing import MAX_ANIMATIC_FRAMES
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.records.storyboards import Storyboard, StoryboardFile, StoryboardOutput
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import add_step
from circletake.usecases.storyboards.find_storyboards import (
    OutputKind,
    OutputView,
    find_board,
    output_views,
)
from circletake.usecases.storyboards.plans import (
    BoardPlan,
    close_plan,
    fingerprint_of,
    plan_of,
    stills_key_of,
)

STEP_KINDS: Mapping[OutputKind, str] = {"drawing": "storyboard", "animatic": "animatic"}


async def request_output(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    storyboard_id: UUID,
    kind: OutputKind,
    settings: Mapping[str, Any],
) -> OutputView:
    """Return the output that shows the storyboard as it is now, and have it made unless it is there or on its way.
    Raises NotFound, or Conflict: it has no panels, or they last too long."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id, lock=True)
        plan = await plan_of(session, seal, board)
        _require_possible(plan, kind)
        fingerprint = fingerprint_of(seal, board, kind, settings, plan)
        output = await _same(session, tenant_id, fingerprint)
        if output is None:
            output = await _new(session, seal, actor, board, kind, settings, plan, fingerprint)
            await _queue(session, output)
        elif await _to_be_made_again(session, output):
            await _again(session, seal, actor, output)
            await _queue(session, output)
        return (await output_views(session, [output]))[0]


def _require_possible(plan: BoardPlan, kind: OutputKind) -> None:
    if not plan.panels:
        raise Conflict("This storyboard has no panels yet: put some first.", code="storyboard_empty")
    if kind == "animatic" and plan.frames > MAX_ANIMATIC_FRAMES:
        raise Conflict(
            f"The panels last {plan.frames} frames together; an animatic has at most {MAX_ANIMATIC_FRAMES}:"
            " make a storyboard of each sequence, or shorten panels.",
            code="animatic_too_long",
            frames=plan.frames,
        )


async def _same(session: TenantSession, tenant_id: UUID, fingerprint: str) -> StoryboardOutput | None:
    return await session.scalar(
        select(StoryboardOutput)
        .where(StoryboardOutput.tenant_id == tenant_id, StoryboardOutput.fingerprint == fingerprint)
        .with_for_update()
    )


async def _new(
    session: TenantSession,
    seal: Seal,
    actor: Actor,
    board: Storyboard,
    kind: OutputKind,
    settings: Mapping[str, Any],
    plan: BoardPlan,
    fingerprint: str,
) -> StoryboardOutput:
    output_id = new_id()
    output = StoryboardOutput(
        id=output_id,
        tenant_id=board.tenant_id,
        production_id=board.production_id,
        storyboard_id=board.id,
        storyboard_version=plan.version,
        kind=kind,
        settings=dict(settings),
        plan=close_plan(seal, plan, output_id),
        fingerprint=fingerprint,
        stills_key=stills_key_of(seal, board, plan),
        panels=len(plan.panels),
        frame_count=plan.frames,
        frame_rate=str(plan.rate),
        remarks=[],
    )
    await _ask(session, seal, actor, output)
    session.add(output)
    await session.flush()
    return output


async def _ask(session: TenantSession, seal: Seal, actor: Actor, output: StoryboardOutput) -> None:
    """Put on record who asked; manifests cite the entry."""
    output.state, output.failure_code, output.finished_at = "queued", None, None
    output.asked_by, output.asked_by_person, output.asked_at = (
        actor.api_key_id,
        actor.person_id,
        clock.now(),
    )
    output.ledger_entry_id = await record_entry(
        session,
        seal,
        tenant_id=output.tenant_id,
        kind=f"storyboard.{output.kind}_requested",
        subject_id=output.id,
        body={
            "production": str(output.production_id),
            "storyboard": str(output.storyboard_id),
            "version": output.storyboard_version,
            **actor.for_ledger(),
        },
    )


async def _to_be_made_again(session: TenantSession, output: StoryboardOutput) -> bool:
    """Whether it failed, or a file of it was withdrawn since."""
    if output.state != "ready":
        return output.state == "failed"
    gone = await session.scalar(
        select(StoryboardFile.id)
        .join(MediaFile, MediaFile.id == StoryboardFile.media_id)
        .where(
            StoryboardFile.tenant_id == output.tenant_id,
            StoryboardFile.output_id == output.id,
            MediaFile.state != "ready",
        )
        .limit(1)
    )
    return gone is not None


async def _again(session: TenantSession, seal: Seal, actor: Actor, output: StoryboardOutput) -> None:
    """Forget which files it had: what was published stays among the production's files."""
    await session.execute(
        delete(StoryboardFile)
        .where(StoryboardFile.tenant_id == output.tenant_id, StoryboardFile.output_id == output.id)
        .execution_options(synchronize_session=False)
    )
    output.pages, output.remarks = None, []
    await _ask(session, seal, actor, output)
    await session.flush()


async def _queue(session: TenantSession, output: StoryboardOutput) -> None:
    kind = STEP_KINDS["drawing" if output.kind == "drawing" else "animatic"]
    await add_step(session, output.tenant_id, kind=kind, lane="finish", subject_id=output.id)
    await wake_dispatcher(session)
