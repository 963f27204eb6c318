"""The end of an unknown bill: the operator read the provider's invoice, and the take costs what it says."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from circletake.domain.costs import cost_of_take
from circletake.domain.errors import Conflict, NotFound
from circletake.domain.kinds import Billed
from circletake.domain.people import PLATFORM
from circletake.domain.takes import TERMINAL
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal, Vault
from circletake.records.generations import Generation, Take
from circletake.records.money import Settlement
from circletake.records.session import Database, TenantSession
from circletake.usecases.keep_tenants import get_tenant
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.budgets import settle
from circletake.usecases.steps import lock_generation, lock_takes

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement, and the take as it is now."""

    settlement: Settlement
    take: Take


async def settle_billing(
    operator_database: Database,
    database: Database,
    vault: Vault,
    *,
    tenant_id: UUID,
    take_id: UUID,
    billed: bool,
    evidence: str,
) -> Settled:
    """Settle a take's unknown bill: it was charged as quoted, or not at all. The same again changes nothing.

    Raises NotFound, Conflict `take_open` before the take has ended, `billing_known` where nothing was unknown and
    `settled_otherwise`.
    """
    tenant = await get_tenant(operator_database, tenant_id)
    if tenant.wrapped_data_key is None:  # half-made: it has no takes
        raise NotFound("take")
    seal = await vault.seal(tenant.storage, tenant.wrapped_data_key)
    outcome = Billed.TRUE if billed else Billed.FALSE
    async with database.tenant(tenant_id) as session:
        generation, take = await _locked(session, tenant_id, take_id)
        earlier = await session.scalar(
            select(Settlement).where(Settlement.tenant_id == tenant_id, Settlement.take_id == take_id)
        )
        if earlier is not None:
            return _again(earlier, take, outcome)
        _require_unknown(take)
        cost = cost_of_take(take.estimate_usd, outcome).charged
        await settle(
            session,
            tenant_id=tenant_id,
            production_id=generation.production_id,
            shot_id=generation.shot_id,
            reserved=Decimal(0),
            spent=cost,
            unknown=-take.estimate_usd,
        )
        take.billed, take.cost_usd = outcome.value, cost
        settlement = await _record(session, seal, generation, take, evidence)
        return Settled(settlement, take)


async def _locked(session: TenantSession, tenant_id: UUID, take_id: UUID) -> tuple[Generation, Take]:
    generation_id = await session.scalar(
        select(Take.generation_id).where(Take.tenant_id == tenant_id, Take.id == take_id)
    )
    if generation_id is None:
        raise NotFound("take")
    generation = await lock_generation(session, tenant_id, generation_id)
    takes = await lock_takes(session, tenant_id, generation_id)
    return generation, next(take for take in takes if take.id == take_id)


def _again(earlier: Settlement, take: Take, outcome: Billed) -> Settled:
    if earlier.billed != outcome.value:
        raise Conflict(
            f"This bill was settled already, as billed: {earlier.billed}.", code="settled_otherwise"
        )
    return Settled(earlier, take)


def _require_unknown(take: Take) -> None:
    if take.state not in TERMINAL:
        raise Conflict(f"This take is {take.state}: its bill is settled when it has ended.", code="take_open")
    if take.billed != Billed.UNKNOWN.value:
        raise Conflict(f"This take's bill is known: billed is {take.billed}.", code="billing_known")


async def _record(
    session: TenantSession, seal: Seal, generation: Generation, take: Take, evidence: str
) -> Settlement:
    settlement_id = new_id()
    entry_id = await record_entry(
        session,
        seal,
        tenant_id=take.tenant_id,
        kind="take.settled",
        subject_id=take.id,
        body={
            "generation": str(generation.id),
            "end_entry": str(take.ledger_entry_id),
            "settlement": str(settlement_id),
            "billed": take.billed,
            "cost_usd": str(take.cost_usd),
            "evidence_hash": seal.keyed_hash(evidence.encode()),
            "by": OPERATOR,
            **PLATFORM.for_ledger(),
        },
    )
    settlement = Settlement(
        id=settlement_id,
        tenant_id=take.tenant_id,
        created_at=clock.now(),
        take_id=take.id,
        billed=take.billed,
        amount_usd=take.cost_usd,
        evidence=seal.close(evidence, place=f"settlements.evidence:{settlement_id}"),
        settled_by=OPERATOR,
        ledger_entry_id=entry_id,
    )
    session.add(settlement)
    await session.flush()
    return settlement
