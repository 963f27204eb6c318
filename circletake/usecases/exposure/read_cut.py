"""A posted cut is read: what is on screen, when, and which takes and shots that is.

What it decides is committed before the posted copy is deleted, and the deletion is repeatable.
"""

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from circletake.domain.exposure.flatten import Seen, flatten
from circletake.domain.exposure.rates import frames_at, parse_rate, rate_text
from circletake.domain.media import cut_key, cut_upload_key
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import CutRead, CutRefused, StorageFault
from circletake.records.exposure import Cut, CutClip
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.exposure.limits import tell_of_cut
from circletake.usecases.exposure.match_clips import Match, match_clips
from circletake.usecases.exposure.names import close_names
from circletake.usecases.exposure.picture import count_this, lock_production
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence
from circletake.usecases.tools import TenantAtWork, Tools

_ROWS = 2_000  # per statement
_GONE = CutRefused("malformed", "The posted file is no longer in the bucket: post it again.")


async def read_cut(tools: Tools, step: ClaimedStep) -> None:
    """Run a `cut` step: `subject_id` is the cut. Storage that is away puts the step off."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        cut = await session.get_one(Cut, step.subject_id)
    if cut.state == "queued":
        kept = cut_key(cut.production_id, cut.id, cut.format)
        outcome = await _read(tools, tenant, cut, kept)
        await _record(tools, tenant, step, cut, kept, outcome)
    await tools.store.delete(tenant.storage, [cut_upload_key(cut.id)])
    async with tools.database.tenant(step.tenant_id) as session:
        await end_step(session, step)
        await wake_dispatcher(session)


async def _read(tools: Tools, tenant: TenantAtWork, cut: Cut, kept: str) -> CutRead | CutRefused:
    source = cut_upload_key(cut.id)
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        path = Path(folder) / "cut"
        try:
            found = await tools.store.head(tenant.storage, source)
            await tools.store.copy(tenant.storage, source, kept, source_etag=found.etag)
            await tools.store.get_file(tenant.storage, kept, path)
        except StorageFault as fault:
            if fault.kind in {"missing", "changed"}:
                return _GONE
            raise
        try:
            form: Any = cut.format
            return await tools.cuts.read(path, form, rate=parse_rate(cut.frame_rate))
        except CutRefused as refused:
            return refused


async def _record(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    read_from: Cut,
    kept: str,
    outcome: CutRead | CutRefused,
) -> None:
    seen = [] if isinstance(outcome, CutRefused) else flatten(outcome.timeline)
    async with tools.database.tenant(step.tenant_id) as session:
        # whoever makes another cut count, or sets a limit, waits
        production = await lock_production(session, step.tenant_id, read_from.production_id)
        await hold_fence(session, step)
        cut = await session.get_one(Cut, step.subject_id, with_for_update=True)
        cut.finished_at = clock.now()
        if isinstance(outcome, CutRefused):
            cut.state, cut.object_key = "refused", None
            cut.problem_code, cut.problem_detail = outcome.code, str(outcome)
        else:
            sources = outcome.sources
            matches = await match_clips(session, step.tenant_id, cut.production_id, sources)
            cut.state, cut.object_key = "ready", kept
            cut.frame_rate = rate_text(outcome.rate)
            cut.names = close_names(tenant.seal, cut.id, [each.name for each in sources])
            cut.frame_count = max((frames_at(each.end, outcome.rate) for each in seen), default=0)
            rows = [_row(cut, each, outcome, matches[each.clip.number]) for each in seen]
            for begin in range(0, len(rows), _ROWS):
                await session.execute(insert(CutClip), rows[begin : begin + _ROWS])
            await count_this(session, cut)
            await tell_of_cut(session, production)
        await record_entry(
            session,
            tenant.seal,
            tenant_id=step.tenant_id,
            kind=f"cut.{cut.state}",
            subject_id=cut.id,
            body={"production": str(cut.production_id), "clips": len(seen), "code": cut.problem_code},
        )
        await session.flush()
        await wake_waiters(session, cut.id)
    if isinstance(outcome, CutRefused):
        await tools.store.delete(tenant.storage, [kept])


def _row(cut: Cut, seen: Seen, read: CutRead, match: Match) -> dict[str, Any]:
    def frame(seconds: Fraction) -> int:
        return max(0, frames_at(seconds, read.rate))

    spans = [(frame(first), frame(last)) for first, last in seen.spans]
    media_in = read.sources[seen.clip.number].media_in
    return {
        "id": new_id(),
        "tenant_id": cut.tenant_id,
        "cut_id": cut.id,
        "number": seen.clip.number,
        "record_in": frame(seen.start),
        "record_out": frame(seen.end),
        "spans": [list(span) for span in spans if span[0] < span[1]],
        "source_in": str(seen.source_in),
        "source_rate": rate_text(seen.clip.source_rate),
        "media_in": None if media_in is None else str(media_in),
        "speed": str(seen.speed),
        "take_id": match.take_id,
        "shot_id": match.shot_id,
        "matched_by": match.by,
    }
