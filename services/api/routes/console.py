"""The front page and the consoles, for people with a browser."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse

from circletake.domain.errors import NotFound, Unavailable
from circletake.kit import clock
from services.api.auth import Reader
from services.api.console.models_page import models_tables
from services.api.console.pages import (
    FILES,
    SECURITY,
    STATIC,
    console_page,
    index_page,
    models_page,
    security_for,
    sign_in_page,
)
from services.api.schemas.models import ModelReply
from services.api.wiring import Gateway, gateway

_STUDIO = re.compile(r"[a-z][a-z0-9-]{1,39}")

router = APIRouter(include_in_schema=False)
admin_router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> HTMLResponse:
    return HTMLResponse(index_page(), headers=SECURITY)


@router.get("/console")
async def studio_console() -> HTMLResponse:
    page = console_page(
        title="Studio API",
        document="/v1/openapi.json",
        other_title="Operator console",
        other="/admin/console",
        people=True,
    )
    return HTMLResponse(page, headers=SECURITY)


@router.get("/console/sign-in")
async def sign_in(desk: Annotated[Gateway, Depends(gateway)], request: Request) -> HTMLResponse:
    """Where a person begins to sign in, and where the studio's provider sends them back to."""
    asked = request.query_params
    # `state` is ours: the studio stands at its end
    studio = (asked.get("studio") or asked.get("state", "").rpartition(".")[2]).strip().lower()[:41]
    if not studio:
        return HTMLResponse(sign_in_page(), headers=SECURITY)
    try:
        start = await desk.people.begin(studio) if _STUDIO.fullmatch(studio) else None
    except Unavailable as down:
        return HTMLResponse(sign_in_page(studio=studio, told=down.detail), 503, headers=SECURITY)
    if start is None:
        told = "There is no sign-in for this studio here: check its name, or ask the operator."
        return HTMLResponse(sign_in_page(studio=studio, told=told), 404, headers=SECURITY)
    return HTMLResponse(sign_in_page(studio=studio, start=start), headers=security_for(start))


@router.get("/console/models")
async def models() -> HTMLResponse:
    """The catalogue for people to read, empty until its script asks for the tables."""
    return HTMLResponse(models_page(), headers=SECURITY)


@router.get("/console/models/tables")
async def models_in_tables(_: Reader, desk: Annotated[Gateway, Depends(gateway)]) -> HTMLResponse:
    """The tables, for who may read `GET /v1/models`."""
    today = clock.now().date()
    models = [ModelReply.of(card, desk.catalogue, today) for card in desk.catalogue.all()]
    headers = {**SECURITY, "Cache-Control": "private, no-cache"}
    return HTMLResponse(models_tables(models, today), headers=headers)


@admin_router.get("/admin/console")
async def operator_console() -> HTMLResponse:
    page = console_page(
        title="Operator API",
        document="/admin/v1/openapi.json",
        other_title="Studio console",
        other="/console",
        people=False,
    )
    return HTMLResponse(page, headers=SECURITY)


@router.get("/console/static/{name}")
async def static(name: str) -> FileResponse:
    if name not in FILES:
        raise NotFound("file")
    path, media_type = FILES[name]
    headers = {**SECURITY, "Cache-Control": "public, max-age=86400"}  # addresses carry the version
    return FileResponse(STATIC / path, media_type=media_type, headers=headers)
