"""A storyboard's first panels from a script breakdown: one for each shot that it proposes, to be drawn and edited."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound, invalid
from circletake.domain.language.breakdown import Breakdown, ProposedShot
from circletake.domain.language.words import LanguageTask
from circletake.domain.storyboards.panels import MAX_CAPTION, PanelDraft
from circletake.ports import Seal
from circletake.records.context import Shot
from circletake.records.session import TenantSession
from circletake.usecases.language.values import calls_of, find_request, view_of


async def drafts_from_breakdown(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    breakdown_id: UUID,
    scene: str | None,
) -> list[PanelDraft]:
    """Return a draft for each of the breakdown's shots as it stands, only those of a scene where one is named; a shot
    that the production has by this code is the panel's. Raises Invalid."""
    breakdown = await _breakdown(session, seal, tenant_id, production_id, breakdown_id)
    shots = [shot for shot in breakdown.shots if scene is None or shot.scene == scene]
    if not shots:
        pointer, what = ("/breakdown_id", "") if scene is None else ("/scene", " of this scene")
        raise invalid(pointer, "no_shots", f"The breakdown has no shot{what}: add some, or leave this out.")
    rows = await session.execute(
        select(Shot.code, Shot.id).where(
            Shot.tenant_id == tenant_id,
            Shot.production_id == production_id,
            Shot.code.in_({shot.code for shot in shots}),
        )
    )
    known = {row.code: row.id for row in rows}
    return [_draft(shot, known) for shot in shots]


async def _breakdown(
    session: TenantSession, seal: Seal, tenant_id: UUID, production_id: UUID, breakdown_id: UUID
) -> Breakdown:
    try:
        row = await find_request(session, tenant_id, LanguageTask.SCRIPT_BREAKDOWN, breakdown_id)
    except NotFound:
        row = None
    if row is None or row.production_id != production_id:
        text = "There is no such script breakdown in this production."
        raise invalid("/breakdown_id", "unknown_breakdown", text)
    breakdown = view_of(seal, row, await calls_of(session, row)).breakdown
    if breakdown is None:
        text = f"This breakdown is {row.state}: wait until it is written."
        raise invalid("/breakdown_id", "breakdown_not_written", text)
    return breakdown


def _draft(shot: ProposedShot, known: Mapping[str, UUID]) -> PanelDraft:
    """A description too long for a caption is the action; no word is cut."""
    short = len(shot.description) <= MAX_CAPTION
    more = [shot.notes] if short else [shot.description]
    camera = " · ".join(filter(None, [shot.size.value if shot.size else None, shot.camera]))
    return PanelDraft(
        shot_id=known.get(shot.code),
        texts={
            "caption": shot.description if short else None,
            "action": next(filter(None, more), None),
            "camera": camera or None,
        },
    )
