"""Previews: a smaller picture of a take, with a visible mark that names who asked for it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from circletake.records.review import Preview
from circletake.usecases.review import previews
from services.api.auth import Reader
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import Wait, until
from services.api.schemas.review import PreviewReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/takes", tags=["takes"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post(
    "/{take_id}/preview",
    status_code=202,
    response_model=PreviewReply,
    responses={
        200: {"model": PreviewReply, "description": "It is there, or can't be made: `state` says which"},
        202: {"description": "Being made; `Location` is where it will be"},
        **declared(409),
    },
)
async def request_preview(take_id: UUID, who: Reader, desk: Desk, wait: Wait) -> Response:
    """Ask for a preview of a take: at most 1280 pixels, with a mark that names the production, the take, you and the
    day. Asking again gives the same one."""
    preview = await previews.request_preview(
        desk.database, tenant_id=who.tenant_id, actor=who.actor, take_id=take_id
    )
    headers = {"Location": f"/v1/takes/{take_id}/preview"}
    if wait and preview.state == "queued":
        preview = await _settled(desk, who, preview, wait) or preview
        headers["Preference-Applied"] = f"wait={int(wait)}"
    status = 202 if preview.state == "queued" else 200
    shown = PreviewReply.of(preview).model_dump_json().encode()
    return Response(shown, status, headers=headers, media_type="application/json")


@router.get("/{take_id}/preview")
async def get_preview(take_id: UUID, who: Reader, desk: Desk) -> PreviewReply:
    """Read the preview of a take that you asked for."""
    return PreviewReply.of(
        await previews.get_preview(desk.database, tenant_id=who.tenant_id, actor=who.actor, take_id=take_id)
    )


async def _settled(desk: Gateway, who: Principal, preview: Preview, wait: float) -> Preview | None:
    async def look() -> Preview | None:
        now = await previews.get_preview(
            desk.database, tenant_id=who.tenant_id, actor=who.actor, take_id=preview.take_id
        )
        return now if now.state != "queued" else None

    return await until(desk.live, str(preview.id), wait, look)
