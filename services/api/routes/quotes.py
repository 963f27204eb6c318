"""Quotes: what a request would cost, before anything is spent."""

from typing import Annotated

from fastapi import APIRouter, Depends

from circletake.kit import clock
from circletake.usecases import quote_generation as quoting
from services.api.auth import Reader
from services.api.problems import ALWAYS
from services.api.schemas.generations import GenerationBody
from services.api.schemas.models import QuoteReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/quotes", tags=["quotes"], responses=ALWAYS)


@router.post("")
async def quote_generation(
    body: GenerationBody, who: Reader, desk: Annotated[Gateway, Depends(gateway)]
) -> QuoteReply:
    """Price a request without making it: the same body and the same checks as `POST /v1/generations`, free.
    With `consistency`, `at_most` is the worst case: what every attempt and its judging together may cost. `budget`
    says whether it would be held for want of money, `prices` where each price comes from and of which day."""
    quoted = await quoting.quote_generation(
        desk.database,
        desk.catalogue,
        desk.rules,
        tenant_id=who.tenant_id,
        request=body.to_request(),
        now=clock.now(),
    )
    return QuoteReply.of(quoted, body.kind)
