"""Is the gateway up, is what it rests on up, and what does it count."""

import asyncio
import ipaddress
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from circletake.kit import logs
from circletake.usecases.watch_queue import view_queue
from services.api import metrics
from services.api.auth import operator, operator_bearer
from services.api.schemas.common import Reply
from services.api.wiring import Gateway, gateway

log = logs.logger(__name__)

router = APIRouter(tags=["operation"])
Desk = Annotated[Gateway, Depends(gateway)]

SCRAPE_SECONDS = 2.0


class Alive(Reply):
    status: Literal["alive"] = "alive"


class DependencyReply(Reply):
    ok: bool
    detail: str = Field(
        description="ok, timeout, unreachable, server_error, failed, not_seen (no dispatcher leads)"
        " or no_workers (nobody serves the lane)"
    )
    milliseconds: int


class Ready(Reply):
    status: Literal["ready", "not_ready"]
    checked_at: str
    dependencies: dict[str, DependencyReply]


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers. It says nothing of what it rests on: see `/readyz`."""
    return Alive()


@router.get(
    "/readyz", responses={503: {"model": Ready, "description": "Something is down; the same document"}}
)
async def readyz(desk: Desk, response: Response) -> Ready:
    """Look at everything that work needs: databases, S3, STS, KMS, the dispatcher, workers in every lane.

    503 when any of it is down. Work is still accepted while only workers or the dispatcher are: it waits.
    """
    report = await desk.readiness.report()
    if not report.ready:
        response.status_code = 503
    return Ready(
        status="ready" if report.ready else "not_ready",
        checked_at=report.checked_at,
        dependencies={
            name: DependencyReply.model_validate(each) for name, each in report.dependencies.items()
        },
    )


async def scraper(
    request: Request,
    desk: Desk,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(operator_bearer)],
) -> None:
    """Let in the machine itself without a key, everybody else with the operator's."""
    proxied = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    if proxied or not _is_loopback(request.client.host if request.client else ""):
        await operator(request, desk, credentials)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@router.get("/metrics", include_in_schema=False, dependencies=[Depends(scraper)])
async def scrape(desk: Desk) -> Response:
    """Prometheus' text format, with the queue as it is now; without the queue when it can't be read in time."""
    try:
        async with asyncio.timeout(SCRAPE_SECONDS):
            metrics.show_queue(await view_queue(desk.operator_database))
    except Exception:  # noqa: BLE001 - the database may be away: what the process counts is still told
        log.failure("queue_not_scraped")
        metrics.hide_queue()
    return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)
