"""What the storage tests share: tenants that really exist on the stack's S3, STS, IAM and KMS."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from circletake.adapters.aws import AwsClients, LongLivedCredentials, Timeouts
from circletake.adapters.kms.vault import KmsVault
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.policies import RoleKind
from circletake.adapters.sts.provisioning import AwsTenantProvisioner, ProvisioningPlace
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import SessionCredentials
from services.embedded import s3 as embedded
from services.embedded.home import KeyPair


@dataclass
class Storage:
    """The storage adapters of one worker and one gateway against one server."""

    clients: AwsClients
    endpoint: str
    principals: Mapping[str, KeyPair]

    def key_of(self, principal: str) -> LongLivedCredentials:
        pair = self.principals[principal]
        return LongLivedCredentials(pair.access_key_id, pair.secret_access_key)

    def provisioner(self) -> AwsTenantProvisioner:
        place = ProvisioningPlace(
            account_id=embedded.ACCOUNT_ID,
            region=embedded.REGION,
            worker_principal_arn=embedded.principal_arn("worker"),
            gateway_principal_arn=embedded.principal_arn("gateway"),
            credentials=self.key_of("provisioner"),
            s3_endpoint=self.endpoint,
            kms_endpoint=self.endpoint,
            iam_endpoint=self.endpoint,
        )
        return AwsTenantProvisioner(self.clients, place)

    async def new_tenant(self, slug: str) -> TenantStorage:
        provisioner, tenant_id = self.provisioner(), new_id()
        key = await provisioner.ensure_key(slug, tenant_id)
        bucket = await provisioner.ensure_bucket(slug, tenant_id, key)
        work, grants = await provisioner.ensure_roles(slug, tenant_id, bucket, key)
        return TenantStorage(tenant_id, slug, embedded.REGION, bucket, key, work, grants)

    def sessions(
        self, role: RoleKind, *, principal: str | None = None, now: Any = clock.now
    ) -> StsTenantSessions:
        whose = principal or {"work": "worker", "grants": "gateway"}[role]
        # STS is asked at the server that also holds the buckets: models play no part here
        place = StsPlace(embedded.REGION, self.endpoint, self.key_of(whose))
        return StsTenantSessions(self.clients, place, role=role, now=now)

    def store(self, role: RoleKind = "work") -> S3ObjectStore:
        return S3ObjectStore(self.clients, self.sessions(role), S3Place(self.endpoint))

    def vault(self, role: RoleKind = "work", **settings: Any) -> KmsVault:
        return KmsVault(self.clients, self.sessions(role), endpoint=self.endpoint, **settings)

    def raw(self, service: str, credentials: LongLivedCredentials | SessionCredentials) -> Any:
        """A plain client, for what somebody would try who doesn't go through the adapters."""
        return self.clients.client(
            service, region=embedded.REGION, endpoint=self.endpoint, credentials=credentials
        )


def storage_of(endpoint: str, principals: Mapping[str, KeyPair]) -> Storage:
    return Storage(
        AwsClients(threads=4, timeouts=Timeouts(connect_seconds=5, read_seconds=30)), endpoint, principals
    )


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def send(method: str, url: str, body: bytes | None = None, **headers: str) -> Reply:
    """One HTTP request as a partner's script would send it; header names with `_` for `-`."""
    request = urllib.request.Request(
        url,
        data=body,
        method=method,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


class MovableClock:
    """A clock the test sets."""

    def __init__(self) -> None:
        self.time: datetime = clock.now()

    def __call__(self) -> datetime:
        return self.time
