"""A tenant's API keys: list, issue, rotate, revoke."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.kit import clock
from circletake.usecases import keep_keys
from services.api.auth import operator
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, link_next
from services.api.schemas.admin import KeyBody, KeyReply, NewKeyReply, RotateBody
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(
    prefix="/admin/v1/tenants/{tenant_id}/keys",
    tags=["keys"],
    dependencies=[Depends(operator)],
    responses=ALWAYS,
)
Desk = Annotated[Gateway, Depends(gateway)]


@router.get("", response_model=Page[KeyReply])
async def list_keys(
    tenant_id: UUID,
    http: Request,
    response: Response,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a tenant's keys, newest first, dead ones too. Secrets aren't kept, so none is shown."""
    purpose = f"keys:{tenant_id}"
    before = position(desk.cursors, purpose, cursor)
    rows = await keep_keys.list_keys(desk.operator_database, tenant_id, limit=limit + 1, before=before)
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[KeyReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.post("", status_code=201, responses=declared(409))
async def issue_key(tenant_id: UUID, body: KeyBody, desk: Desk) -> NewKeyReply:
    """Issue a key; its text is shown this once. At most two live keys of one name, so that a name can rotate.

    No answer is replayed, because it holds a secret: when it got lost, revoke that key and issue another.
    """
    new = await keep_keys.issue_key(desk.operator_database, tenant_id, body.to_wish(), now=clock.now())
    return NewKeyReply.of_new(new)


@router.post("/{api_key_id}/rotate", status_code=201, responses=declared(409))
async def rotate_key(
    tenant_id: UUID, api_key_id: UUID, desk: Desk, body: RotateBody | None = None
) -> NewKeyReply:
    """Issue a key with the same name and scopes; the old one works on for the overlap."""
    wanted = body or RotateBody()
    new = await keep_keys.rotate_key(
        desk.operator_database,
        tenant_id,
        api_key_id,
        overlap=timedelta(hours=wanted.overlap_hours),
        expires_in_days=wanted.expires_in_days,
        now=clock.now(),
    )
    return NewKeyReply.of_new(new)


@router.delete("/{api_key_id}", status_code=204)
async def revoke_key(tenant_id: UUID, api_key_id: UUID, desk: Desk) -> None:
    """End a key for good. Every gateway refuses it within five seconds."""
    await keep_keys.revoke_key(desk.operator_database, tenant_id, api_key_id, now=clock.now())
