"""Reads of storyboards, their panels and what was drawn from them. Every query names the tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, tuple_

from circletake.domain.errors import NotFound
from circletake.domain.exposure.rates import parse_rate
from circletake.domain.storyboards.panels import board_name
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.records.storyboards import Storyboard, StoryboardFile, StoryboardOutput, StoryboardPanel
from circletake.usecases.storyboards.words import board_words, panel_words

OutputKind = Literal["drawing", "animatic"]


@dataclass(frozen=True, slots=True)
class StoryboardView:
    """A storyboard with its words opened; `frames` is how long all its panels last together."""

    board: Storyboard
    words: Mapping[str, str | None] = field(repr=False)
    name: str
    panels: int
    frames: int
    rate: Fraction


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel with its words opened. `start` is the animatic's frame it begins at; `picture` is the state of its
    picture: none, ready, or what became of the file."""

    panel: StoryboardPanel
    words: Mapping[str, str | None] = field(repr=False)
    shot_code: str | None
    picture: str
    start: int


@dataclass(frozen=True, slots=True)
class OutputFile:
    part: str
    number: int
    media_id: UUID
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class OutputView:
    """What was drawn, with its files; the stills in the order of the panels."""

    output: StoryboardOutput
    files: Sequence[OutputFile]

    @property
    def rate(self) -> Fraction:
        return Fraction(self.output.frame_rate)


async def find_board(
    session: TenantSession, tenant_id: UUID, storyboard_id: UUID, *, lock: bool = False
) -> Storyboard:
    """Return a storyboard that wasn't deleted. Raises NotFound."""
    query = select(Storyboard).where(
        Storyboard.tenant_id == tenant_id, Storyboard.id == storyboard_id, Storyboard.deleted_at.is_(None)
    )
    board = await session.scalar(query.with_for_update() if lock else query)
    if board is None:
        raise NotFound("storyboard")
    return board


async def board_view(session: TenantSession, seal: Seal, board: Storyboard) -> StoryboardView:
    return (await _views(session, seal, [board]))[0]


async def _views(session: TenantSession, seal: Seal, boards: Sequence[Storyboard]) -> list[StoryboardView]:
    counted = {
        row.storyboard_id: (row.panels, row.frames)
        for row in await session.execute(
            select(
                StoryboardPanel.storyboard_id,
                func.count().label("panels"),
                func.sum(StoryboardPanel.duration_frames).label("frames"),
            )
            .where(
                StoryboardPanel.tenant_id.in_({board.tenant_id for board in boards}),
                StoryboardPanel.storyboard_id.in_([board.id for board in boards]),
            )
            .group_by(StoryboardPanel.storyboard_id)
        )
    }
    productions = {
        row.id: row
        for row in await session.execute(
            select(Production.id, Production.code, Production.frame_rate).where(
                Production.tenant_id.in_({board.tenant_id for board in boards}),
                Production.id.in_({board.production_id for board in boards}),
            )
        )
    }
    views = []
    for board in boards:
        production = productions[board.production_id]
        panels, frames = counted.get(board.id, (0, 0))
        views.append(
            StoryboardView(
                board,
                board_words(seal, board),
                board_name(production.code, board.number),
                panels,
                int(frames),
                parse_rate(production.frame_rate),
            )
        )
    return views


