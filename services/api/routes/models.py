"""The catalogue for studios: which model does what, under which limits, at what price."""

from typing import Annotated

from fastapi import APIRouter, Depends

from circletake.domain.availability import lifecycle_on
from circletake.domain.errors import NotFound
from circletake.domain.kinds import Kind
from circletake.domain.pictures import ModelUse
from circletake.kit import clock
from services.api.auth import Reader
from services.api.problems import ALWAYS
from services.api.schemas.models import ModelList, ModelReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/models", tags=["models"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.get("")
async def list_models(
    _: Reader,
    desk: Desk,
    kind: Kind | None = None,
    use: ModelUse | None = None,
    include_ended: bool = True,
) -> ModelList:
    """List the catalogue whole. Ended models are shown, so that an old request can be explained, and refused.

    `kind` leaves those that make such takes, `use` those that embed or judge pictures for consistency checks.
    """
    today = clock.now().date()
    cards = [
        card
        for card in desk.catalogue.all()
        if (kind is None or kind in card.kinds)
        and (use is None or use in card.uses)
        and (include_ended or lifecycle_on(card, today) != "eol")
    ]
    return ModelList(data=[ModelReply.of(card, desk.catalogue, today) for card in cards])


@router.get("/{model_id:path}")
async def get_model(model_id: str, _: Reader, desk: Desk) -> ModelReply:
    """Read one model."""
    card = desk.catalogue.get(model_id)
    if card is None:
        raise NotFound("model")
    return ModelReply.of(card, desk.catalogue, clock.now().date())
