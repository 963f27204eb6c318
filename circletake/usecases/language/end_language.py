"""How a language request ends: the bill, the answer, the ledger, the event and the step, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from circletake.domain.kinds import Billed
from circletake.domain.language.words import OPEN_STATES, RequestState
from circletake.domain.pictures import Filtered
from circletake.kit import clock
from circletake.kit.hashing import canonical_json
from circletake.records.language import LanguageCall, LanguageRequest
from circletake.records.session import TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.language.announce import announce_end
from circletake.usecases.language.values import close_json, place
from circletake.usecases.language.written_text import keep_ai_texts
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.budgets import settle_call
from circletake.usecases.steps import ClaimedStep, end_step
from circletake.usecases.tools import TenantAtWork, Tools


@dataclass(frozen=True, slots=True)
class Bill:
    """What became of a call."""

    call_id: UUID
    estimate: Decimal
    outcome: str
    billed: Billed
    cost: Decimal
    tokens: tuple[int, int] | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ends."""

    state: RequestState
    code: str | None = None
    result: dict[str, Any] | None = field(repr=False, default=None)
    texts: tuple[str | None, ...] = field(repr=False, default=())
    refused: Filtered | None = field(repr=False, default=None)
    reason: str | None = field(repr=False, default=None)  # the provider's words


def failed(code: str, reason: str | None = None) -> Ending:
    return Ending(RequestState.FAILED, code, reason=reason)


async def own_row(session: TenantSession, step: ClaimedStep, *, lock: bool = False) -> LanguageRequest:
    query = select(LanguageRequest).where(
        LanguageRequest.tenant_id == step.tenant_id, LanguageRequest.id == step.subject_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


async def settle_bill(session: TenantSession, budgets: Mapping[str, Any], bill: Bill) -> None:
    tokens_in, tokens_out = bill.tokens or (None, None)
    await session.execute(
        update(LanguageCall)
        .where(LanguageCall.tenant_id == budgets["tenant_id"], LanguageCall.id == bill.call_id)
        .values(
            outcome=bill.outcome,
            billed=bill.billed.value,
            cost_usd=bill.cost,
            request_id=bill.request_id,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            ended_at=func.now(),
        )
    )
    await settle_call(session, **budgets, estimate=bill.estimate, billed=bill.billed, cost=bill.cost)


async def close_request(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    ending: Ending,
    *,
    bill: Bill | None = None,
    budgets: Mapping[str, Any] | None = None,
) -> None:
    """One transaction: the bill, the answer, the ledger, the event, the step. What was canceled during the call stays
    canceled, and is paid for all the same."""
    async with tools.database.tenant(step.tenant_id) as session:
        if bill is not None and budgets is not None:
            await settle_bill(session, budgets, bill)
        row = await own_row(session, step, lock=True)
        if row.state in OPEN_STATES:
            await _write(session, tenant, row, ending, bill)
        await end_step(session, step, trouble=ending.code)
        await wake_dispatcher(session)


async def _write(
    session: TenantSession,
    tenant: TenantAtWork,
    row: LanguageRequest,
    ending: Ending,
    bill: Bill | None,
) -> None:
    seal = tenant.seal
    row.state, row.failure_code, row.finished_at = ending.state.value, ending.code, clock.now()
    row.waiting_for = None
    if ending.result is not None:
        row.result = close_json(seal, "result", row.id, ending.result)
    if ending.refused is not None:
        row.refusal = {
            "stage": ending.refused.stage,
            "source": ending.refused.source,
            "categories": list(ending.refused.categories),
        }
    if ending.reason is not None:
        row.provider_reason = seal.close(ending.reason[:2_000], place=place("provider_reason", row.id))
    await session.flush()
    await keep_ai_texts(session, seal, row.tenant_id, row.id, ending.texts)
    output = canonical_json(ending.result) if ending.result is not None else None
    await record_entry(
        session,
        seal,
        tenant_id=row.tenant_id,
        kind=f"{row.task}.finished",
        subject_id=row.id,
        body={
            "requested": str(row.ledger_entry_id),
            "production": str(row.production_id),
            "shot": str(row.shot_id) if row.shot_id else None,
            "model": row.model_id,
            "state": row.state,
            "code": row.failure_code,
            "ai_generated": True,
            "input_hash": row.input_hash,
            "output_hash": seal.keyed_hash(output) if output else None,
            "tokens_in": bill.tokens[0] if bill and bill.tokens else None,
            "tokens_out": bill.tokens[1] if bill and bill.tokens else None,
            "billed": bill.billed.value if bill else Billed.FALSE.value,
            "cost_usd": str(bill.cost) if bill else "0",
            "request_id": bill.request_id if bill else None,
        },
    )
    await announce_end(session, row)


async def settle_open(session: TenantSession, tenant_id: UUID, request_id: UUID) -> bool:
    """End calls that began and have no recorded end. Their bill stays unknown, as it is counted already."""
    lost = await session.execute(
        update(LanguageCall)
        .where(
            LanguageCall.tenant_id == tenant_id,
            LanguageCall.subject_id == request_id,
            LanguageCall.ended_at.is_(None),
        )
        .values(outcome="unknown", ended_at=func.now())
        .returning(LanguageCall.id)
    )
    return bool(lost.all())


async def give_up_language(session: TenantSession, tenant_id: UUID, request_id: UUID) -> None:
    """A request whose worker was lost again and again, alone. What it called may have been paid."""
    await settle_open(session, tenant_id, request_id)
    row = await session.scalar(
        select(LanguageRequest)
        .where(LanguageRequest.tenant_id == tenant_id, LanguageRequest.id == request_id)
        .with_for_update()
    )
    if row is None or row.state not in OPEN_STATES:
        return
    row.state, row.failure_code, row.finished_at = RequestState.FAILED.value, "dead_letter", clock.now()
    row.waiting_for = None
    await session.flush()
    await announce_end(session, row)