async def get_storyboard(
    database: Database, seal: Seal, tenant_id: UUID, storyboard_id: UUID
) -> StoryboardView:
    """Return one storyboard. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        return await board_view(session, seal, await find_board(session, tenant_id, storyboard_id))


async def list_storyboards(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
    production_id: UUID | None = None,
    sequence_id: UUID | None = None,
    external_ref: str | None = None,
) -> Sequence[StoryboardView]:
    """Return at most `limit` storyboards, newest first; deleted ones aren't among them."""
    query = select(Storyboard).where(Storyboard.tenant_id == tenant_id, Storyboard.deleted_at.is_(None))
    for column, value in (
        (Storyboard.production_id, production_id),
        (Storyboard.sequence_id, sequence_id),
        (Storyboard.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Storyboard.created_at, Storyboard.id) < before)
    query = query.order_by(Storyboard.created_at.desc(), Storyboard.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        return await _views(session, seal, list(await session.scalars(query)))


async def list_panels(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    storyboard_id: UUID,
    *,
    limit: int | None = None,
    after: int = 0,
) -> tuple[Storyboard, Sequence[PanelView]]:
    """Return a storyboard's panels in their order, after the number `after`. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        board = await find_board(session, tenant_id, storyboard_id)
        return board, await panel_views(session, seal, board, limit=limit, after=after)


async def panel_views(
    session: TenantSession,
    seal: Seal,
    board: Storyboard,
    *,
    limit: int | None = None,
    after: int = 0,
    panel_id: UUID | None = None,
) -> list[PanelView]:
    placed = (
        select(
            StoryboardPanel.id,
            func.sum(StoryboardPanel.duration_frames).over(order_by=StoryboardPanel.number).label("end"),
        )
        .where(StoryboardPanel.tenant_id == board.tenant_id, StoryboardPanel.storyboard_id == board.id)
        .subquery()
    )
    query = (
        select(StoryboardPanel, placed.c.end, Shot.code, MediaFile.state)
        .join(placed, placed.c.id == StoryboardPanel.id)
        .outerjoin(Shot, (Shot.tenant_id == StoryboardPanel.tenant_id) & (Shot.id == StoryboardPanel.shot_id))
        .outerjoin(
            MediaFile,
            (MediaFile.tenant_id == StoryboardPanel.tenant_id) & (MediaFile.id == StoryboardPanel.media_id),
        )
        .where(StoryboardPanel.tenant_id == board.tenant_id, StoryboardPanel.number > after)
        .order_by(StoryboardPanel.number)
        .limit(limit)
    )
    if panel_id is not None:
        query = query.where(StoryboardPanel.id == panel_id)
    return [
        PanelView(panel, panel_words(seal, panel), code, state or "none", int(end) - panel.duration_frames)
        for panel, end, code, state in await session.execute(query)
    ]


async def get_output(
    database: Database, tenant_id: UUID, storyboard_id: UUID, output_id: UUID, kind: OutputKind
) -> OutputView:
    """Return one drawing or animatic; of a deleted storyboard, too. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        output = await session.scalar(
            select(StoryboardOutput).where(
                StoryboardOutput.tenant_id == tenant_id,
                StoryboardOutput.id == output_id,
                StoryboardOutput.storyboard_id == storyboard_id,
                StoryboardOutput.kind == kind,
            )
        )
        if output is None:
            raise NotFound(kind)
        return (await output_views(session, [output]))[0]


async def list_outputs(
    database: Database,
    tenant_id: UUID,
    storyboard_id: UUID,
    kind: OutputKind,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[OutputView]:
    """Return a storyboard's drawings or animatics, newest first, without their stills. Raises NotFound."""
    query = select(StoryboardOutput).where(
        StoryboardOutput.tenant_id == tenant_id,
        StoryboardOutput.storyboard_id == storyboard_id,
        StoryboardOutput.kind == kind,
    )
    if before is not None:
        query = query.where(tuple_(StoryboardOutput.created_at, StoryboardOutput.id) < before)
    query = query.order_by(StoryboardOutput.created_at.desc(), StoryboardOutput.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_board(session, tenant_id, storyboard_id)
        return await output_views(session, list(await session.scalars(query)), stills=False)


async def output_views(
    session: TenantSession, outputs: Sequence[StoryboardOutput], *, stills: bool = True
) -> list[OutputView]:
    query = (
        select(StoryboardFile, MediaFile.name, MediaFile.state)
        .join(
            MediaFile,
            (MediaFile.tenant_id == StoryboardFile.tenant_id) & (MediaFile.id == StoryboardFile.media_id),
        )
        .where(
            StoryboardFile.tenant_id.in_({each.tenant_id for each in outputs}),
            StoryboardFile.output_id.in_([each.id for each in outputs]),
        )
        .order_by(StoryboardFile.part, StoryboardFile.number)
    )
    if not stills:
        query = query.where(StoryboardFile.part != "still")
    files: dict[UUID, list[OutputFile]] = {}
    for file, name, state in await session.execute(query):
        files.setdefault(file.output_id, []).append(
            OutputFile(file.part, file.number, file.media_id, name, state)
        )
    return [OutputView(each, files.get(each.id, [])) for each in outputs]
