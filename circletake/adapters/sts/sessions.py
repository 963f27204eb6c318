"""Sessions that reach one tenant only, from STS AssumeRole."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from circletake.adapters.aws import AwsClients, LongLivedCredentials, storage_fault
from circletake.adapters.sts.policies import RoleKind, session_policy
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.ports import SessionCredentials

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_RENEW_BEFORE = timedelta(minutes=5)
_SESSION_NAME_LIMIT = 64


@dataclass(frozen=True, slots=True)
class StsPlace:
    """Where AssumeRole is asked and as whom. No endpoint and no credentials: AWS and the machine's own role."""

    region: str
    endpoint: str | None = None
    credentials: LongLivedCredentials | None = None


class StsTenantSessions:
    """TenantSessions of one process, for one of a tenant's two roles.

    A session is kept until five minutes before it ends. Callers that come while a role is being assumed wait for
    that one answer. Faults are StorageFaults: `denied` when the role may not be assumed, else `unavailable`.
    """

    def __init__(
        self,
        clients: AwsClients,
        place: StsPlace,
        *,
        role: RoleKind,
        duration_seconds: int = 3600,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._clients = clients
        self._place = place
        self._role = role
        self._duration_seconds = duration_seconds
        self._now = now
        # keyed by the whole value: a tenant whose bucket, key or role changed gets another session
        self._kept: dict[TenantStorage, SessionCredentials] = {}
        self._asking: dict[TenantStorage, asyncio.Task[SessionCredentials]] = {}

    async def credentials(self, tenant: TenantStorage) -> SessionCredentials:
        kept = self._kept.get(tenant)
        if kept is not None and kept.expires_at - self._now() > _RENEW_BEFORE:
            return kept
        asking = self._asking.get(tenant)
        if asking is None:
            asking = asyncio.create_task(self._assume(tenant))
            self._asking[tenant] = asking
            asking.add_done_callback(partial(self._asked, tenant))
        return await asyncio.shield(asking)  # who gives up waiting doesn't take the answer from the others

    def forget(self, tenant: TenantStorage, credentials: SessionCredentials) -> None:
        """Drop these credentials; a session that has replaced them meanwhile stays."""
        if self._kept.get(tenant) == credentials:
            del self._kept[tenant]

    def _asked(self, tenant: TenantStorage, task: asyncio.Task[SessionCredentials]) -> None:
        del self._asking[tenant]
        if not task.cancelled() and task.exception() is None:
            self._kept[tenant] = task.result()
        now = self._now()
        for old in [each for each, kept in self._kept.items() if kept.expires_at <= now]:
            del self._kept[old]

    async def _assume(self, tenant: TenantStorage) -> SessionCredentials:
        what = f"assume the {self._role} role of tenant {tenant.tenant_id}"
        try:
            return await self._clients.run(partial(self._ask_sts, tenant))
        except (ClientError, BotoCoreError) as error:
            raise storage_fault(error, what) from error

    def _ask_sts(self, tenant: TenantStorage) -> SessionCredentials:
        place = self._place
        client: STSClient = self._clients.client(
            "sts", region=place.region, endpoint=place.endpoint, credentials=place.credentials
        )
        tenant_id = str(tenant.tenant_id)
        issued = client.assume_role(
            RoleArn=tenant.work_role_arn if self._role == "work" else tenant.grant_role_arn,
            RoleSessionName=session_name(tenant.slug),
            ExternalId=tenant_id,
            Policy=session_policy(self._role, tenant),
            Tags=[{"Key": "tenant", "Value": tenant_id}],
            DurationSeconds=self._duration_seconds,
        )["Credentials"]
        return SessionCredentials(
            issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], issued["Expiration"]
        )


def session_name(slug: str) -> str:
    """Return the name CloudTrail shows, of the characters STS allows (`[\\w+=,.@-]{2,64}`)."""
    return re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", f"circletake-{slug}")[:_SESSION_NAME_LIMIT]
