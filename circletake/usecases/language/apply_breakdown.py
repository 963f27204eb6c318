"""Make a production's shots from the shots of a breakdown that a person has looked at and kept."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from circletake.domain.errors import Invalid
from circletake.domain.language.apply import kept_shots, shot_notes, shot_row
from circletake.domain.language.breakdown import Breakdown, origins
from circletake.domain.language.words import LanguageTask
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.language import LanguageRequest
from circletake.records.session import Database, TenantSession
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.import_shots import ImportReport, RowsRefused, import_rows
from circletake.usecases.language.edit_breakdown import require_written
from circletake.usecases.language.values import calls_of, find_request, view_of
from circletake.usecases.language.written_text import keep_ai_texts
from circletake.usecases.ledger import record_entry

_MOST_SHOWN = 100


async def apply_breakdown(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    request_id: UUID,
    codes: Collection[str] | None,
    sequence: str | None,
    episode: str | None,
    dry_run: bool,
    expect: Callable[[int], None],
    claim: IdempotencyClaim | None,
    answer: Callable[[ImportReport], Answer],
    describe: Callable[[ImportReport], Mapping[str, Any]],
) -> Answer:
    """Make the shots named by `codes`, all of them without, with their sequences: all or none.

    A shot that the production has already is left as it is; one that says something else under the code refuses the
    whole. Raises NotFound, Conflict, what `expect` raises, Invalid, or RowsRefused with the report as `describe` puts
    it.
    """
    async with database.tenant(tenant_id) as session:
        if not dry_run:
            remembered = await replay(session, seal, tenant_id, claim)
            if remembered is not None:
                return remembered
        row = await find_request(
            session, tenant_id, LanguageTask.SCRIPT_BREAKDOWN, request_id, lock=not dry_run
        )
        expect(row.version)
        view = view_of(seal, row, await calls_of(session, row))
        breakdown = require_written(view)
        places, missing = kept_shots(breakdown, codes)
        if missing:
            raise Invalid(missing)
        rows = [shot_row(at, breakdown.shots[at], sequence=sequence, episode=episode) for at in places]
        report = await import_rows(
            session, seal, tenant_id, row.production_id, rows, write=not dry_run, atomic=True, only_new=True
        )
        if dry_run:
            return answer(report)
        refused = report.plan.count("refused")
        if refused:
            raise RowsRefused(
                f"{refused} of {len(rows)} shots are refused, so none was made: see `report`.",
                report=describe(report),
            )
        await _record(session, seal, actor, row, view.original or breakdown, breakdown, places, report)
        reply = answer(report)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _record(
    session: TenantSession,
    seal: Seal,
    actor: Actor,
    row: LanguageRequest,
    written: Breakdown,
    kept: Breakdown,
    places: Collection[int],
    report: ImportReport,
) -> None:
    """Who made which shots from which version; and that notes with the model's words in them are AI text."""
    made = [each.code for each in report.plan.rows if each.outcome == "created"]
    whose = origins(written, kept)["shots"]
    ours = [shot_notes(kept.shots[at]) for at in places if whose[at] != "person"]
    await keep_ai_texts(session, seal, row.tenant_id, row.id, ours)
    shots = [str(report.shot_ids[code]) for code in made]
    entry = {
        "at": clock.now().isoformat(),
        **actor.for_ledger(),
        "version": row.version,
        "shots": len(shots),
    }
    row.applied = [*row.applied, entry][-_MOST_SHOWN:]
    await session.flush()
    await record_entry(
        session,
        seal,
        tenant_id=row.tenant_id,
        kind="script_breakdown.applied",
        subject_id=row.id,
        body={**actor.for_ledger(), "version": row.version, "shots": shots},
    )
