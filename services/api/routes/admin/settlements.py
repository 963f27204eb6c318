"""Bills that nobody knew, settled by what the provider's invoice says."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from circletake.usecases.money.settle_billing import settle_billing
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


@router.post("/takes/{take_id}/settlement", responses=declared(409))
async def settle(
    tenant_id: UUID, take_id: UUID, body: SettlementBody, desk: Annotated[Gateway, Depends(gateway)]
) -> SettlementReply:
    """Settle a take whose bill is unknown: it was charged as quoted, or not at all. The take, the budgets and the
    ledger say so from then on. The same again changes nothing; another answer is refused."""
    settled = await settle_billing(
        desk.operator_database,
        desk.database,
        desk.vault,
        tenant_id=tenant_id,
        take_id=take_id,
        billed=body.billed,
        evidence=body.evidence,
    )
    return SettlementReply.of(settled)
