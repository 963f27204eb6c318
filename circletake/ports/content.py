"""Content at rest: data keys and seals."""

from typing import Protocol

from circletake.domain.tenants import TenantStorage


class Seal(Protocol):
    """One tenant's data key in use: AES-256-GCM, so a row that is moved or edited doesn't open."""

    def close(self, text: str | bytes, *, place: str) -> bytes:
        """Encrypt. `place` (for example 'generations.prompt:<id>') is authenticated, not stored."""
        ...

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt; raises SealBroken when the bytes, the key or the place are not the ones they were."""
        ...

    def keyed_hash(self, data: bytes) -> str:
        """HMAC-SHA-256 under a key derived from the data key, in hex: equal contents compare, none is guessed."""
        ...


class SealBroken(Exception):
    """Sealed content that cannot be opened: wrong tenant, wrong place, changed bytes or a destroyed key."""


class Vault(Protocol):
    async def create_data_key(self, tenant: TenantStorage) -> bytes:
        """Return a new wrapped data key, to be stored with the tenant."""
        ...

    async def seal(self, tenant: TenantStorage, wrapped_key: bytes) -> Seal:
        """Unwrap (KMS, cached at most five minutes) and return the tenant's seal."""
        ...
