"""The tenant's bucket, and what makes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from circletake.domain.tenants import TenantStorage


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size: int
    etag: str
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    etag: str
    size: int


class StorageFault(Exception):
    """`kind` tells what to do: missing | changed (precondition) | denied | no_upload | unavailable."""

    def __init__(
        self, kind: Literal["missing", "changed", "denied", "no_upload", "unavailable"], message: str
    ) -> None:
        super().__init__(message)
        self.kind = kind


class ObjectStore(Protocol):
    """The tenant's bucket, under that tenant's STS session. Every failure is a StorageFault."""

    async def put(self, tenant: TenantStorage, key: str, data: bytes, media_type: str) -> StoredObject: ...
    async def put_file(
        self, tenant: TenantStorage, key: str, path: Path, media_type: str
    ) -> StoredObject: ...
    async def get(self, tenant: TenantStorage, key: str, *, max_bytes: int | None = None) -> bytes: ...
    async def get_file(self, tenant: TenantStorage, key: str, path: Path) -> int: ...
    async def head(self, tenant: TenantStorage, key: str) -> StoredObject: ...
    async def copy(
        self, tenant: TenantStorage, source: str, target: str, *, source_etag: str
    ) -> StoredObject:
        """Copy inside the bucket only if the source still has this ETag (else StorageFault 'changed')."""
        ...

    async def delete(self, tenant: TenantStorage, keys: Sequence[str]) -> None:
        """Delete every version; a key that is not there is not an error."""
        ...

    async def list(self, tenant: TenantStorage, prefix: str) -> Sequence[StoredObject]: ...
    async def presign_get(
        self, tenant: TenantStorage, key: str, *, seconds: int, filename: str | None = None
    ) -> str: ...
    async def presign_put(
        self, tenant: TenantStorage, key: str, *, seconds: int, media_type: str, size: int
    ) -> str: ...
    async def start_multipart(self, tenant: TenantStorage, key: str, media_type: str) -> str: ...
    async def presign_part(
        self, tenant: TenantStorage, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str: ...
    async def list_parts(self, tenant: TenantStorage, key: str, upload_id: str) -> Sequence[Part]: ...
    async def finish_multipart(
        self, tenant: TenantStorage, key: str, upload_id: str, parts: Sequence[Part]
    ) -> StoredObject: ...
    async def abort_multipart(self, tenant: TenantStorage, key: str, upload_id: str) -> None: ...


class TenantProvisioner(Protocol):
    """Makes what a tenant needs in AWS. Every call is idempotent and may be repeated after a failure."""

    async def ensure_key(self, slug: str, tenant_id: UUID) -> str:
        """Return the ARN of the tenant's KMS key."""
        ...

    async def ensure_bucket(self, slug: str, tenant_id: UUID, kms_key_arn: str) -> str:
        """Return the bucket's name: private, encrypted with the tenant's key, versioned, CORS closed."""
        ...

    async def ensure_roles(
        self, slug: str, tenant_id: UUID, bucket: str, kms_key_arn: str
    ) -> tuple[str, str]:
        """Return the ARNs of the work role (models, bucket, key) and the grant role (bucket and key)."""
        ...
