"""The catalogue with its load, and the health of webhooks."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.errors import NotFound
from circletake.kit.paging import BadCursor
from circletake.usecases import watch_models
from services.api.auth import operator
from services.api.problems import ALWAYS
from services.api.requests import Cursor, PageSize, link_next
from services.api.schemas.admin_queue import (
    AdminModelList,
    AdminModelReply,
    CeilingBody,
    WebhookHealthReply,
)
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/admin/v1", dependencies=[Depends(operator)], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.get("/models", tags=["models"])
async def list_models(desk: Desk) -> AdminModelList:
    """List the catalogue with lifecycle, the cap now and what is in flight."""
    loads = await watch_models.model_loads(desk.operator_database)
    return AdminModelList(
        data=[
            AdminModelReply.of_load(card, desk.catalogue, loads.get(card.id)) for card in desk.catalogue.all()
        ]
    )


@router.patch("/models/{model_id:path}", tags=["models"])
async def edit_model(model_id: str, body: CeilingBody, desk: Desk) -> AdminModelReply:
    """Move a model's ceiling at once. It holds until a dispatcher starts, which reads the catalogue's own:
    change it there for good."""
    card = desk.catalogue.get(model_id)
    if card is None:
        raise NotFound("model")
    await watch_models.set_ceiling(desk.operator_database, model_id, body.max_running)
    loads = await watch_models.model_loads(desk.operator_database)
    return AdminModelReply.of_load(card, desk.catalogue, loads.get(model_id))


@router.get("/webhook-health", tags=["webhooks"], response_model=Page[WebhookHealthReply])
async def webhook_health(
    http: Request, response: Response, desk: Desk, limit: PageSize = 50, cursor: Cursor = None
) -> Any:
    """List tenants that have webhook endpoints, oldest tenant first, with what is still owed to them."""
    after = None
    if cursor is not None:
        parts = desk.cursors.read("webhook-health", cursor)
        if len(parts) != 1:
            raise BadCursor("not a position in this list")
        after = UUID(parts[0])
    rows = await watch_models.webhook_health(desk.operator_database, limit=limit + 1, after=after)
    shown = rows[:limit]
    following = desk.cursors.write("webhook-health", str(shown[-1].tenant_id)) if len(rows) > limit else None
    response.headers.update(link_next(http, following))
    return Page(data=[WebhookHealthReply.model_validate(row) for row in shown], next_cursor=following)
