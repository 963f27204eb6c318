"""Checking a batch as a whole: every line passes the checks of a single request, and what belongs to their production is
read once for all of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.errors import Invalid, Refused
from circletake.domain.pictures import Violation
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production
from circletake.records.session import TenantSession
from circletake.usecases.batches.lines import BatchLine, Names, read_names
from circletake.usecases.batches.report import LineRefusal, refusal_of
from circletake.usecases.language.ai_text import with_ai_text
from circletake.usecases.permission.gate_request import GateAsked, Permit, gate_requests
from circletake.usecases.plan_enforcement import EnforcementPlan
from circletake.usecases.plan_generation import (
    GenerationRequest,
    Plan,
    Planning,
    plan_consistency,
    plan_request,
    read_planning,
)
from circletake.usecases.request_generation import gate_asked


@dataclass(slots=True)
class CheckedLine:
    """A line as far as it came: refused, or with everything that its rows are made of."""

    line: BatchLine
    plan: Plan | None = None
    refusal: LineRefusal | None = None
    enforcing: EnforcementPlan | None = None
    permit: Permit | None = None
    asked: GateAsked | None = field(default=None, repr=False)

    @property
    def request(self) -> GenerationRequest:
        if self.line.request is None:
            raise ValueError("nothing can be asked for with this line")
        return self.line.request


@dataclass(frozen=True, slots=True)
class Checks:
    """What checks look at beside the database."""

    catalogue: ModelCatalogue
    rules: JudgingRules
    packs: PolicyShelf
    seal: Seal


async def check_batch(
    session: TenantSession,
    checks: Checks,
    *,
    tenant_id: UUID,
    production: Production,
    batch_id: UUID,
    lines: Sequence[BatchLine],
    now: datetime,
) -> list[CheckedLine]:
    """Check every line. A line that is refused says why; nothing is raised for it."""
    names = await read_names(session, tenant_id, production.id, lines)
    checked = await asyncio.to_thread(_named, names, lines, batch_id)
    asked = await _with_ai_text(session, checks.seal, tenant_id, checked)
    planning = await read_planning(session, tenant_id, production.id, asked, production=production)
    await asyncio.to_thread(_plan, checks.catalogue, planning, checked, now)
    left = [each for each in checked if each.refusal is None]
    for each in left:
        await _enforce(session, checks, each, now)
    left = [each for each in left if each.refusal is None]
    said = await gate_requests(
        session,
        checks.seal,
        checks.packs,
        tenant_id=tenant_id,
        asked=[each.asked for each in left if each.asked is not None],
        now=now,
    )
    for each, answer in zip(left, said, strict=True):
        if isinstance(answer, Refused):
            each.refusal = refusal_of(answer)
        else:
            each.permit = answer
    return checked


async def _with_ai_text(
    session: TenantSession, seal: Seal, tenant_id: UUID, checked: Sequence[CheckedLine]
) -> list[GenerationRequest]:
    """Say which prompts a model wrote, and return the requests."""
    understood = [each for each in checked if each.line.request is not None]
    requests = await with_ai_text(session, seal, tenant_id, [each.request for each in understood])
    for each, request in zip(understood, requests, strict=True):
        each.line = replace(each.line, request=request)
    return list(requests)


def _named(names: Names, lines: Sequence[BatchLine], batch_id: UUID) -> list[CheckedLine]:
    found = []
    for line in lines:
        if line.request is None:
            found.append(CheckedLine(line, refusal=LineRefusal(line.violations)))
            continue
        found.append(
            CheckedLine(names.resolve(line, replace(line.request, batch_id=batch_id, batch_line=line.line)))
        )
    return found


def _plan(
    catalogue: ModelCatalogue, planning: Planning, checked: Sequence[CheckedLine], now: datetime
) -> None:
    for each in checked:
        if each.refusal is not None:
            continue
        found = list(each.line.violations)
        try:
            each.plan = plan_request(planning, catalogue, each.request, now=now)
        except Invalid as refused:
            found += _new_to(each.line, refused.violations)
        if found:
            each.refusal = LineRefusal(found)


def _new_to(line: BatchLine, violations: Sequence[Violation]) -> list[Violation]:
    """What isn't said already: a name that nothing has is told where it stands."""
    said = {each.pointer for each in line.violations}
    pointers = {"/shot_id": "/shot"} if line.named.shot is not None else {}
    moved = [replace(each, pointer=pointers.get(each.pointer, each.pointer)) for each in violations]
    return [each for each in moved if each.pointer not in said]


async def _enforce(session: TenantSession, checks: Checks, each: CheckedLine, now: datetime) -> None:
    if each.plan is None:
        return
    try:
        each.enforcing = await plan_consistency(
            session, checks.catalogue, checks.rules, each.request, each.plan, now=now
        )
    except Refused as refused:
        each.refusal = refusal_of(refused)
    else:
        each.asked = gate_asked(each.request, each.plan, each.enforcing)
