"""The two applications of the gateway, `/v1` for studios and `/admin/v1` for the operator, each with its own
OpenAPI document, behind one ASGI entry."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from circletake import __version__
from circletake.domain.permission.documents import MAX_DOCUMENT_BYTES
from services.api import documents, problems
from services.api.bodies import BodyLimit
from services.api.middleware import Surroundings, choose
from services.api.requests import refuse_unknown_parameters
from services.api.routes import ADMIN, OPEN, TENANT, WEBHOOKS, batches, cuts, storyboards
from services.api.routes.admin.invoices import MAX_INVOICE_BYTES
from services.api.schemas.media import VerifyBody
from services.api.wiring import Gateway

TENANT_TITLE = "Circletake"
ADMIN_TITLE = "Circletake operator"

TENANT_ABOUT = """
Generation and consistency requests for film and series productions, run inside your own bucket, with provenance on
every output.

Authorise with an API key (`Authorization: Bearer ct_live_…`) or, for what only people may do, with the token that your
studio's own sign-in gave a person. Work is accepted with 202 and a `Location`; add
`Prefer: wait=N` to wait up to 30 s for it. Send an `Idempotency-Key` with every POST that creates: a repeat gives
the same answer and makes nothing twice. Errors are RFC 9457 problems with JSON pointers and a support id.
"""


def build(gateway: Gateway) -> ASGIApp:
    """Return the gateway as one ASGI application. It starts no process and opens no port."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        gateway.live.start()
        yield
        await gateway.close()

    tenant = _application(
        gateway,
        TENANT_TITLE,
        TENANT_ABOUT,
        "/v1/openapi.json",
        [*TENANT, *OPEN],
        read_by_hand=[VerifyBody],
        lifespan=lifespan,
    )
    for router in WEBHOOKS:
        tenant.webhooks.include_router(router)
    admin = _application(
        gateway, ADMIN_TITLE, "For the platform's operator.", "/admin/v1/openapi.json", ADMIN
    )
    limits = gateway.settings.api
    larger = {
        "/v1/verify": limits.max_verify_bytes,
        "/v1/productions/*/cuts": cuts.MAX_CUT_BYTES,
        "/v1/generation-batches": batches.MAX_BATCH_BYTES,
        "/v1/storyboards/*/panels": storyboards.MAX_PANELS_BYTES,
        "/v1/consents/*/document": MAX_DOCUMENT_BYTES,
    }
    bounded = BodyLimit(tenant, most=limits.max_body_bytes, larger=larger)
    bounded_admin = BodyLimit(
        admin, most=limits.max_body_bytes, larger={"/admin/v1/invoices": MAX_INVOICE_BYTES}
    )
    return choose(
        {"/admin": Surroundings(bounded_admin, service="admin")},
        Surroundings(bounded, service="api"),
    )


def _application(
    gateway: Gateway,
    title: str,
    about: str,
    openapi_url: str,
    routers: Iterable[APIRouter],
    read_by_hand: Sequence[type[BaseModel]] = (),
    lifespan: Any = None,
) -> FastAPI:
    app = FastAPI(
        title=title,
        description=about,
        version=__version__,
        openapi_url=None,  # it has a route of our own
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        dependencies=[Depends(refuse_unknown_parameters)],
        generate_unique_id_function=documents.operation_id,
        telemetry={"logs": False},
    )
    app.state.gateway = gateway
    problems.install(app)
    for router in routers:
        app.include_router(router)
    documents.describe(app, openapi_url, read_by_hand=read_by_hand)
    return app
