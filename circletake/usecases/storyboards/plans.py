"""What a drawing or an animatic shows, as it stood when it was asked for: so that an edit never changes a drawing that
is under way, and the same thing is known again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.exposure.rates import parse_rate
from circletake.domain.kinds import MediaRole
from circletake.domain.review.states import VersionState
from circletake.domain.storyboards.disclosure import source_type_told
from circletake.domain.storyboards.panels import TEXTS, board_name, panel_name
from circletake.kit.hashing import canonical_json
from circletake.ports import Seal
from circletake.records.context import Production, Shot
from circletake.records.context import Sequence as ShotSequence
from circletake.records.media import MediaFile
from circletake.records.review import Version
from circletake.records.session import TenantSession
from circletake.records.storyboards import Storyboard, StoryboardOutput, StoryboardPanel
from circletake.usecases.review.rules import approval_demanded
from circletake.usecases.storyboards.words import board_words, panel_words


@dataclass(frozen=True, slots=True)
class PlannedPanel:
    """A panel with its picture: `picture` is `none`, `ready` or what became of the file. `mark` is burnt in lightly
    where the studio gives out no take that isn't approved."""

    panel_id: UUID
    number: int
    frames: int
    shot_id: UUID | None
    shot_code: str | None
    take_id: UUID | None
    media_id: UUID | None
    sha256: str | None
    source_type: str | None
    picture: str
    mark: str
    ai_generated_text: bool
    words: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return panel_name(self.number)


@dataclass(frozen=True, slots=True)
class BoardPlan:
    board: str  # AGM_SB01
    version: int
    rate: Fraction
    production_title: str = field(repr=False)
    sequence_code: str | None
    words: Mapping[str, str] = field(repr=False)  # title, script_ref, scene: those there are
    panels: Sequence[PlannedPanel]

    @property
    def frames(self) -> int:
        return sum(panel.frames for panel in self.panels)

    def as_json(self) -> dict[str, Any]:
        return {
            "board": self.board,
            "version": self.version,
            "rate": str(self.rate),
            "production_title": self.production_title,
            "sequence_code": self.sequence_code,
            "words": dict(self.words),
            "panels": [_panel_json(panel) for panel in self.panels],
        }


_IDS = ("panel_id", "shot_id", "take_id", "media_id")


def _panel_json(panel: PlannedPanel) -> dict[str, Any]:
    fields = {name: getattr(panel, name) for name in PlannedPanel.__slots__}
    return fields | {
        "words": dict(panel.words),
        **{name: None if fields[name] is None else str(fields[name]) for name in _IDS},
    }


def _panel_of(fields: Mapping[str, Any]) -> PlannedPanel:
    whole: dict[str, Any] = dict(fields)
    whole |= {name: UUID(fields[name]) for name in _IDS if fields[name] is not None}
    return PlannedPanel(**whole)


def plan_place(output_id: UUID) -> str:
    return f"storyboard_outputs.plan:{output_id}"


def close_plan(seal: Seal, plan: BoardPlan, output_id: UUID) -> bytes:
    return seal.close(json.dumps(plan.as_json()), place=plan_place(output_id))


def open_plan(seal: Seal, output: StoryboardOutput) -> BoardPlan:
    document = json.loads(seal.open(output.plan, place=plan_place(output.id)))
    return BoardPlan(
        **document
        | {
            "rate": Fraction(document["rate"]),
            "panels": [_panel_of(each) for each in document["panels"]],
        }
    )


def fingerprint_of(
    seal: Seal, board: Storyboard, kind: str, settings: Mapping[str, Any], plan: BoardPlan
) -> str:
    """Return a keyed hash of what would be drawn: equal for the same drawing, and nothing is guessed from it."""
    whole = {"storyboard": str(board.id), "kind": kind, "settings": dict(settings), "plan": plan.as_json()}
    return seal.keyed_hash(canonical_json(whole))


def stills_key_of(seal: Seal, board: Storyboard, plan: BoardPlan) -> str:
    """Return a keyed hash of the pictures alone: outputs with the same one share their stills."""
    pictures = [[each.number, each.sha256, each.picture, each.mark] for each in plan.panels]
    whole = {"storyboard": str(board.id), "board": plan.board, "pictures": pictures}
    return seal.keyed_hash(canonical_json(whole))


