"""A tenant's identity providers: enter, read, change, remove."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from circletake.usecases.people import keep_providers
from services.api.auth import operator
from services.api.problems import ALWAYS, declared
from services.api.schemas.people import ProviderBody, ProviderList, ProviderReply
from services.api.wiring import Gateway, gateway

router = APIRouter(
    prefix="/admin/v1/tenants/{tenant_id}/identity-providers",
    tags=["identity providers"],
    dependencies=[Depends(operator)],
    responses=ALWAYS,
)
Desk = Annotated[Gateway, Depends(gateway)]
Name = Annotated[str, Path(min_length=1, max_length=40, pattern="^[a-z][a-z0-9-]*$")]


@router.get("")
async def list_all(tenant_id: UUID, desk: Desk) -> ProviderList:
    """List the providers that vouch for this studio's people, by name."""
    return ProviderList.of(list(await keep_providers.list_providers(desk.operator_database, tenant_id)))


@router.put(
    "/{name}",
    responses={201: {"model": ProviderReply, "description": "Entered"}, **declared(409)},
)
async def put(
    tenant_id: UUID, name: Name, body: ProviderBody, response: Response, desk: Desk
) -> ProviderReply:
    """Enter a provider, or change it. Its issuer stays: subjects mean people within it, so another issuer is another
    provider. Its people can call at once."""
    provider, created = await keep_providers.put_provider(
        desk.operator_database, tenant_id, name, body.to_wish(), url_problem=desk.verifier.url_problem
    )
    response.status_code = 201 if created else 200
    return ProviderReply.of(provider)


@router.get("/{name}")
async def get(tenant_id: UUID, name: Name, desk: Desk) -> ProviderReply:
    """Read one provider."""
    return ProviderReply.of(await keep_providers.get_provider(desk.operator_database, tenant_id, name))


@router.delete("/{name}", status_code=204)
async def remove(tenant_id: UUID, name: Name, desk: Desk) -> None:
    """Take no token of this provider any more: every gateway refuses them within five seconds. Its people stay on the
    record of what they did."""
    await keep_providers.remove_provider(desk.operator_database, tenant_id, name)
