"""The panels of a storyboard, as one ordered list or one by one. Every change is a new version of the storyboard."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from circletake.domain.errors import Invalid, NotFound
from circletake.domain.exposure.rates import parse_rate
from circletake.domain.storyboards.panels import (
    TEXTS,
    Known,
    KnownPicture,
    KnownTake,
    PanelDraft,
    panel_violations,
)
from circletake.domain.storyboards.timing import default_frames
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.context import Shot
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.records.storyboards import Storyboard, StoryboardPanel
from circletake.records.together import insert_together
from circletake.usecases.edit_context import Expect
from circletake.usecases.find_context import find_production
from circletake.usecases.storyboards.ai_words import with_ai_words
from circletake.usecases.storyboards.find_storyboards import PanelView, find_board, panel_views
from circletake.usecases.storyboards.words import closed_panel_words, panel_words


async def put_panels(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    storyboard_id: UUID,
    drafts: Sequence[PanelDraft],
    expect: Expect,
) -> tuple[Storyboard, Sequence[PanelView]]:
    """Set all panels of a storyboard; the order of the list is their numbers. Raises NotFound, Invalid with a
    pointer into every row that is wrong, or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id, lock=True)
        expect(board.version)
        known = await _known(session, board, drafts)
        violations = panel_violations(drafts, known)
        if violations:
            raise Invalid(violations)
        await session.execute(
            delete(StoryboardPanel)
            .where(StoryboardPanel.tenant_id == tenant_id, StoryboardPanel.storyboard_id == board.id)
            .execution_options(synchronize_session=False)
        )
        await insert_panels(session, seal, board, drafts, known)
        board.version += 1
        await session.flush()
        return board, await panel_views(session, seal, board)


async def insert_panels(
    session: TenantSession, seal: Seal, board: Storyboard, drafts: Sequence[PanelDraft], known: Known
) -> None:
    """Insert the panels of a storyboard that has none, numbered in their order."""
    production = await find_production(session, board.tenant_id, board.production_id)
    usual = default_frames(parse_rate(production.frame_rate))
    marked = await with_ai_words(session, seal, board.tenant_id, drafts)
    rows = [_row(seal, board, number, each, known, usual) for number, each in enumerate(marked, start=1)]
    if rows:
        await insert_together(session, (StoryboardPanel, rows))


def _row(
    seal: Seal, board: Storyboard, number: int, draft: PanelDraft, known: Known, usual: int
) -> dict[str, Any]:
    panel_id = draft.id or new_id()
    words = closed_panel_words(seal, panel_id, {name: draft.texts.get(name) for name in TEXTS})
    return {
        "id": panel_id,
        "tenant_id": board.tenant_id,
        "storyboard_id": board.id,
        "number": number,
        "shot_id": draft.shot_id,
        "take_id": draft.take_id,
        "media_id": _media_id(draft, known),
        **words,
        "ai_generated_text": draft.ai_generated_text,
        "duration_frames": draft.duration_frames or usual,
    }


def _media_id(draft: PanelDraft, known: Known) -> UUID | None:
    if draft.take_id is None:
        return draft.media_id
    picture = known.takes[draft.take_id].picture
    return picture.media_id if picture is not None else None


async def edit_panel(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    storyboard_id: UUID,
    panel_id: UUID,
    values: Mapping[str, Any],
    expect: Expect,
) -> tuple[Storyboard, PanelView]:
    """Change one panel where it stands. A take in `values` takes the place of a media file, and the other way round.
    Raises NotFound, Invalid or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id, lock=True)
        panel = await session.scalar(
            select(StoryboardPanel).where(
                StoryboardPanel.tenant_id == tenant_id,
                StoryboardPanel.storyboard_id == board.id,
                StoryboardPanel.id == panel_id,
            )
        )
        if panel is None:
            raise NotFound("panel")
        expect(board.version)
        draft = PanelDraft(
            shot_id=values.get("shot_id"), take_id=values.get("take_id"), media_id=values.get("media_id")
        )
        known = await _known(session, board, [draft])
        violations = panel_violations([draft], known, at="")
        if violations:
            raise Invalid(violations)
        if "take_id" in values or "media_id" in values:
            panel.take_id, panel.media_id = draft.take_id, _media_id(draft, known)
        for name in ("shot_id", "ai_generated_text", "duration_frames"):
            if name in values:
                setattr(panel, name, values[name])
        texts = {**panel_words(seal, panel), **{name: values[name] for name in TEXTS if name in values}}
        marked = await with_ai_words(session, seal, tenant_id, [PanelDraft(texts=texts)])
        panel.ai_generated_text = panel.ai_generated_text or marked[0].ai_generated_text
        for name, closed in closed_panel_words(seal, panel.id, values).items():
            setattr(panel, name, closed)
        board.version += 1
        await session.flush()
        return board, (await panel_views(session, seal, board, panel_id=panel.id))[0]


async def _known(session: TenantSession, board: Storyboard, drafts: Sequence[PanelDraft]) -> Known:
    """Look up, in four queries for all rows, what of their ids there is in the storyboard's production."""
    tenant_id, production_id = board.tenant_id, board.production_id
    panels = await session.scalars(
        select(StoryboardPanel.id).where(
            StoryboardPanel.tenant_id == tenant_id, StoryboardPanel.storyboard_id == board.id
        )
    )
    shots = await session.scalars(
        select(Shot.id).where(
            Shot.tenant_id == tenant_id,
            Shot.production_id == production_id,
            Shot.id.in_({each.shot_id for each in drafts if each.shot_id}),
        )
    )
    takes = await session.execute(
        select(Take.id, Take.state, MediaFile)
        .join(Generation, (Generation.tenant_id == Take.tenant_id) & (Generation.id == Take.generation_id))
        .outerjoin(MediaFile, (MediaFile.tenant_id == Take.tenant_id) & (MediaFile.id == Take.media_id))
        .where(
            Take.tenant_id == tenant_id,
            Generation.production_id == production_id,
            Take.id.in_({each.take_id for each in drafts if each.take_id}),
        )
    )
    files = await session.scalars(
        select(MediaFile).where(
            MediaFile.tenant_id == tenant_id,
            MediaFile.production_id == production_id,
            MediaFile.id.in_({each.media_id for each in drafts if each.media_id}),
        )
    )
    return Known(
        frozenset(panels),
        frozenset(shots),
        {
            take_id: KnownTake(take_id, state, None if file is None else _picture(file))
            for take_id, state, file in takes
        },
        {file.id: _picture(file) for file in files},
    )


def _picture(file: MediaFile) -> KnownPicture:
    return KnownPicture(file.id, file.role, file.media_type, file.state)
