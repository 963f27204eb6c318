"""The end of an unknown bill: the operator read the provider's invoice, and the call costs what it says.

A bill is a call's: of one that was to make a take, of one that judged, of one that wrote.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.costs import MICRO_DOLLAR
from circletake.domain.errors import Conflict, NotFound
from circletake.domain.kinds import Billed
from circletake.domain.money.calls import TakeBill
from circletake.domain.people import PLATFORM
from circletake.domain.takes import TERMINAL
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal, Vault
from circletake.records.consistency import EvaluatorCall
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.language import LanguageCall
from circletake.records.money import Settlement
from circletake.records.session import Database, TenantSession
from circletake.usecases.keep_tenants import get_tenant
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.budgets import settle
from circletake.usecases.paid_calls import bill_so_far
from circletake.usecases.steps import lock_generation, lock_takes

OPERATOR = "operator"
CallKind = Literal["take", "judging", "language"]
# a judging or language call has no state of its own: after so long nobody waits for its answer any more
STILL_OPEN = timedelta(hours=1)
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the invoice shows. `amount`: what was charged, where it isn't the estimate; only when it was."""

    billed: Billed
    amount: Decimal | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement, and the state of the take that its call was to make."""

    settlement: Settlement
    take_state: str | None


async def settle_take_bill(
    operator_database: Database,
    database: Database,
    vault: Vault,
    *,
    tenant_id: UUID,
    take_id: UUID,
    verdict: Verdict,
) -> Settled:
    """Settle the one call of a take whose bill is unknown. The same again changes nothing.

    Raises NotFound, Conflict `take_open` before the take has ended, `billing_known` where nothing is unknown,
    `several_calls` where more than one is (each is settled by its id) and `settled_otherwise`.
    """
    seal = await _seal(operator_database, vault, tenant_id, "take")
    async with database.tenant(tenant_id) as session:
        generation, take = await _locked(session, tenant_id, take_id)
        unknown = [each for each in await _calls(session, take) if _is_unknown(each)]
        if not unknown:
            return await _again(session, Settlement.take_id == take_id, tenant_id, verdict, take)
        if len(unknown) > 1:
            raise Conflict(
                f"Nobody knows the bills of {len(unknown)} calls of this take: settle each by its id, as"
                " /v1/takes/{take_id}/calls lists them.",
                code="several_calls",
            )
        return await _settle_invocation(session, seal, generation, take, unknown[0], verdict)


async def settle_call_bill(
    operator_database: Database,
    database: Database,
    vault: Vault,
    *,
    tenant_id: UUID,
    call_id: UUID,
    verdict: Verdict,
) -> Settled:
    """Settle one call, whatever it was for. The same again changes nothing.

    Raises NotFound, Conflict `take_open` before its take has ended, `call_open` while its answer may still come,
    `billing_known` where its bill is and `settled_otherwise`.
    """
    seal = await _seal(operator_database, vault, tenant_id, "call")
    async with database.tenant(tenant_id) as session:
        take_id = await session.scalar(
            select(Invocation.take_id).where(Invocation.tenant_id == tenant_id, Invocation.id == call_id)
        )
        if take_id is None:
            return await _settle_other(session, seal, tenant_id, call_id, verdict)
        generation, take = await _locked(session, tenant_id, take_id)
        call = next(each for each in await _calls(session, take) if each.id == call_id)
        if not _is_unknown(call):
            return await _again(session, Settlement.call_id == call_id, tenant_id, verdict, take)
        return await _settle_invocation(session, seal, generation, take, call, verdict)


async def _seal(operator_database: Database, vault: Vault, tenant_id: UUID, what: str) -> Seal:
    tenant = await get_tenant(operator_database, tenant_id)
    if tenant.wrapped_data_key is None:  # half-made: it has nothing to settle
        raise NotFound(what)
    return await vault.seal(tenant.storage, tenant.wrapped_data_key)


async def _locked(session: TenantSession, tenant_id: UUID, take_id: UUID) -> tuple[Generation, Take]:
    generation_id = await session.scalar(
        select(Take.generation_id).where(Take.tenant_id == tenant_id, Take.id == take_id)
    )
    if generation_id is None:
        raise NotFound("take")
    generation = await lock_generation(session, tenant_id, generation_id)
    takes = await lock_takes(session, tenant_id, generation_id)
    take = next(take for take in takes if take.id == take_id)
    if take.state not in TERMINAL:
        raise Conflict(f"This take is {take.state}: its bill is settled when it has ended.", code="take_open")
    return generation, take


async def _calls(session: TenantSession, take: Take) -> list[Invocation]:
    """The take's calls that have a price: what it cost is their sum. Others are from before calls had prices."""
    return list(
        await session.scalars(
            select(Invocation)
            .where(
                Invocation.tenant_id == take.tenant_id,
                Invocation.take_id == take.id,
                Invocation.estimate_usd.is_not(None),
            )
            .order_by(Invocation.id)
        )
    )


def _is_unknown(call: Invocation | EvaluatorCall | LanguageCall) -> bool:
    return (call.billed or Billed.UNKNOWN.value) == Billed.UNKNOWN.value