async def plan_of(session: TenantSession, seal: Seal, board: Storyboard) -> BoardPlan:
    """Take down what a storyboard shows now, in four queries."""
    tenant_id = board.tenant_id
    production = (
        await session.scalars(
            select(Production).where(Production.tenant_id == tenant_id, Production.id == board.production_id)
        )
    ).one()
    sequence = await session.scalar(
        select(ShotSequence.code).where(
            ShotSequence.tenant_id == tenant_id, ShotSequence.id == board.sequence_id
        )
    )
    rows = (
        await session.execute(
            select(StoryboardPanel, Shot.code, MediaFile)
            .outerjoin(
                Shot, (Shot.tenant_id == StoryboardPanel.tenant_id) & (Shot.id == StoryboardPanel.shot_id)
            )
            .outerjoin(
                MediaFile,
                (MediaFile.tenant_id == StoryboardPanel.tenant_id)
                & (MediaFile.id == StoryboardPanel.media_id),
            )
            .where(StoryboardPanel.tenant_id == tenant_id, StoryboardPanel.storyboard_id == board.id)
            .order_by(StoryboardPanel.number)
        )
    ).all()
    files = [file for _, _, file in rows if file is not None]
    takes = await unapproved_takes(session, tenant_id, files)
    return BoardPlan(
        board=board_name(production.code, board.number),
        version=board.version,
        rate=parse_rate(production.frame_rate),
        production_title=production.title,
        sequence_code=sequence,
        words=_said(board_words(seal, board)),
        panels=[_planned(seal, production.code, panel, code, file, takes) for panel, code, file in rows],
    )


def _said(words: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in words.items() if text}


def _planned(
    seal: Seal,
    production_code: str,
    panel: StoryboardPanel,
    shot_code: str | None,
    file: MediaFile | None,
    unapproved: Mapping[str, UUID],
) -> PlannedPanel:
    take = unapproved.get(file.sha256) if file is not None else None
    mark = f"PREVIEW  {production_code}  {panel_name(panel.number)}  {str(take)[-6:]}" if take else ""
    words = _said(panel_words(seal, panel))
    return PlannedPanel(
        panel_id=panel.id,
        number=panel.number,
        frames=panel.duration_frames,
        shot_id=panel.shot_id,
        shot_code=shot_code,
        take_id=panel.take_id or (file.take_id if file is not None else None),
        media_id=panel.media_id,
        sha256=file.sha256 if file is not None else None,
        source_type=_source_type(file),
        picture=file.state if file is not None else "none",
        mark=mark,
        ai_generated_text=panel.ai_generated_text,
        words={name: words[name] for name in TEXTS if name in words},
    )


def _source_type(file: MediaFile | None) -> str | None:
    if file is None:
        return None
    in_file = ((file.probe or {}).get("content_credentials") or {}).get("digital_source_type")
    return source_type_told(file.digital_source_type, in_file)


async def unapproved_takes(
    session: TenantSession, tenant_id: UUID, files: Sequence[MediaFile]
) -> dict[str, UUID]:
    """Return the hashes of those files that are bytes of a take without an approved version, with the take, where the
    studio gives out none of these: see `require_approval`."""
    if not files or not await approval_demanded(session, tenant_id):
        return {}
    takes = (
        await session.execute(
            select(MediaFile.sha256, MediaFile.take_id).where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.sha256.in_({file.sha256 for file in files}),
                MediaFile.role == MediaRole.TAKE.value,
                MediaFile.take_id.is_not(None),
            )
        )
    ).all()
    approved = set(
        await session.scalars(
            select(Version.take_id).where(
                Version.tenant_id == tenant_id,
                Version.take_id.in_({take_id for _, take_id in takes}),
                Version.state == VersionState.APPROVED.value,
            )
        )
    )
    clear = {sha256 for sha256, take_id in takes if take_id in approved}
    return {sha256: take_id for sha256, take_id in takes if take_id and sha256 not in clear}
