"""Data keys: made and unwrapped by KMS under the tenant's own session."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from circletake.adapters.aws import AwsClients, error_code, storage_fault, under_session
from circletake.adapters.kms.seal import KEY_BYTES, AesSeal
from circletake.domain.tenants import TenantStorage
from circletake.ports import Seal, SealBroken, SessionCredentials, TenantSessions

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

T = TypeVar("T")

KEPT_SECONDS = 300.0

# KMS answers that mean: with this key, never again or not as things are
_KEY_IS_GONE = frozenset(
    {
        "DisabledException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "KMSInvalidStateException",
        "NotFoundException",
    }
)

_Wanted = tuple[UUID, str, bytes]  # tenant, its KMS key, digest of the wrapped key


class KmsVault:
    """Vault on KMS. An unwrapped key is kept at most five minutes, so a destroyed key closes everything by then.

    Raises SealBroken when the key doesn't open or exists no more, StorageFault `denied` or `unavailable` otherwise.
    """

    def __init__(
        self,
        clients: AwsClients,
        sessions: TenantSessions,
        *,
        endpoint: str | None = None,
        kept_seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = clients
        self._sessions = sessions
        self._endpoint = endpoint
        self._kept_seconds = min(kept_seconds, KEPT_SECONDS)
        self._monotonic = monotonic
        self._kept: dict[_Wanted, tuple[float, AesSeal]] = {}
        self._asking: dict[_Wanted, asyncio.Task[AesSeal]] = {}

    async def create_data_key(self, tenant: TenantStorage) -> bytes:
        """Return a new wrapped 256-bit key; its plain form never leaves KMS here."""

        def ask(kms: "KMSClient") -> bytes:
            return kms.generate_data_key_without_plaintext(
                KeyId=tenant.kms_key_arn,
                KeySpec="AES_256",
                EncryptionContext=_context(tenant),
            )["CiphertextBlob"]

        return await self._call(tenant, "make a data key", ask)

    async def seal(self, tenant: TenantStorage, wrapped_key: bytes) -> Seal:
        wanted = (tenant.tenant_id, tenant.kms_key_arn, hashlib.sha256(wrapped_key).digest())
        self._drop_old()
        kept = self._kept.get(wanted)
        if kept is not None:
            return kept[1]
        asking = self._asking.get(wanted)
        if asking is None:
            asking = asyncio.create_task(self._unwrap(tenant, wrapped_key))
            self._asking[wanted] = asking
            asking.add_done_callback(partial(self._asked, wanted, self._monotonic()))
        return await asyncio.shield(asking)

    def forget(self, tenant_id: UUID) -> None:
        """Drop a tenant's unwrapped keys at once, as when its key was just destroyed."""
        for wanted in [each for each in self._kept if each[0] == tenant_id]:
            del self._kept[wanted]

    def _drop_old(self) -> None:
        oldest = self._monotonic() - self._kept_seconds
        for wanted in [each for each, (since, _) in self._kept.items() if since <= oldest]:
            del self._kept[wanted]

    def _asked(self, wanted: _Wanted, since: float, task: "asyncio.Task[AesSeal]") -> None:
        del self._asking[wanted]
        if not task.cancelled() and task.exception() is None:
            self._kept[wanted] = (since, task.result())

    async def _unwrap(self, tenant: TenantStorage, wrapped_key: bytes) -> AesSeal:
        def ask(kms: "KMSClient") -> bytes:
            return kms.decrypt(
                KeyId=tenant.kms_key_arn,
                CiphertextBlob=wrapped_key,
                EncryptionContext=_context(tenant),
            )["Plaintext"]

        data_key = await self._call(tenant, "open the data key", ask)
        if len(data_key) != KEY_BYTES:
            raise SealBroken("what KMS unwrapped is not a data key")
        return AesSeal(data_key, tenant.tenant_id)

    async def _call(self, tenant: TenantStorage, what: str, ask: Callable[["KMSClient"], T]) -> T:
        async def once(credentials: SessionCredentials) -> T:
            return await self._clients.run(partial(self._ask, tenant, credentials, ask))

        what = f"{what} of tenant {tenant.tenant_id}"
        try:
            return await under_session(self._sessions, tenant, once)
        except ClientError as error:
            if error_code(error) in _KEY_IS_GONE:
                raise SealBroken(f"{what}: {error_code(error)}") from error
            raise storage_fault(error, what) from error
        except BotoCoreError as error:
            raise storage_fault(error, what) from error

    def _ask(
        self, tenant: TenantStorage, credentials: SessionCredentials, ask: Callable[["KMSClient"], T]
    ) -> T:
        return ask(
            self._clients.client(
                "kms", region=tenant.region, endpoint=self._endpoint, credentials=credentials
            )
        )


def _context(tenant: TenantStorage) -> dict[str, str]:
    """What KMS authenticates with the wrapped key, and shows in CloudTrail: whose it is."""
    return {"tenant": str(tenant.tenant_id)}