async def _again(
    session: TenantSession, which: Any, tenant_id: UUID, verdict: Verdict, take: Take | None
) -> Settled:
    """Nothing is unknown: it was settled like this before, or otherwise, or never had to be."""
    query = select(Settlement).where(Settlement.tenant_id == tenant_id, which).order_by(Settlement.id.desc())
    earlier = (await session.scalars(query.limit(1))).one_or_none()
    if earlier is None:
        raise Conflict("This bill is known: there is nothing to settle.", code="billing_known")
    otherwise = verdict.amount is not None and verdict.amount != earlier.amount_usd
    if earlier.billed != verdict.billed.value or otherwise:
        raise Conflict(
            f"This bill was settled already, as billed: {earlier.billed}, ${earlier.amount_usd:f}.",
            code="settled_otherwise",
        )
    return Settled(earlier, take.state if take else None)


def _cost(verdict: Verdict, estimate: Decimal) -> Decimal:
    if verdict.billed is Billed.FALSE:
        return NOTHING.quantize(MICRO_DOLLAR)
    return (estimate if verdict.amount is None else verdict.amount).quantize(MICRO_DOLLAR)


async def _settle_invocation(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    take: Take,
    call: Invocation,
    verdict: Verdict,
) -> Settled:
    before = TakeBill(Billed(take.billed or Billed.UNKNOWN), take.cost_usd or NOTHING, take.unknown_usd)
    call.billed, call.cost_usd = verdict.billed.value, _cost(verdict, call.estimate_usd or NOTHING)
    call.ended_at = call.ended_at or clock.now()
    after = bill_so_far(await _calls(session, take), take.estimate_usd)
    take.billed, take.cost_usd, take.unknown_usd = after.billed.value, after.cost, after.unknown
    place = (generation.production_id, generation.shot_id)
    await _move(session, take.tenant_id, place, after.cost - before.cost, after.unknown - before.unknown)
    settlement = await _record(
        session,
        seal,
        Settlement(tenant_id=take.tenant_id, take_id=take.id, call_id=call.id, call_kind="take"),
        verdict,
        call.cost_usd,
        subject=("take.settled", take.id),
        body={
            "generation": str(generation.id),
            "end_entry": str(take.ledger_entry_id),
            "call": str(call.id),
            "take_billed": take.billed,
            "take_cost_usd": str(take.cost_usd),
        },
    )
    return Settled(settlement, take.state)


async def _settle_other(
    session: TenantSession, seal: Seal, tenant_id: UUID, call_id: UUID, verdict: Verdict
) -> Settled:
    """A judging or language call, locked before its budgets, as whoever ends it does."""
    kind, call = await _judging_or_language(session, tenant_id, call_id)
    if not _is_unknown(call):
        return await _again(session, Settlement.call_id == call_id, tenant_id, verdict, None)
    if call.ended_at is None and call.created_at > clock.now() - STILL_OPEN:
        raise Conflict(
            "This call began less than an hour ago and its answer may still come: settle it later.",
            code="call_open",
        )
    counted = call.estimate_usd if call.cost_usd is None else call.cost_usd
    cost = _cost(verdict, call.estimate_usd)
    await _move(session, tenant_id, (call.production_id, call.shot_id), cost, -counted)
    call.billed, call.cost_usd = verdict.billed.value, cost
    call.ended_at, call.outcome = call.ended_at or clock.now(), call.outcome or "settled"
    settlement = await _record(
        session,
        seal,
        Settlement(tenant_id=tenant_id, take_id=None, call_id=call_id, call_kind=kind),
        verdict,
        cost,
        subject=("call.settled", call_id),
        body={"kind": kind, "model": call.model_id},
    )
    return Settled(settlement, None)


async def _judging_or_language(
    session: TenantSession, tenant_id: UUID, call_id: UUID
) -> tuple[CallKind, EvaluatorCall | LanguageCall]:
    judged = await session.scalar(
        select(EvaluatorCall)
        .where(EvaluatorCall.tenant_id == tenant_id, EvaluatorCall.id == call_id)
        .with_for_update()
    )
    if judged is not None:
        return "judging", judged
    written = await session.scalar(
        select(LanguageCall)
        .where(LanguageCall.tenant_id == tenant_id, LanguageCall.id == call_id)
        .with_for_update()
    )
    if written is None:
        raise NotFound("call")
    return "language", written


async def _move(
    session: TenantSession,
    tenant_id: UUID,
    place: tuple[UUID | None, UUID | None],
    spent: Decimal,
    unknown: Decimal,
) -> None:
    production_id, shot_id = place
    await settle(
        session,
        tenant_id=tenant_id,
        production_id=production_id
        or tenant_id,  # judging that names none counts in the tenant's budget alone
        shot_id=shot_id,
        reserved=NOTHING,
        spent=spent,
        unknown=unknown,
    )


async def _record(
    session: TenantSession,
    seal: Seal,
    settlement: Settlement,
    verdict: Verdict,
    cost: Decimal,
    *,
    subject: tuple[str, UUID],
    body: dict[str, Any],
) -> Settlement:
    kind, subject_id = subject
    settlement.id = new_id()
    settlement.created_at = clock.now()
    settlement.billed, settlement.amount_usd = verdict.billed.value, cost
    settlement.evidence = seal.close(verdict.evidence, place=f"settlements.evidence:{settlement.id}")
    settlement.settled_by = OPERATOR
    settlement.ledger_entry_id = await record_entry(
        session,
        seal,
        tenant_id=settlement.tenant_id,
        kind=kind,
        subject_id=subject_id,
        body={
            **body,
            "settlement": str(settlement.id),
            "billed": verdict.billed.value,
            "cost_usd": str(cost),
            "evidence_hash": seal.keyed_hash(verdict.evidence.encode()),
            "by": OPERATOR,
            **PLATFORM.for_ledger(),
        },
    )
    session.add(settlement)
    await session.flush()
    return settlement
