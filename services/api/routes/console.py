"""The front page and the consoles, for people with a browser."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from circletake.domain.errors import NotFound
from services.api.console.pages import FILES, SECURITY, STATIC, console_page, index_page

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
    )
    return HTMLResponse(page, headers=SECURITY)


@admin_router.get("/admin/console")
async def operator_console() -> HTMLResponse:
    page = console_page(
        title="Operator API",
        document="/admin/v1/openapi.json",
        other_title="Studio console",
        other="/console",
    )
    return HTMLResponse(page, headers=SECURITY)


@router.get("/console/static/{name}")
async def static(name: str) -> FileResponse:
    if name not in FILES:
        raise NotFound("file")
    path, media_type = FILES[name]
    headers = {**SECURITY, "Cache-Control": "public, max-age=86400"}  # addresses carry the version
    return FileResponse(STATIC / path, media_type=media_type, headers=headers)
