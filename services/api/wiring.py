"""The gateway's composition root: what every route is given, built once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from circletake.adapters.aws import AwsClients
from circletake.kit.paging import Cursors
from circletake.ports import ModelCatalogue, ObjectStore, TenantProvisioner, Vault
from circletake.records.session import Database
from circletake.settings import Settings
from services.api.limits import RequestLimits
from services.api.live import LiveEvents

if TYPE_CHECKING:
    from services.api.auth import KeyRing


@dataclass(slots=True)
class Gateway:
    """Everything a route may use. Nothing here calls a model, signs, decodes a picture or posts out."""

    settings: Settings
    database: Database
    operator_database: Database
    catalogue: ModelCatalogue
    vault: Vault
    store: ObjectStore
    provisioner: TenantProvisioner
    cursors: Cursors
    keys: "KeyRing"
    limits: RequestLimits
    live: LiveEvents
    admin_key: str | None
    aws: AwsClients

    async def close(self) -> None:
        await self.live.close()
        await self.database.close()
        await self.operator_database.close()
        self.aws.close()


def gateway(request: Request) -> Gateway:
    """The dependency that hands the gateway to a route."""
    desk: Gateway = request.app.state.gateway
    return desk
