"""The tenant's own AWS session."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from circletake.domain.tenants import TenantStorage


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary AWS credentials that reach one tenant only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime


class TenantSessions(Protocol):
    """STS sessions, one per tenant, kept until shortly before they expire."""

    async def credentials(self, tenant: TenantStorage) -> SessionCredentials: ...

    def forget(self, tenant: TenantStorage, credentials: SessionCredentials) -> None:
        """Drop credentials that were refused (the S3 or STS server restarted): the next call assumes again."""
        ...
