"""Bills that nobody knew, settled by what the provider's invoice says."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from circletake.usecases.money.settle_billing import settle_call_bill, settle_take_bill
from services.api.auth import operator
from services.api.problems import ALWAYS, declared
from services.api.schemas.admin_money import SettlementBody, SettlementReply
from services.api.wiring import Gateway, gateway

router = APIRouter(
    prefix="/admin/v1/tenants/{tenant_id}",
    tags=["settlements"],
    dependencies=[Depends(operator)],
    responses=ALWAYS,
)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post("/takes/{take_id}/settlement", responses=declared(409))
async def settle(tenant_id: UUID, take_id: UUID, body: SettlementBody, desk: Desk) -> SettlementReply:
    """Settle a take of which one call's bill is unknown: it was charged, or not. The take, the budgets and the ledger
    say so from then on. The same again changes nothing; another answer is refused, and so is a take with several
    unknown calls: settle each of them."""
    settled = await settle_take_bill(
        desk.operator_database,
        desk.database,
        desk.vault,
        tenant_id=tenant_id,
        take_id=take_id,
        verdict=body.verdict,
    )
    return SettlementReply.of(settled)


@router.post("/calls/{call_id}/settlement", responses=declared(409))
async def settle_call(tenant_id: UUID, call_id: UUID, body: SettlementBody, desk: Desk) -> SettlementReply:
    """Settle one call to a model whose bill is unknown, by its id: a take's, one that judged, or one that wrote. The
    same again changes nothing; another answer is refused."""
    settled = await settle_call_bill(
        desk.operator_database,
        desk.database,
        desk.vault,
        tenant_id=tenant_id,
        call_id=call_id,
        verdict=body.verdict,
    )
    return SettlementReply.of(settled)
