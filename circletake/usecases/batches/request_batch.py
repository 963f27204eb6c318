"""Accepting a batch: everything that its generations are, in one transaction, after every line was checked."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.batches.rows import MAX_BATCH_TAKES
from circletake.domain.errors import NotFound, invalid
from circletake.domain.people import Actor
from circletake.kit.ids import new_id
from circletake.records.batches import GenerationBatch
from circletake.records.context import Production
from circletake.records.events import LedgerEntry
from circletake.records.session import Database, TenantSession
from circletake.records.together import insert_together
from circletake.usecases.batches.check_batch import CheckedLine, Checks, check_batch
from circletake.usecases.batches.lines import BatchLine
from circletake.usecases.batches.report import BatchReport, LineReport, RowsRefused, doubles
from circletake.usecases.batches.reserve import reserve_rows
from circletake.usecases.events import record_event
from circletake.usecases.generation_rows import GenerationRows, generation_rows, with_enforcement
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import entry_row
from circletake.usecases.money.budgets import BudgetAnswer
from circletake.usecases.money.reservations import NOTHING, budget_hold
from circletake.usecases.permission.gate_request import Permit
from circletake.usecases.record_generations import record_generations

TOGETHER = 50  # generations that are written with one statement


@dataclass(frozen=True, slots=True)
class BatchAsked:
    """A batch as it came over HTTP, read and understood. `sha256`: of the file."""

    production_id: UUID
    format: str
    sha256: str
    lines: Sequence[BatchLine] = field(repr=False)
    external_ref: str | None = None
    dry_run: bool = False
    skip_refused: bool = False


@dataclass(frozen=True, slots=True)
class BatchAccepted:
    """A batch with what became of its lines. `batch` is None where nothing was written."""

    report: BatchReport
    batch: GenerationBatch | None = None


async def request_batch(
    database: Database,
    checks: Checks,
    *,
    tenant_id: UUID,
    actor: Actor,
    asked: BatchAsked,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[BatchAccepted], Answer],
    describe: Callable[[BatchAccepted], Mapping[str, Any]],
) -> Answer:
    """Check every line and accept them all. A refused one refuses the whole batch unless `skip_refused`: then raises
    RowsRefused with the report as `describe` puts it. Raises NotFound, Invalid for a batch that is too large. A dry run
    checks and writes nothing, not even its answer.
    """
    async with database.tenant(tenant_id) as session:
        if not asked.dry_run:
            remembered = await replay(session, checks.seal, tenant_id, claim)
            if remembered is not None:
                return remembered
        production = await session.scalar(
            select(Production).where(Production.tenant_id == tenant_id, Production.id == asked.production_id)
        )
        if production is None:
            raise NotFound("production")
        batch_id = new_id()
        checked = await check_batch(
            session,
            checks,
            tenant_id=tenant_id,
            production=production,
            batch_id=batch_id,
            lines=asked.lines,
            now=now,
        )
        kept = [each for each in checked if each.refusal is None]
        _require_some(asked, checked, kept, describe)
        rooms = await _rooms(session, tenant_id, asked, kept)
        permits = [_with_room(each, room) for each, room in zip(kept, rooms, strict=True)]
        if asked.dry_run:
            return answer(BatchAccepted(_report(checked, permits)))
        rows = await asyncio.to_thread(_rows, checks, tenant_id, actor, kept, permits, now)
        report = _report(checked, permits, rows)
        batch = _batch_row(tenant_id, actor, asked, batch_id, report, now)
        await _write(session, checks, tenant_id, batch, report, rows)
        await _tell(session, tenant_id, permits)
        reply = answer(BatchAccepted(report, GenerationBatch(**batch)))
        await remember(session, checks.seal, tenant_id, claim, reply)
    return reply


def _require_some(
    asked: BatchAsked,
    checked: Sequence[CheckedLine],
    kept: Sequence[CheckedLine],
    describe: Callable[[BatchAccepted], Mapping[str, Any]],
) -> None:
    takes = sum(each.request.takes for each in kept)
    if takes > MAX_BATCH_TAKES:
        message = f"These are {takes} takes: ask for at most {MAX_BATCH_TAKES} at once, split the file."
        raise invalid("", "too_many_takes", message)
    refused = len(checked) - len(kept)
    if asked.dry_run or (kept and not refused) or (kept and asked.skip_refused):
        return
    if not checked:
        raise invalid("", "no_rows", "The file has no rows: send at least one.")
    permits = [_permit(each) for each in kept]
    raise RowsRefused(
        f"{refused} of {len(checked)} rows are refused, so nothing was asked of any model: see `report`.",
        report=describe(BatchAccepted(_report(checked, permits))),
    )


def _permit(each: CheckedLine) -> Permit:
    if each.permit is None:
        raise ValueError("a line that isn't refused has passed the gate")
    return each.permit


async def _rooms(
    session: TenantSession, tenant_id: UUID, asked: BatchAsked, kept: Sequence[CheckedLine]
) -> list[BudgetAnswer]:
    """What is held already reserves nothing until it is released."""
    wanted = [
        (each.request.shot_id, NOTHING if _permit(each).holds or each.plan is None else each.plan.quote.total)
        for each in kept
    ]
    return await reserve_rows(
        session,
        tenant_id=tenant_id,
        production_id=asked.production_id,
        wanted=wanted,
        keep=not asked.dry_run,
    )


def _with_room(each: CheckedLine, room: BudgetAnswer) -> Permit:
    permit = _permit(each)
    return permit if room.room else replace(permit, holds=[budget_hold(room)])


def _rows(
    checks: Checks,
    tenant_id: UUID,
    actor: Actor,
    kept: Sequence[CheckedLine],
    permits: Sequence[Permit],
    now: datetime,
) -> list[GenerationRows]:
    found = []
    for each, permit in zip(kept, permits, strict=True):
        if each.plan is None:
            raise ValueError("a line that isn't refused has a plan")
        rows = generation_rows(checks.seal, tenant_id, actor, each.request, each.plan, permit, now)
        if each.enforcing is not None:
            rows = with_enforcement(checks.seal, tenant_id, actor, rows, each.enforcing, now)
        found.append(rows)
    return found


def _report(
    checked: Sequence[CheckedLine], permits: Sequence[Permit], rows: Sequence[GenerationRows] = ()
) -> BatchReport:
    warned = doubles([each.line for each in checked])
    passed = iter(permits)
    made = iter(rows)
    lines = []
    for place, each in enumerate(checked):
        warnings = [warned[place]] if place in warned else []
        if each.refusal is not None:
            lines.append(LineReport(each.line, None, each.refusal, warnings=warnings))
            continue
        generation = next(made, None)
        lines.append(
            LineReport(
                each.line,
                each.plan,
                holds=next(passed).holds,
                warnings=warnings,
                generation_id=None if generation is None else generation.record.id,
            )
        )
    return BatchReport(lines)


def _batch_row(
    tenant_id: UUID, actor: Actor, asked: BatchAsked, batch_id: UUID, report: BatchReport, now: datetime
) -> dict[str, Any]:
    return {
        "id": batch_id,
        "tenant_id": tenant_id,
        "created_at": now,
        "production_id": asked.production_id,
        "external_ref": asked.external_ref,
        "format": asked.format,
        "file_sha256": asked.sha256,
        "rows": len(report.kept),
        "refused_rows": report.count("refused"),
        "takes": report.takes,
        "quote_usd": report.quote,
        "requested_by": actor.api_key_id,
        "requested_by_person": actor.person_id,
        "ledger_entry_id": new_id(),
    }


async def _write(
    session: TenantSession,
    checks: Checks,
    tenant_id: UUID,
    batch: dict[str, Any],
    report: BatchReport,
    rows: Sequence[GenerationRows],
) -> None:
    entry = entry_row(
        checks.seal,
        tenant_id=tenant_id,
        kind="batch.requested",
        subject_id=batch["id"],
        entry_id=batch["ledger_entry_id"],
        body={
            "production": str(batch["production_id"]),
            "requested_by": str(batch["requested_by"]) if batch["requested_by"] else None,
            "requested_by_person": str(batch["requested_by_person"])
            if batch["requested_by_person"]
            else None,
            "format": batch["format"],
            "file_sha256": batch["file_sha256"],
            "refused_rows": batch["refused_rows"],
            "takes": batch["takes"],
            "estimate_usd": str(batch["quote_usd"]),
            "generations": [[each.line.line, str(each.generation_id)] for each in report.kept],
        },
    )
    await insert_together(session, (GenerationBatch, [batch]), (LedgerEntry, [entry]), then="select 1")
    for begin in range(0, len(rows), TOGETHER):
        await record_generations(session, tenant_id, rows[begin : begin + TOGETHER])


async def _tell(session: TenantSession, tenant_id: UUID, permits: Sequence[Permit]) -> None:
    """What limits want told: of many lines that pass the same one, once."""
    told: set[tuple[str, str]] = set()
    for permit in permits:
        for event_type, data in permit.events:
            limit = (event_type, str(data.get("limit_id")))
            if limit not in told:
                told.add(limit)
                await record_event(session, tenant_id, event_type, data)
