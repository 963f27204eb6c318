"""The catalogue for studios: which model does what, under which limits, at what price. It is the capability matrix."""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel

from circletake.domain.availability import lifecycle_on
from circletake.domain.errors import NotFound
from circletake.domain.kinds import Kind
from circletake.domain.pictures import ModelCard, ModelUse
from circletake.kit import clock
from services.api.auth import Reader
from services.api.problems import ALWAYS
from services.api.schemas.models import ModelList, ModelMatrix, ModelReply
from services.api.wiring import Gateway, gateway

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "It is still as `If-None-Match` says"}}
router = APIRouter(prefix="/v1/models", tags=["models"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


async def _read_known(
    if_none_match: Annotated[
        str | None, Header(description="The ETag of what you have: 304 while it is still right")
    ] = None,
) -> str | None:
    return if_none_match


Known = Annotated[str | None, Depends(_read_known)]


@router.get("", response_model=ModelList, responses=UNCHANGED)
async def list_models(
    _: Reader,
    desk: Desk,
    known: Known,
    kind: Kind | None = None,
    use: ModelUse | None = None,
    provider: Annotated[str | None, Query(max_length=100, description="As it stands in an entry")] = None,
    lifecycle: Annotated[
        Literal["active", "legacy", "eol"] | None, Query(description="As it is today")
    ] = None,
    region: Annotated[str | None, Query(max_length=40, description="That the model runs in")] = None,
    max_price: Annotated[
        Decimal | None,
        Query(
            ge=0,
            le=1_000_000,
            description="US dollars: of one take without controls where `kind` is given, else of the model's own unit",
        ),
    ] = None,
    include_ended: bool = True,
) -> Response:
    """List the catalogue whole: what each model serves, needs, costs and honours, where, and until when. Ended models
    are shown with their date and successor, so that an old request can be explained, and refused.

    Every filter narrows the list; the answer has an ETag that changes with the catalogue and with the day.
    """
    today = clock.now().date()

    def wanted(card: ModelCard) -> bool:
        state = lifecycle_on(card, today)
        return (
            (kind is None or kind in card.kinds)
            and (use is None or use in card.uses)
            and (provider is None or card.provider.casefold() == provider.casefold())
            and (lifecycle is None or state == lifecycle)
            and (region is None or region in card.regions)
            and (include_ended or state != "eol")
        )

    shown = [ModelReply.of(card, desk.catalogue, today) for card in desk.catalogue.all() if wanted(card)]
    if max_price is not None:
        shown = [model for model in shown if _costs_at_most(model, kind, max_price)]
    return _as_known(ModelList(data=shown), known)


def _costs_at_most(model: ModelReply, kind: Kind | None, most: Decimal) -> bool:
    if kind is None:
        return model.price.usd <= most
    costs = next((each.per_take_usd for each in model.kinds if each.kind == kind), None)
    return costs is not None and costs <= most


@router.get("/matrix", response_model=ModelMatrix, responses=UNCHANGED)
async def read_matrix(_: Reader, desk: Desk, known: Known) -> Response:
    """Read who serves what today, by kind, language task and use: the default first, then the cheapest. The compact form
    for tools that offer a choice; each model's own entry says more."""
    return _as_known(ModelMatrix.of_catalogue(desk.catalogue, _today()), known)


@router.get("/{model_id:path}")
async def get_model(model_id: str, _: Reader, desk: Desk) -> ModelReply:
    """Read one model."""
    card = desk.catalogue.get(model_id)
    if card is None:
        raise NotFound("model")
    return ModelReply.of(card, desk.catalogue, _today())


def _today() -> date:
    return clock.now().date()


def _as_known(answer: BaseModel, known: str | None) -> Response:
    """Answer 304 to who has just this already (RFC 9110 section 13.1.2: a weak comparison)."""
    body = answer.model_dump_json(by_alias=True).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    offered = [each.strip().removeprefix("W/") for each in (known or "").split(",")]
    if tag in offered or "*" in offered:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
