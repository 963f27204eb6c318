"""One paid call to a model that judges: permitted, with room in the budgets, on record before it leaves, and settled."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, insert, update

from circletake.dialects.contract import UnusableAnswer
from circletake.domain.consistency.words import EvaluatorId
from circletake.domain.kinds import Billed
from circletake.domain.pictures import ModelCard, ModelFault
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import EvaluatorDown, InvokeAnswer
from circletake.records.consistency import EvaluatorCall
from circletake.records.context import Production
from circletake.records.generations import Generation
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.enforcement_costs import judging_fits
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.material_work import Work
from circletake.usecases.money.budgets import reserve_call, settle_call
from circletake.usecases.permission.gate import depicted
from circletake.usecases.permission.gate_judging import judging_permission
from circletake.usecases.tools import Tools

T = TypeVar("T")

# what another try can't change: the rights or the model, not the hour
_PASSING = frozenset({"throttled", "unavailable", "timeout", "not_ready", "connection", "model_error"})


class ModelDown(EvaluatorDown):
    """A model that judges or embeds can't answer."""


async def paid_judging(
    tools: Tools,
    work: Work,
    file: MediaFile,
    evaluator: EvaluatorId,
    card: ModelCard,
    estimate: Decimal,
    request: bytes,
    call: Callable[[], Awaitable[InvokeAnswer]],
    read: Callable[[InvokeAnswer], tuple[T, Decimal]],
) -> T:
    """Record the call, make it, read it, record what it came to. Raises ModelDown or UnusableAnswer."""
    call_id = new_id()
    async with tools.database.tenant(work.step.tenant_id) as session:
        if not await judging_fits(session, work.check, estimate):
            raise ModelDown(f"{card.id} would pass the enforcement's cost cap", retryable=False)
        await _require_permission(session, work, file)
        room = await reserve_call(session, **_budgets(work, file), estimate=estimate)
        if room.room:
            await session.execute(
                insert(EvaluatorCall).values(
                    id=call_id,
                    check_id=work.check.id,
                    media_id=file.id,
                    **_budgets(work, file),
                    model_id=card.id,
                    evaluator=str(evaluator),
                    request_hash=work.tenant.seal.keyed_hash(request),
                    estimate_usd=estimate,
                    billed=Billed.UNKNOWN.value,
                    cost_usd=estimate,  # until somebody knows better
                )
            )
        if room.soft_crossed or not room.room:  # which is told
            await wake_dispatcher(session)
    if not room.room:
        raise ModelDown(room.lines[0].says, retryable=False)
    try:
        with work.paid:
            answer = await call()
    except ModelFault as fault:
        billed = fault.billed
        charged = Decimal(0) if billed is Billed.FALSE else estimate
        await _settle(
            tools, work, file, call_id, estimate=estimate, outcome=fault.kind, billed=billed, cost=charged
        )
        raise ModelDown(f"{card.id}: {fault.kind}", retryable=fault.kind in _PASSING) from fault
    try:
        found, cost = read(answer)
    except UnusableAnswer as unusable:
        await _settle(
            tools,
            work,
            file,
            call_id,
            estimate=estimate,
            outcome=str(unusable),
            billed=Billed.TRUE,
            cost=estimate,
            request_id=answer.request_id,
        )
        raise
    await _settle(
        tools,
        work,
        file,
        call_id,
        estimate=estimate,
        outcome="answered",
        billed=Billed.TRUE,
        cost=cost,
        request_id=answer.request_id,
    )
    return found


def _budgets(work: Work, file: MediaFile) -> dict[str, Any]:
    """Whose budgets a call is paid from: those of the production and of the shot that is judged."""
    return {
        "tenant_id": work.step.tenant_id,
        "production_id": work.check.production_id,
        "shot_id": file.shot_id,
    }


async def _require_permission(session: TenantSession, work: Work, file: MediaFile) -> None:
    """The gate: what is sent shows the cast, and whoever the take's own request depicts. Raises ModelDown."""
    production = await session.get_one(Production, work.check.production_id)
    if production.labour_action_since is not None:
        raise ModelDown("the production holds everything during a labour action", retryable=True)
    characters = {look.character_id for look in work.cast}
    if file.generation_id is not None:
        generation = await session.get(Generation, file.generation_id)
        characters |= depicted(generation.depicts) if generation else set()
    permission = await judging_permission(
        session,
        production,
        shot_id=file.shot_id,
        characters=characters,
        asked_at=work.check.created_at,
        now=clock.now(),
    )
    if permission.missing:
        raise ModelDown(f"a consent is missing: {permission.missing[0].says}", retryable=False)


async def _settle(
    tools: Tools,
    work: Work,
    file: MediaFile,
    call_id: UUID,
    *,
    estimate: Decimal,
    outcome: str,
    billed: Billed,
    cost: Decimal,
    request_id: str | None = None,
) -> None:
    async with tools.database.tenant(work.step.tenant_id) as session:
        settled = await session.execute(
            update(EvaluatorCall)
            .where(
                EvaluatorCall.tenant_id == work.step.tenant_id,
                EvaluatorCall.id == call_id,
                EvaluatorCall.ended_at.is_(None),  # else the operator settled it meanwhile, from the invoice
            )
            .values(
                outcome=outcome,
                billed=billed.value,
                cost_usd=cost,
                request_id=request_id,
                ended_at=func.now(),
            )
            .returning(EvaluatorCall.id)
        )
        if settled.one_or_none() is None:
            return
        await settle_call(session, **_budgets(work, file), estimate=estimate, billed=billed, cost=cost)
