"""Tenants: make them, resume a half-made one, change their share, suspend and resume."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.kit import clock
from circletake.records.tenancy import Tenant
from circletake.usecases import keep_tenants, provision_tenant
from circletake.usecases.provision_tenant import NewTenant
from services.api.auth import operator
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Cursor, IfMatch, PageSize, etag, link_next, require_match
from services.api.schemas.admin import (
    ProvisionBody,
    ProvisionedReply,
    TenantBody,
    TenantEdit,
    TenantReply,
    TenantState,
)
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(
    prefix="/admin/v1/tenants", tags=["tenants"], dependencies=[Depends(operator)], responses=ALWAYS
)
Desk = Annotated[Gateway, Depends(gateway)]


def _version(tenant: Tenant) -> int:
    return int(tenant.updated_at.timestamp() * 1_000_000)


@router.post("", status_code=201, responses=declared(409))
async def create_tenant(body: TenantBody, response: Response, desk: Desk) -> ProvisionedReply:
    """Make a tenant: KMS key, bucket, roles, data key and a first API key, whose text is shown this once.

    When something fails half-way the answer is 503 `provisioning_incomplete` with what is done; the same request
    again goes on from there. No answer is replayed, because it holds a secret: when a 201 got lost the slug is
    taken (409), and `POST …/keys` issues another key.
    """
    made = await provision_tenant.create_tenant(
        desk.operator_database,
        desk.provisioner,
        desk.vault,
        NewTenant(body.slug, body.name, desk.settings.aws.region, body.weight, body.max_running),
        body.key.to_wish(),
        now=clock.now(),
    )
    response.headers["Location"] = f"/admin/v1/tenants/{made.tenant.id}"
    return ProvisionedReply.of(made)


@router.post("/{tenant_id}/provision", responses=declared(409))
async def finish_tenant(tenant_id: UUID, body: ProvisionBody, desk: Desk) -> ProvisionedReply:
    """Go on with a tenant that was left half-made."""
    made = await provision_tenant.finish_provisioning(
        desk.operator_database,
        desk.provisioner,
        desk.vault,
        tenant_id,
        body.key.to_wish(),
        now=clock.now(),
    )
    return ProvisionedReply.of(made)


@router.get("", response_model=Page[TenantReply])
async def list_tenants(
    http: Request,
    response: Response,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    state: TenantState | None = None,
) -> Any:
    """List tenants, newest first."""
    before = position(desk.cursors, "tenants", cursor)
    rows = await keep_tenants.list_tenants(
        desk.operator_database, limit=limit + 1, before=before, state=state
    )
    following = next_cursor(desk.cursors, "tenants", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[TenantReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{tenant_id}")
async def get_tenant(tenant_id: UUID, response: Response, desk: Desk) -> TenantReply:
    """Read one tenant; its ETag is needed to change it."""
    tenant = await keep_tenants.get_tenant(desk.operator_database, tenant_id)
    response.headers["ETag"] = etag(_version(tenant))
    return TenantReply.of(tenant)


@router.patch("/{tenant_id}", responses=declared(412, 428))
async def edit_tenant(
    tenant_id: UUID, body: TenantEdit, response: Response, desk: Desk, match: IfMatch
) -> TenantReply:
    """Change a tenant's name or its share of the fleet. The dispatcher follows at its next look."""
    tenant = await keep_tenants.edit_tenant(
        desk.operator_database,
        tenant_id,
        body.model_dump(exclude_none=True),
        allow=lambda row: require_match(match, _version(row)),
    )
    response.headers["ETag"] = etag(_version(tenant))
    return TenantReply.of(tenant)


@router.post("/{tenant_id}/suspend", responses=declared(409))
async def suspend_tenant(tenant_id: UUID, desk: Desk) -> TenantReply:
    """Refuse its keys (403 `tenant_suspended`, within seconds) and start none of its queued work.

    Calls that already run end: they are paid, and their results are kept.
    """
    return TenantReply.of(await keep_tenants.suspend_tenant(desk.operator_database, tenant_id))


@router.post("/{tenant_id}/resume", responses=declared(409))
async def resume_tenant(tenant_id: UUID, desk: Desk) -> TenantReply:
    """Open a suspended tenant again; its queue goes on where it stood."""
    return TenantReply.of(await keep_tenants.resume_tenant(desk.operator_database, tenant_id))
