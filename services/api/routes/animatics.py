"""What is drawn from a storyboard: pages and stills, and the animatic."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.usecases.storyboards import find_storyboards
from circletake.usecases.storyboards.find_storyboards import OutputKind, OutputView
from circletake.usecases.storyboards.request_output import request_output
from services.api.auth import Reader, Writer, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, PageSize, Wait, link_next, until
from services.api.schemas.common import Page
from services.api.schemas.storyboards import AnimaticBody, AnimaticReply, DrawingReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/storyboards", tags=["storyboards"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]

_THERE = "It is there, or can't be made: `state` says which"
_MAKING = "Being made; `Location` is where it will be"


@router.post(
    "/{storyboard_id}/drawings",
    status_code=202,
    response_model=DrawingReply,
    responses={
        200: {"model": DrawingReply, "description": _THERE},
        202: {"description": _MAKING},
        **declared(409),
    },
)
async def draw(storyboard_id: UUID, who: Writer, desk: Desk, wait: Wait) -> Response:
    """Draw a storyboard as it is now: a signed PDF of landscape pages and a signed still of every panel. Asking again
    gives the same drawing until something changes."""
    return await _asked(desk, who, storyboard_id, "drawing", {}, wait, _drawing)


@router.get("/{storyboard_id}/drawings", response_model=Page[DrawingReply])
async def list_drawings(
    http: Request,
    response: Response,
    storyboard_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a storyboard's drawings, newest first, without their stills."""
    views, following = await _listed(desk, who, storyboard_id, "drawing", limit, cursor)
    response.headers.update(link_next(http, following))
    return Page(data=[DrawingReply.of(view) for view in views], next_cursor=following)


@router.get("/{storyboard_id}/drawings/{drawing_id}")
async def get_drawing(storyboard_id: UUID, drawing_id: UUID, who: Reader, desk: Desk) -> DrawingReply:
    """Read one drawing, with its stills."""
    return DrawingReply.of(
        await find_storyboards.get_output(desk.database, who.tenant_id, storyboard_id, drawing_id, "drawing")
    )


@router.post(
    "/{storyboard_id}/animatics",
    status_code=202,
    response_model=AnimaticReply,
    responses={
        200: {"model": AnimaticReply, "description": _THERE},
        202: {"description": _MAKING},
        **declared(409),
    },
)
async def animate(storyboard_id: UUID, body: AnimaticBody, who: Writer, desk: Desk, wait: Wait) -> Response:
    """Make an animatic of a storyboard as it is now: an MP4 in which every panel stands for exactly its frames, and
    the same timing as OpenTimelineIO. Asking again gives the same one until something changes."""
    settings = body.model_dump()
    return await _asked(desk, who, storyboard_id, "animatic", settings, wait, _animatic)


@router.get("/{storyboard_id}/animatics", response_model=Page[AnimaticReply])
async def list_animatics(
    http: Request,
    response: Response,
    storyboard_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List a storyboard's animatics, newest first, without their stills."""
    views, following = await _listed(desk, who, storyboard_id, "animatic", limit, cursor)
    response.headers.update(link_next(http, following))
    return Page(data=[AnimaticReply.of(view) for view in views], next_cursor=following)


@router.get("/{storyboard_id}/animatics/{animatic_id}")
async def get_animatic(storyboard_id: UUID, animatic_id: UUID, who: Reader, desk: Desk) -> AnimaticReply:
    """Read one animatic, with its stills."""
    return AnimaticReply.of(
        await find_storyboards.get_output(
            desk.database, who.tenant_id, storyboard_id, animatic_id, "animatic"
        )
    )


def _drawing(view: OutputView) -> bytes:
    return DrawingReply.of(view).body()


def _animatic(view: OutputView) -> bytes:
    return AnimaticReply.of(view).body()


async def _asked(
    desk: Gateway,
    who: Principal,
    storyboard_id: UUID,
    kind: OutputKind,
    settings: Mapping[str, Any],
    wait: float,
    shown: Callable[[OutputView], bytes],
) -> Response:
    view = await request_output(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        storyboard_id=storyboard_id,
        kind=kind,
        settings=settings,
    )
    headers = {"Location": f"/v1/storyboards/{storyboard_id}/{kind}s/{view.output.id}"}
    if wait and view.output.state == "queued":
        view = await _settled(desk, who, view, kind, wait) or view
        headers["Preference-Applied"] = f"wait={int(wait)}"
    status = 202 if view.output.state == "queued" else 200
    return Response(shown(view), status, headers=headers, media_type="application/json")


async def _settled(
    desk: Gateway, who: Principal, asked: OutputView, kind: OutputKind, wait: float
) -> OutputView | None:
    output = asked.output

    async def look() -> OutputView | None:
        now = await find_storyboards.get_output(
            desk.database, who.tenant_id, output.storyboard_id, output.id, kind
        )
        return now if now.output.state != "queued" else None

    return await until(desk.live, str(output.id), wait, look)


async def _listed(
    desk: Gateway, who: Principal, storyboard_id: UUID, kind: OutputKind, limit: int, cursor: str | None
) -> tuple[list[OutputView], str | None]:
    purpose = f"{kind}s:{storyboard_id}"
    views = await find_storyboards.list_outputs(
        desk.database,
        who.tenant_id,
        storyboard_id,
        kind,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, [view.output for view in views], limit)
    return list(views[:limit]), following
